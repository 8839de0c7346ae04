//! What Bedrock was really asked and really answered. The recordings are not ours to keep, so they
//! are read from the folder that `PILLION_RECORDINGS` names, and the tests pass without it.

mod answers;
mod errors;
mod requests;

use serde_json::Value;

use super::{decode, event};
use crate::outcome::Class;
use crate::recordings::{self, OTHERS};

/// Errors, and streams that fail.
const ERRORS: &[(&str, Class)] = &[
    ("bedrock-err-400-context", Class::ContextLength),
    ("bedrock-err-400-model", Class::TargetMissing),
    ("bedrock-err-403-auth", Class::Auth),
    ("bedrock-invoke-anthropic-err", Class::InvalidRequest),
    ("bedrock-stream-err-400", Class::TargetMissing),
    ("x-bedrock-stream-error-frame", Class::Broken),
    ("x-bedrock-stream-modelstreamerror", Class::Broken),
    ("x-bedrock-stream-throttling-midstream", Class::RateLimited),
];

fn samples() -> Option<Vec<(String, Value)>> {
    recordings::samples(OTHERS, |name| {
        name.starts_with("bedrock-") || name.starts_with("x-bedrock-")
    })
}

fn expected_error(name: &str) -> Option<Class> {
    let found = ERRORS.iter().find(|(own, _)| *own == name);
    found.map(|(_, class)| *class)
}
