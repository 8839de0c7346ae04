//! How many tokens a request has: what `CountTokens` answers.

use serde::Deserialize;

use super::exception::no_answer;
use crate::outcome::{Failure, broken};

/// Reads an answer of `/count-tokens`. The question is [`super::encode_count`]'s.
///
/// # Errors
/// It is none.
pub fn read_count(body: &[u8]) -> Result<u64, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Counted {
        input_tokens: Option<u64>,
    }
    match serde_json::from_slice(body) {
        Ok(Counted {
            input_tokens: Some(tokens),
        }) => Ok(tokens),
        Ok(Counted { input_tokens: None }) => Err(no_answer(body)),
        Err(_) => Err(broken("the answer is no count of tokens")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Class;

    #[test]
    fn a_count_is_a_number_or_a_failure() {
        assert_eq!(read_count(br#"{"inputTokens":375}"#), Ok(375));
        for (body, class) in [
            ("{}", Class::Broken),
            (r#"{"inputTokens":"375"}"#, Class::Broken),
            (
                r#"{"message":"m","__type":"ThrottlingException"}"#,
                Class::RateLimited,
            ),
            ("", Class::Broken),
        ] {
            assert_eq!(
                read_count(body.as_bytes()).unwrap_err().class,
                class,
                "{body}"
            );
        }
    }
}
