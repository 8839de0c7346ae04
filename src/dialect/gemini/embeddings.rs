//! Embeddings: `:batchEmbedContents` of the Gemini API, `:predict` on Vertex.
//!
//! <https://ai.google.dev/api/embeddings> and
//! <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>
//! (read 2026-11).

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Form;
use super::count::resource;
use super::encode::written;
use crate::chat::{EmbeddingRequest, Unsupported};
use crate::dialect::vectors::{self, Wanted};
use crate::outcome::{Class, Failure};

/// The most inputs of one request in the Gemini API.
const MAX_BATCH: usize = 100;
/// The most instances of one prediction on Vertex.
const MAX_INSTANCES: usize = 250;
/// Models that take one instance there.
const ALONE: &str = "gemini-embedding-";

#[derive(Serialize)]
struct Batch<'a> {
    requests: Vec<One<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    model: &'a str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
}

#[derive(Serialize)]
struct Content<'a> {
    parts: [Text<'a>; 1],
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Prediction<'a> {
    instances: Vec<Instance<'a>>,
    parameters: Parameters,
}

#[derive(Serialize)]
struct Instance<'a> {
    content: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    /// Theirs is to cut silently what is too long; at OpenAI it is an error.
    auto_truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
}

/// Writes `request` for `model`: one body, or where the model takes no more one for each input.
///
/// # Errors
/// More inputs than one request may have.
pub fn encode(
    request: &EmbeddingRequest,
    model: &str,
    form: Form,
) -> Result<Vec<Bytes>, Unsupported> {
    let alone = form == Form::Vertex && model.contains(ALONE);
    let most = match form {
        Form::AiStudio => MAX_BATCH,
        Form::Vertex => MAX_INSTANCES,
    };
    if request.inputs.len() > most && !alone {
        return Err(Unsupported::parameter(
            "input",
            format!("This provider embeds at most {most} inputs in one request."),
        ));
    }
    // There is at least one input.
    let at_once = if alone { 1 } else { most };
    let bodies = request.inputs.chunks(at_once);
    bodies
        .map(|inputs| body(inputs, request.dimensions, model, form))
        .collect()
}

fn body(
    inputs: &[String],
    dimensions: Option<u64>,
    model: &str,
    form: Form,
) -> Result<Bytes, Unsupported> {
    let inputs = inputs.iter();
    let body = match form {
        Form::AiStudio => {
            let model = resource(model);
            written(&Batch {
                requests: inputs
                    .map(|text| One {
                        model: &model,
                        content: Content {
                            parts: [Text { text }],
                        },
                        output_dimensionality: dimensions,
                    })
                    .collect(),
            })?
        }
        Form::Vertex => written(&Prediction {
            instances: inputs.map(|content| Instance { content }).collect(),
            parameters: Parameters {
                auto_truncate: false,
                output_dimensionality: dimensions,
            },
        })?,
    };
    Ok(body.into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Embedded<'a> {
    #[serde(borrow)]
    embeddings: Vec<Values<'a>>,
    usage_metadata: Option<Usage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    prompt_token_count: Option<u64>,
}

#[derive(Deserialize)]
struct Values<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
}

#[derive(Deserialize)]
struct Predicted<'a> {
    #[serde(borrow)]
    predictions: Vec<Predict<'a>>,
}

#[derive(Deserialize)]
struct Predict<'a> {
    #[serde(borrow)]
    embeddings: PredictedValues<'a>,
}

#[derive(Deserialize)]
struct PredictedValues<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    /// Written as `12` and as `12.0`.
    token_count: Option<f64>,
}

/// The answers to the bodies of `request` as OpenAI's list, with `model` as the caller knows it.
///
/// # Errors
/// `broken` when it has not a vector for each input.
pub fn answer(
    answers: &[Bytes],
    request: &EmbeddingRequest,
    model: &str,
    form: Form,
) -> Result<Vec<u8>, Failure> {
    let broken = |_| Failure::new(Class::Broken, "the answer has no vectors");
    let mut wanted = Wanted {
        model,
        base64: request.base64,
        inputs: request.inputs.len(),
        tokens: None,
    };
    match form {
        Form::AiStudio => {
            let read = answers.iter().map(|body| serde_json::from_slice(body));
            let read: Vec<Embedded<'_>> = read.collect::<Result<_, _>>().map_err(broken)?;
            let counts = read
                .iter()
                .map(|answer| answer.usage_metadata.as_ref()?.prompt_token_count);
            wanted.tokens = sum(counts);
            let made = read.iter().flat_map(|answer| &answer.embeddings);
            vectors::list(made.map(|one| one.values), wanted)
        }
        Form::Vertex => {
            let read = answers.iter().map(|body| serde_json::from_slice(body));
            let read: Vec<Predicted<'_>> = read.collect::<Result<_, _>>().map_err(broken)?;
            let made = read.iter().flat_map(|answer| &answer.predictions);
            let counts = made.clone().map(|one| {
                let count = one.embeddings.statistics.as_ref()?.token_count?;
                whole(count)
            });
            wanted.tokens = sum(counts);
            vectors::list(made.map(|one| one.embeddings.values), wanted)
        }
    }
}

/// A count that was written as a fraction.
fn whole(count: f64) -> Option<u64> {
    let count = count.round();
    (0.0..=f64::from(u32::MAX))
        .contains(&count)
        .then(|| format!("{count}").parse().ok())
        .flatten()
}

/// Of as many as there are; unknown where one of them is.
fn sum(mut counts: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    counts.try_fold(0, |sum: u64, count| Some(sum.saturating_add(count?)))
}
