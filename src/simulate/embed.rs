//! Embeddings: vectors of length one, the same for the same input.

use fastrand::Rng;
use serde_json::{Value, json};

use super::ask::{Ask, seed};

/// As many as `text-embedding-3-small` has.
const DIMENSIONS: u64 = 1536;

/// What a client can ask for at most; the largest of OpenAI's models has fewer.
const MAX_DIMENSIONS: u64 = 4096;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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
                json!(base64(&little_endian(&vector)))
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

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4_usize {
            text.push(if digit <= group.len() {
                char::from(BASE64[(bits >> (18 - 6 * digit) & 63) as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

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
