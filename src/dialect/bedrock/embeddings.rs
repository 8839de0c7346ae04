//! Vectors, by `InvokeModel`: bodies are each vendor's own.
//!
//! Titan takes one text a call, Cohere up to 96
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html> and
//! `model-parameters-embed.html`, read 2026-11).

use serde::{Deserialize, Serialize};

use super::exception::no_answer;
use crate::chat::Unsupported;
use crate::outcome::{Failure, broken};

/// The most texts of one call to Cohere.
pub const MOST_TEXTS: usize = 96;

/// What Cohere is told the texts are, where nobody says: what most applications store and search.
const KIND: &str = "search_document";

/// Which vendor's words a model understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    Titan,
    Cohere,
}

impl Vendor {
    /// By the vendor's part of a model's name; `None` where another's model makes no vectors that
    /// are known here.
    pub fn of(model: &str) -> Option<Self> {
        if model.contains("amazon.titan-embed-text") {
            Some(Self::Titan)
        } else if model.contains("cohere.embed-") {
            Some(Self::Cohere)
        } else {
            None
        }
    }
}

/// A vector, and the tokens of its text if they were counted.
#[derive(Debug, PartialEq)]
pub struct One {
    pub vector: Vec<f32>,
    pub tokens: Option<u64>,
}

/// Writes one text for Titan. Its first version knows no dimensions.
///
/// # Errors
/// The text is empty, or cannot be written.
pub fn encode_one(text: &str, dimensions: Option<u64>) -> Result<Vec<u8>, Unsupported> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        input_text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        dimensions: Option<u64>,
    }
    if text.is_empty() {
        return Err(empty());
    }
    written(&Body {
        input_text: text,
        dimensions,
    })
}

/// Reads what Titan answers.
///
/// # Errors
/// It holds no vector.
pub fn read_one(body: &[u8]) -> Result<One, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        embedding: Option<Vec<f32>>,
        input_text_token_count: Option<u64>,
    }
    let body_of = serde_json::from_slice(body);
    match body_of.map_err(|_| broken("the answer holds no vector"))? {
        Body {
            embedding: Some(vector),
            input_text_token_count: tokens,
        } if !vector.is_empty() => Ok(One { vector, tokens }),
        Body { .. } => Err(no_answer(body)),
    }
}

/// Writes texts for Cohere: at most [`MOST_TEXTS`]. `kind` is its `input_type`.
///
/// # Errors
/// A text is empty, there are too many, or they cannot be written.
pub fn encode_texts(
    texts: &[String],
    kind: Option<&str>,
    dimensions: Option<u64>,
) -> Result<Vec<u8>, Unsupported> {
    #[derive(Serialize)]
    struct Body<'a> {
        texts: &'a [String],
        input_type: &'a str,
        embedding_types: [&'static str; 1],
        /// A text that is too long is refused, as others do, and not cut.
        truncate: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        output_dimension: Option<u64>,
    }
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        return Err(empty());
    }
    if texts.len() > MOST_TEXTS {
        return Err(Unsupported::parameter(
            "input",
            "More texts than the provider that this route leads to takes at once.",
        ));
    }
    written(&Body {
        texts,
        input_type: kind.unwrap_or(KIND),
        embedding_types: ["float"],
        truncate: "NONE",
        output_dimension: dimensions,
    })
}

/// Reads what Cohere answers to `count` texts: by type, as asked, or as it did before there were
/// types. Tokens are counted in a header alone.
///
/// # Errors
/// It holds no vectors, or not one for each text.
pub fn read_texts(body: &[u8], count: usize) -> Result<Vec<Vec<f32>>, Failure> {
    #[derive(Deserialize)]
    struct Body {
        embeddings: Option<Vectors>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Vectors {
        Typed { float: Vec<Vec<f32>> },
        Plain(Vec<Vec<f32>>),
    }
    let read: Body =
        serde_json::from_slice(body).map_err(|_| broken("the answer holds no vectors"))?;
    let Some(Vectors::Typed { float: vectors } | Vectors::Plain(vectors)) = read.embeddings else {
        return Err(no_answer(body));
    };
    if vectors.len() == count && vectors.iter().all(|vector| !vector.is_empty()) {
        Ok(vectors)
    } else {
        Err(broken("the answer holds another number of vectors"))
    }
}

fn empty() -> Unsupported {
    Unsupported::invalid("input", "There must be a text, and none may be empty.")
}

fn written(body: &impl Serialize) -> Result<Vec<u8>, Unsupported> {
    serde_json::to_vec(body)
        .map_err(|_| Unsupported::invalid("input", "The request cannot be written as JSON."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_its_vendors_words() {
        for (model, vendor) in [
            ("amazon.titan-embed-text-v2:0", Some(Vendor::Titan)),
            ("us.cohere.embed-v4:0", Some(Vendor::Cohere)),
            ("amazon.titan-embed-image-v1", None),
            ("cohere.command-r-v1:0", None),
        ] {
            assert_eq!(Vendor::of(model), vendor, "{model}");
        }
    }

    #[test]
    fn titan_takes_one_text() {
        for (dimensions, expected) in [
            (None, r#"{"inputText":"a \"b\""}"#),
            (Some(256), r#"{"inputText":"a \"b\"","dimensions":256}"#),
        ] {
            let body = encode_one("a \"b\"", dimensions).unwrap();
            assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
        }
        assert_eq!(encode_one("", None).unwrap_err().param, "input");
        assert_eq!(
            read_one(br#"{"embedding":[0.5,-1],"embeddingsByType":{"float":[0.5,-1]},"inputTextTokenCount":3}"#),
            Ok(One {
                vector: vec![0.5, -1.0],
                tokens: Some(3),
            })
        );
        for body in [
            "{}",
            r#"{"embedding":[]}"#,
            r#"{"embedding":["a"]}"#,
            r#"{"message":"m"}"#,
        ] {
            assert!(read_one(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn cohere_takes_many_and_answers_each() {
        let texts = ["a".to_owned(), "b".to_owned()];
        let body = encode_texts(&texts, None, Some(512)).unwrap();
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"{"texts":["a","b"],"input_type":"search_document","embedding_types":["float"],"truncate":"NONE","output_dimension":512}"#
        );
        let query = encode_texts(&texts, Some("search_query"), None).unwrap();
        let query = std::str::from_utf8(&query).unwrap();
        assert!(query.contains(r#""input_type":"search_query""#) && !query.contains("dimension"));
        for texts in [
            vec![],
            vec![String::new()],
            vec!["a".to_owned(); MOST_TEXTS + 1],
        ] {
            assert_eq!(encode_texts(&texts, None, None).unwrap_err().param, "input");
        }
        let vectors = vec![vec![0.5], vec![1.0]];
        for body in [
            r#"{"id":"x","texts":["a","b"],"embeddings":{"float":[[0.5],[1]]},"response_type":"embeddings_by_type"}"#,
            r#"{"embeddings":[[0.5],[1]],"response_type":"embeddings_floats"}"#,
        ] {
            assert_eq!(
                read_texts(body.as_bytes(), 2),
                Ok(vectors.clone()),
                "{body}"
            );
            assert!(read_texts(body.as_bytes(), 3).is_err());
        }
        for body in [
            "{}",
            r#"{"embeddings":{"int8":[[1]]}}"#,
            r#"{"message":"m"}"#,
            "[",
        ] {
            assert!(read_texts(body.as_bytes(), 1).is_err(), "{body}");
        }
    }
}
