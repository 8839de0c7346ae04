//! Embeddings: vectors of length one, the same for the same input.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use serde_json::{Value, json};

use super::ask::{Ask, seed};

/// As many as `text-embedding-3-small` has.
const DIMENSIONS: u64 = 1536;

/// What a client can ask for at most; the largest of OpenAI's models has fewer.
const MAX_DIMENSIONS: u64 = 4096;

pub(super) fn body(ask: &Ask) -> Value {
    let dimensions = ask.body["dimensions"].as_u64().unwrap_or(DIMENSIONS);
    let count = usize::try_from(dimensions.clamp(1, MAX_DIMENSIONS)).unwrap_or(1);
    let as_base64 = ask.body["encoding_format"] == "base64";
    let data: Vec<Value> = inputs(&ask.body["input"])
        .into_iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(&input.to_string(), count);
            let embedding = if as_base64 {
                json!(STANDARD.encode(little_endian(&vector)))
            } else {
                json!(vector)
            };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    json!({
        "object": "list",
        "data": data,
        "model": ask.model,
        "usage": { "prompt_tokens": ask.prompt_tokens, "total_tokens": ask.prompt_tokens },
    })
}

/// One input or several: a list is several unless it is one of token numbers.
fn inputs(input: &Value) -> Vec<&Value> {
    match input {
        Value::Array(list) if !list.first().is_some_and(Value::is_number) => list.iter().collect(),
        one => vec![one],
    }
}

fn vector(input: &str, dimensions: usize) -> Vec<f32> {
    let mut rng = Rng::with_seed(seed(input.as_bytes()));
    let mut vector: Vec<f32> = (0..dimensions).map(|_| rng.f32() - 0.5).collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        for x in &mut vector {
            *x /= length;
        }
    }
    vector
}

fn little_endian(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_one_or_several() {
        for (input, count) in [
            (json!("a"), 1),
            (json!(["a", "b"]), 2),
            (json!([1, 2, 3]), 1),
            (json!([[1, 2], [3]]), 2),
        ] {
            assert_eq!(inputs(&input).len(), count, "{input}");
        }
    }

    #[test]
    fn a_vector_has_length_one_and_repeats() {
        let one = vector("hello", 16);
        let length: f32 = one.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5);
        assert_eq!(one, vector("hello", 16));
        assert_ne!(one, vector("hullo", 16));
    }
}
