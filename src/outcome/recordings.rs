//! Judging what providers really sent. The recordings are not ours to keep, so they are read from
//! the folder that `PILLION_RECORDINGS` names, and the test passes without it.

use std::collections::BTreeSet;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::Class::{
    Auth, Broken, ContextLength, InvalidRequest, QuotaExhausted, RateLimited, ServerError,
    TargetMissing,
};
use super::{Class, Failure, judge, judge_reported};
use crate::recordings::{self, OPENAI};

const EXPECTED: &[(&str, Class)] = &[
    ("azure-error-401", Auth),
    ("azure-error-404-deployment", TargetMissing),
    ("azure-foundry-error-401", Auth),
    ("azure-foundry-error-429", RateLimited),
    ("cohere-native-error-400-tokens", ContextLength),
    ("cohere-native-error-404", TargetMissing),
    ("compat-200-invalid", Broken),
    ("compat-200-text-plain", Broken),
    ("deepseek-error-400-context", ContextLength),
    ("deepseek-error-400-image", InvalidRequest),
    ("deepseek-error-400-model", TargetMissing),
    ("deepseek-error-400-toolchoice", InvalidRequest),
    ("deepseek-error-401", Auth),
    ("doubleword-error-400-flat", InvalidRequest),
    ("doubleword-error-403-badkey", Auth),
    ("groq-error-401", Auth),
    ("groq-error-404", TargetMissing),
    ("groq-error-tool-use-failed", Broken),
    ("groq-stream-tool-use-failed", Broken),
    ("llamacpp-error-400-type", InvalidRequest),
    ("llamacpp-error-401", Auth),
    ("llamacpp-error-500-image", InvalidRequest),
    ("llamacpp-error-500-jinja", InvalidRequest),
    ("llamacpp-error-501", InvalidRequest),
    ("llamacpp-error-context", ContextLength),
    ("llamacpp-error-context-stream", ContextLength),
    ("mistral-error-400-model", TargetMissing),
    ("mistral-error-401", Auth),
    ("mistral-models", Auth),
    ("ollama-error-400-context", ContextLength),
    ("ollama-error-401", Auth),
    ("openai-error-400-context-length-responses", ContextLength),
    ("openai-error-400-dimensions", InvalidRequest),
    ("openai-error-400-image-url", InvalidRequest),
    ("openai-error-400-image-user", TargetMissing),
    ("openai-error-400-max-tokens", InvalidRequest),
    ("openai-error-400-model-responses", TargetMissing),
    ("openai-error-400-no-messages", InvalidRequest),
    ("openai-error-400-prev-response", InvalidRequest),
    ("openai-error-400-reasoning-item", InvalidRequest),
    ("openai-error-400-role", InvalidRequest),
    ("openai-error-400-schema", InvalidRequest),
    ("openai-error-400-stop", InvalidRequest),
    ("openai-error-400-temperature", InvalidRequest),
    ("openai-error-400-tool-content", InvalidRequest),
    ("openai-error-400-transcription", InvalidRequest),
    ("openai-error-400-websearch", InvalidRequest),
    ("openai-error-401-chat", Auth),
    ("openai-error-401-chat-stream", Auth),
    ("openai-error-401-responses", Auth),
    ("openai-error-401-responses-textplain", Auth),
    ("openai-error-404-embeddings", TargetMissing),
    ("openai-error-404-model-chat", TargetMissing),
    ("openai-error-404-model-deprecated", TargetMissing),
    ("openai-error-429-insufficient-quota", QuotaExhausted),
    ("openai-error-500", ServerError),
    ("openai-error-legacy-param", InvalidRequest),
    ("openai-error-temperature-reasoning", InvalidRequest),
    ("openai-responses-error-stream", QuotaExhausted),
    ("openrouter-error-400-context", ContextLength),
    ("openrouter-error-400-model", TargetMissing),
    ("openrouter-error-401", Auth),
    ("openrouter-error-429", RateLimited),
    ("openrouter-stream-error", Broken),
    ("perplexity-error-400-context", ContextLength),
    ("perplexity-error-401", Auth),
    ("venice-error-404-string", TargetMissing),
    ("xai-error-400-badkey", Auth),
    ("xai-error-400-model", TargetMissing),
];

#[test]
fn every_recorded_error_has_the_class_it_should() {
    let Some(samples) = recordings::samples(OPENAI, |_| true) else {
        return;
    };
    let mut judged = BTreeSet::new();
    for (name, sample) in &samples {
        let response = &sample["response"];
        let expected = EXPECTED.iter().find(|(of, _)| of == name);
        let Some((_, class)) = expected else {
            let status = response["status"].as_u64().unwrap_or(200);
            assert!(
                (200..300).contains(&status),
                "{name}: {status} is not in the table"
            );
            continue;
        };
        for failure in failures(response) {
            assert_eq!(failure.class, *class, "{name}: {}", failure.reason);
            let shown = format!("{failure:?}");
            assert!(
                !shown.contains("sk-") && !shown.contains("***"),
                "{name}: {shown}"
            );
        }
        judged.insert(name.as_str());
    }
    for (name, _) in EXPECTED {
        assert!(
            judged.contains(name),
            "{name} is in the table and not in the folder"
        );
    }
}

/// The judgement of a recorded answer; for a stream, of each event in it that carries an error.
fn failures(response: &Value) -> Vec<Failure> {
    let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    if let Some(stream) = response["sse_text"].as_str() {
        let data = stream.lines().filter_map(|line| line.strip_prefix("data:"));
        let errors = data.filter(|data| {
            let event: Value = serde_json::from_str(data).unwrap_or_default();
            event["error"].is_object() || event["response"]["error"].is_object()
        });
        let failures: Vec<_> = errors
            .map(|error| judge_reported(error.as_bytes()))
            .collect();
        assert!(!failures.is_empty(), "a stream without an error event");
        return failures;
    }
    let body = match (&response["body"], response["body_text"].as_str()) {
        (_, Some(text)) => text.to_owned(),
        (Value::String(text), None) => text.clone(),
        (body, None) => body.to_string(),
    };
    vec![judge(
        status,
        &headers(&response["headers"]),
        body.as_bytes(),
        SystemTime::UNIX_EPOCH,
    )]
}

fn headers(recorded: &Value) -> HeaderMap {
    let pairs = recorded.as_object().into_iter().flatten();
    let pairs = pairs.filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
    });
    pairs.collect()
}
