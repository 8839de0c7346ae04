//! Responses that providers of that dialect really gave, by their own surface.

use serde_json::Value;

use super::{Recording, recordings};
use crate::support::{Act, Kind, Stage, Surface};

/// No answer of a model, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("openai-input-tokens", "a count"),
    ("responses-conversation-create", "makes a conversation"),
];

/// Streams that are no answer, by the class they have.
const FAILS: &[(&str, &str)] = &[
    ("openai-responses-error-stream", "quota_exhausted"),
    ("responses-parallel-wrapper-stream", "broken"),
];

/// Streams that pass as they came and are not what the schema says: by what they are not.
const LOOSE: &[(&str, &str)] = &[
    ("deepseek-responses-stream", "thoughts in parts of content"),
    ("lmstudio-responses-stream", "thoughts in parts of content"),
    (
        "openrouter-responses-rawcot-stream",
        "a response without `text`",
    ),
    ("responses-background-stream", "queued at first"),
    (
        "responses-code-interpreter-stream",
        "abridged: numbers with a gap",
    ),
    ("responses-custom-tool-stream", "no numbers"),
    (
        "responses-id-rotation-copilot",
        "an item's id changes under way",
    ),
    (
        "responses-mcp-approval-stream",
        "events of a provider's own tools",
    ),
    ("responses-stream", "no numbers, as in early 2025"),
    (
        "responses-stream-encrypted-reasoning",
        "sealed anew in the last event",
    ),
    (
        "responses-stream-incomplete",
        "sealed anew in the last event",
    ),
    (
        "responses-stream-mcp-list",
        "events of a provider's own tools",
    ),
    (
        "responses-stream-moderation",
        "sealed anew in the last event",
    ),
    ("responses-stream-phase", "sealed anew in the last event"),
    ("responses-stream-resume", "taken up in its middle"),
    ("responses-stream-tool", "no numbers, as in early 2025"),
];

/// Recordings of the API, with an answer.
fn ours() -> Option<Vec<Recording>> {
    let mut all = recordings("openai/samples")?;
    all.retain(|one| {
        let path = one.path();
        let ours = path.contains("/responses") || one.name.contains("responses");
        let chat = path.contains("/chat/");
        ours && !chat && !LEFT_OUT.iter().any(|(out, _)| *out == one.name)
    });
    Some(all)
}

/// The events of a stream with the caller's model.
fn expected(stream: &str, model: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    let data = data.filter(|data| data.trim() != "[DONE]");
    data.map(|data| {
        let mut frame: Value = serde_json::from_str(data).unwrap();
        if frame["response"].get("model").is_some() {
            frame["response"]["model"] = model.into();
        }
        frame
    })
    .collect()
}

async fn replay(stage: &Stage, recording: &Recording) -> Result<&'static str, String> {
    let reply = recording.reply();
    stage.cast(Kind::OpenAi, Act::does(move |_, _| reply.clone()));
    stage.next_take();
    let model = stage.alone(Kind::OpenAi);
    let streamed = recording.streams();
    let ask = Surface::Responses.asking(&model, streamed).to_string();
    let (mut answer, record) = stage.ask(Surface::Responses, &ask).await;
    let what = format!("{} {}", record.0["attempts"], answer.text());
    let class = record.classes()[0].to_owned();
    let fails = FAILS.iter().find(|(of, _)| *of == recording.name);
    if fails.is_some() || recording.status() != 200 {
        let expected = fails.map_or(&*class, |(_, class)| *class);
        if class != expected || class == "ok" {
            return Err(what);
        }
        if answer.status == 200 {
            let told = Surface::Responses.read(&answer, true);
            assert_eq!(told.error.as_deref(), Some("stream_broken"), "{what}");
        } else {
            Surface::Responses.error(&answer);
        }
        return Ok("failures");
    }
    if answer.status != 200 || class != "ok" {
        return Err(what);
    }
    let Some(stream) = recording.response()["sse_text"].as_str() else {
        let mut came = recording.response()["body"].clone();
        came["model"] = model.into();
        return (answer.json() == came).then_some("answers").ok_or(what);
    };
    // Of no meaning here, and sent by some servers.
    let end = b"data: [DONE]\n\n";
    if answer.body.ends_with(end) {
        answer.body.truncate(answer.body.len() - end.len());
    }
    let events = crate::support::surface::named(answer.text());
    let events: Vec<Value> = events.into_iter().map(|(_, event)| event).collect();
    if events != expected(stream, &model) {
        return Err(format!("changed: {what}"));
    }
    if !LOOSE.iter().any(|(loose, _)| *loose == recording.name) {
        let told = Surface::Responses.read(&answer, true);
        assert_eq!((told.model, told.error), (model, None), "{what}");
    }
    Ok("streams")
}

#[tokio::test]
async fn what_providers_of_responses_sent_passes_valid_and_unchanged() {
    let Some(all) = ours() else { return };
    let kinds = [Kind::OpenAi];
    let stage = Stage::of_takes(all.len(), &kinds, &[], super::SHORT).await;
    let stage = std::sync::Arc::new(stage);
    let mut counts = std::collections::BTreeMap::new();
    let mut wrong = std::collections::BTreeMap::new();
    for recording in all {
        let name = recording.name.clone();
        let stage = std::sync::Arc::clone(&stage);
        let mut one = tokio::task::JoinSet::new();
        one.spawn(async move { replay(&stage, &recording).await });
        match one.join_next().await.unwrap() {
            Ok(Ok(kind)) => *counts.entry(kind).or_insert(0) += 1,
            Ok(Err(what)) => drop(wrong.insert(name, what)),
            Err(panic) => drop(wrong.insert(name, panic.to_string())),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [("answers", 18), ("failures", 11), ("streams", 29)]
    );
}
