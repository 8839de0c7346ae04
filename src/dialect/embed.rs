//! Embeddings at targets of another dialect than OpenAI's: one request of the caller's, one or
//! several of theirs, and one answer again.

use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};

use super::request::Cloud;
use super::{Dialect, Dropped, bedrock, gemini, openai, vectors};
use crate::chat::{EmbeddingRequest, Surface, Unsupported, Usage};
use crate::outcome::{Class, Failure};

/// Who makes the vectors, and in whose words it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedder {
    Google(gemini::Form),
    /// One text a request.
    Titan,
    /// Some texts a request.
    Cohere,
}

impl Embedder {
    /// `None` where this target makes no vectors that are known here.
    pub fn of(dialect: Dialect, cloud: Cloud, model: &str) -> Option<Self> {
        match dialect {
            Dialect::Gemini if cloud == Cloud::Vertex => Some(Self::Google(gemini::Form::Vertex)),
            Dialect::Gemini => Some(Self::Google(gemini::Form::AiStudio)),
            Dialect::Converse => match bedrock::embeddings::Vendor::of(model)? {
                bedrock::embeddings::Vendor::Titan => Some(Self::Titan),
                bedrock::embeddings::Vendor::Cohere => Some(Self::Cohere),
            },
            Dialect::OpenAi
            | Dialect::Responses
            | Dialect::Anthropic
            | Dialect::AnthropicInCloud => None,
        }
    }

    /// The bodies to send, in order, and what of the request they do not tell.
    ///
    /// # Errors
    /// What this target cannot be told.
    pub fn bodies(
        self,
        request: &EmbeddingRequest,
        model: &str,
    ) -> Result<(Vec<Bytes>, Dropped), Unsupported> {
        let dropped: Dropped = request.asked.iter().cloned().collect();
        let bodies = match self {
            Self::Google(form) => {
                let bodies = gemini::embeddings::encode(request, model, form)?;
                return Ok((bodies, dropped));
            }
            Self::Titan => request
                .inputs
                .iter()
                .map(|text| bedrock::embeddings::encode_one(text, request.dimensions))
                .collect::<Result<Vec<_>, _>>()?,
            Self::Cohere => request
                .inputs
                .chunks(bedrock::embeddings::MOST_TEXTS)
                .map(|texts| bedrock::embeddings::encode_texts(texts, None, request.dimensions))
                .collect::<Result<Vec<_>, _>>()?,
        };
        Ok((bodies.into_iter().map(Bytes::from).collect(), dropped))
    }

    /// OpenAI's list of what came of the bodies, with `model` as the caller knows it.
    ///
    /// # Errors
    /// An answer is none, or has not a vector for each input.
    pub fn answer(
        self,
        answers: &[Bytes],
        request: &EmbeddingRequest,
        model: &str,
    ) -> Result<(Bytes, Usage), Failure> {
        let list = match self {
            Self::Google(form) => gemini::embeddings::answer(answers, request, model, form)?,
            Self::Titan => {
                let mut made = Vec::with_capacity(answers.len());
                let mut tokens = Some(0);
                for answer in answers {
                    let one = bedrock::embeddings::read_one(answer)?;
                    tokens = tokens
                        .zip(one.tokens)
                        .map(|(sum, more)| u64::saturating_add(sum, more));
                    made.push(one.vector);
                }
                list(&made, request, model, tokens)?
            }
            Self::Cohere => {
                let mut made = Vec::with_capacity(request.inputs.len());
                let asked = request.inputs.chunks(bedrock::embeddings::MOST_TEXTS);
                for (answer, texts) in answers.iter().zip(asked) {
                    made.extend(bedrock::embeddings::read_texts(answer, texts.len())?);
                }
                list(&made, request, model, None)?
            }
        };
        // Judged as any answer of that form is.
        let shown = openai::Shown {
            surface: Surface::Embeddings,
            model: None,
            base64: request.base64,
            seed: 0,
        };
        let answer = openai::answer(&list.into(), shown)?;
        Ok((answer.body, answer.usage))
    }
}

fn list(
    vectors: &[Vec<f32>],
    request: &EmbeddingRequest,
    model: &str,
    tokens: Option<u64>,
) -> Result<Vec<u8>, Failure> {
    let written = vectors.iter().map(to_raw_value);
    let written: Vec<Box<RawValue>> = written
        .collect::<Result<_, _>>()
        .map_err(|_| Failure::new(Class::Broken, "a vector is not made of numbers"))?;
    let wanted = vectors::Wanted {
        model,
        base64: request.base64,
        inputs: request.inputs.len(),
        tokens,
    };
    vectors::list(written.iter().map(|vector| &**vector), wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(inputs: &[&str]) -> EmbeddingRequest {
        EmbeddingRequest {
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            ..EmbeddingRequest::default()
        }
    }

    #[test]
    fn texts_that_are_asked_for_one_by_one_come_back_as_one_list() {
        let request = request(&["a", "b"]);
        let titan = Embedder::of(
            Dialect::Converse,
            Cloud::Bedrock,
            "amazon.titan-embed-text-v2:0",
        );
        let titan = titan.unwrap();
        let (bodies, _) = titan
            .bodies(&request, "amazon.titan-embed-text-v2:0")
            .unwrap();
        assert_eq!(bodies.len(), 2);
        let answers = ["[0.5]", "[-1.0]"].map(|vector| {
            Bytes::from(format!(
                "{{\"embedding\":{vector},\"inputTextTokenCount\":3}}"
            ))
        });
        let (list, usage) = titan.answer(&answers, &request, "route").unwrap();
        let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
        assert_eq!(list["data"][1]["embedding"], serde_json::json!([-1.0]));
        assert_eq!(
            (list["model"].as_str(), usage.prompt),
            (Some("route"), Some(6))
        );
        assert!(
            titan.answer(&answers[..1], &request, "route").is_err(),
            "one is missing"
        );
    }

    #[test]
    fn a_model_of_google_that_takes_one_text_is_asked_text_by_text() {
        let request = EmbeddingRequest {
            asked: vec!["user".into()],
            ..request(&["a", "b"])
        };
        let google = Embedder::of(Dialect::Gemini, Cloud::Vertex, "gemini-embedding-001").unwrap();
        let (bodies, dropped) = google.bodies(&request, "gemini-embedding-001").unwrap();
        assert_eq!(
            bodies,
            ["a", "b"].map(|text| format!(
                r#"{{"instances":[{{"content":"{text}"}}],"parameters":{{"autoTruncate":false}}}}"#
            ))
        );
        assert_eq!(dropped.as_slice(), ["user"]);
        let answers = ["[0.5]", "[-1.0]"].map(|vector| {
            Bytes::from(format!(
                r#"{{"predictions":[{{"embeddings":{{"statistics":{{"token_count":3}},"values":{vector}}}}}]}}"#
            ))
        });
        let (list, usage) = google.answer(&answers, &request, "route").unwrap();
        let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
        assert_eq!(list["data"][0]["embedding"], serde_json::json!([0.5]));
        assert_eq!(list["data"][1]["embedding"], serde_json::json!([-1.0]));
        assert_eq!(usage.prompt, Some(6));
        assert!(google.answer(&answers[..1], &request, "route").is_err());
    }

    #[test]
    fn a_model_that_makes_no_vectors_is_known_for_it() {
        for (dialect, cloud, model) in [
            (Dialect::Converse, Cloud::Bedrock, "anthropic.claude-x"),
            (Dialect::Anthropic, Cloud::None, "claude-x"),
        ] {
            assert_eq!(Embedder::of(dialect, cloud, model), None, "{model}");
        }
    }
}
