//! Embeddings as OpenAI's callers expect them, for targets of another dialect.
//!
//! <https://platform.openai.com/docs/api-reference/embeddings/object> (read 2026-11). Floats keep the
//! provider's digits. Base64 is that of the little-endian 32-bit floats, which is what both official
//! SDKs ask for when the application says nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use crate::outcome::{Failure, broken};
use crate::wire::json::quote;

/// The form of the list.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The `model` that is shown.
    pub model: &'a str,
    pub base64: bool,
    /// How many inputs there were: as many vectors must come.
    pub inputs: usize,
    /// Tokens of all inputs; where nobody counted them, the list has no usage.
    pub tokens: Option<u64>,
}

/// Writes the list of `vectors`, each a JSON array of numbers, in the order of the inputs.
///
/// # Errors
/// `broken` when there are fewer or more than inputs, or one of them is no vector.
pub fn list<'v>(
    vectors: impl IntoIterator<Item = &'v RawValue>,
    wanted: Wanted<'_>,
) -> Result<Vec<u8>, Failure> {
    let mut text = String::from("{\"object\":\"list\",\"data\":[");
    let mut count = 0;
    for vector in vectors {
        if count > 0 {
            text.push(',');
        }
        text.push_str("{\"object\":\"embedding\",\"index\":");
        text.push_str(&count.to_string());
        text.push_str(",\"embedding\":");
        push(vector.get(), wanted.base64, &mut text)?;
        text.push('}');
        count += 1;
    }
    if count != wanted.inputs {
        return Err(broken("the answer has not as many vectors as inputs"));
    }
    text.push_str("],\"model\":");
    text.push_str(&quote(wanted.model));
    if let Some(tokens) = wanted.tokens {
        let tokens = tokens.to_string();
        for piece in [
            ",\"usage\":{\"prompt_tokens\":",
            &tokens,
            ",\"total_tokens\":",
            &tokens,
            "}",
        ] {
            text.push_str(piece);
        }
    }
    text.push('}');
    Ok(text.into_bytes())
}

fn push(vector: &str, base64: bool, text: &mut String) -> Result<(), Failure> {
    let floats: Vec<f32> =
        serde_json::from_str(vector).map_err(|_| broken("a vector is not made of numbers"))?;
    if floats.is_empty() {
        return Err(broken("a vector is empty"));
    }
    if base64 {
        let bytes: Vec<u8> = floats
            .iter()
            .flat_map(|float| float.to_le_bytes())
            .collect();
        text.push('"');
        STANDARD.encode_string(bytes, text);
        text.push('"');
    } else {
        // Between numbers white space means nothing, and there is one for each of thousands.
        text.extend(vector.chars().filter(|c| !c.is_ascii_whitespace()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Class;

    fn write(vectors: &[&str], base64: bool, tokens: Option<u64>) -> Result<String, Failure> {
        let raw: Vec<Box<RawValue>> = vectors
            .iter()
            .map(|text| RawValue::from_string((*text).into()).unwrap())
            .collect();
        let wanted = Wanted {
            model: "m\"x",
            base64,
            inputs: 2,
            tokens,
        };
        let list = list(raw.iter().map(|raw| &**raw), wanted)?;
        Ok(String::from_utf8(list).unwrap())
    }

    #[test]
    fn vectors_come_in_the_form_that_was_asked_for() {
        let vectors = ["[\n 0.10,\n -2e-3\n]", "[1,2]"];
        assert_eq!(
            write(&vectors, false, Some(7)).unwrap(),
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-3]},{"object":"embedding","index":1,"embedding":[1,2]}],"model":"m\"x","usage":{"prompt_tokens":7,"total_tokens":7}}"#
        );
        assert_eq!(
            write(&["[0.5]", "[1,-1]"], true, None).unwrap(),
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPw=="},{"object":"embedding","index":1,"embedding":"AACAPwAAgL8="}],"model":"m\"x"}"#
        );
    }

    #[test]
    fn what_is_no_vector_for_each_input_is_broken() {
        for vectors in [
            &["[1]"][..],
            &["[1]", "[1]", "[1]"],
            &["[1]", "[]"],
            &["[1]", "[\"x\"]"],
            &["[1]", "null"],
            &["[1]", "{}"],
        ] {
            let failure = write(vectors, false, None).unwrap_err();
            assert_eq!(failure.class, Class::Broken, "{vectors:?}");
        }
    }
}
