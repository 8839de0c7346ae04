//! Answers, errors and streams.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Recording, SHORT, recordings};
use crate::support::reply::End;
use crate::support::surface::{Finish, SURFACES, Told};
use crate::support::{Act, Kind, Stage, Surface};

/// No answer of a model, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("anthropic-count-tokens", "a count"),
    ("gemini-count-tokens", "a count"),
    ("bedrock-count-tokens", "a count"),
    ("vertex-token-exchange", "an exchange of keys"),
    (
        "anthropic-stream-programmatic-tools",
        "fifteen answers in one file, read one by one in the unit tests",
    ),
];

/// What is no answer, by the class it has.
const FAILS: &[(&str, &str)] = &[
    ("anthropic-stream-empty", "broken"),
    ("anthropic-toolchoice-none", "broken"),
    ("anthropic-stream-spliced-start", "broken"),
    ("x-anthropic-stream-truncated", "broken"),
    ("x-anthropic-stream-overloaded-midstream", "overloaded"),
    ("anthropic-err-400-context", "context_length"),
    ("anthropic-err-400-effort", "invalid_request"),
    ("anthropic-err-401", "auth"),
    ("anthropic-err-404-model", "target_missing"),
    ("x-anthropic-err-413", "invalid_request"),
    ("x-anthropic-err-429", "rate_limited"),
    ("x-anthropic-err-529", "overloaded"),
    ("x-gemini-malformed-function-call", "broken"),
    ("vertex-stream-error-midstream", "broken"),
    ("gemini-stream-partialargs", "broken"),
    ("gemini-stream-partialargs-nested", "broken"),
    ("gemini-stream-noargs", "broken"),
    ("gemini-err-400-key", "auth"),
    ("gemini-err-404-model", "target_missing"),
    ("gemini-err-429-retryinfo", "rate_limited"),
    ("gemini-err-429-retryinfo-v", "rate_limited"),
    ("gemini-err-api-not-enabled", "auth"),
    ("gemini-err-apikey", "auth"),
    ("vertex-err-400-context", "context_length"),
    ("vertex-err-400-role", "invalid_request"),
    ("vertex-err-400-temp", "invalid_request"),
    ("vertex-err-404-model", "target_missing"),
    ("vertex-err-429-quota", "rate_limited"),
    ("vertex-err-iam", "auth"),
    ("vertex-err-location", "auth"),
    ("x-gemini-503", "overloaded"),
    ("bedrock-err-400-context", "context_length"),
    ("bedrock-err-400-model", "target_missing"),
    ("bedrock-err-403-auth", "auth"),
    ("bedrock-invoke-anthropic-err", "invalid_request"),
    ("bedrock-stream-err-400", "target_missing"),
    ("x-bedrock-stream-error-frame", "broken"),
    ("x-bedrock-stream-modelstreamerror", "broken"),
    ("x-bedrock-stream-throttling-midstream", "rate_limited"),
];

/// Where each stream is cut, in parts of its length.
const CUTS: usize = 6;

fn listed(list: &[(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    let found = list.iter().find(|(of, _)| *of == name);
    found.map(|(_, what)| *what)
}

/// What a recording says, read as leniently as can be.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    text: String,
    calls: Vec<String>,
}

impl Heard {
    fn of(told: &Told) -> Self {
        Self {
            text: told.text.clone(),
            calls: told.calls.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    fn in_recording(recording: &Recording) -> Self {
        let mut heard = Self::default();
        for value in values(recording.response()) {
            heard.gemini(&value);
            heard.blocks(&value["content"]);
            heard.blocks(&value["output"]["message"]["content"]);
            heard.event(&value);
        }
        heard
    }

    fn gemini(&mut self, chunk: &Value) {
        let parts = chunk["candidates"][0]["content"]["parts"].as_array();
        for part in parts.into_iter().flatten() {
            if part["thought"] != true {
                self.text += part["text"].as_str().unwrap_or_default();
            }
            self.called(&part["functionCall"]["name"]);
        }
    }

    /// Whole blocks of Messages, or of Converse.
    fn blocks(&mut self, blocks: &Value) {
        for block in blocks.as_array().into_iter().flatten() {
            self.text += block["text"].as_str().unwrap_or_default();
            if block["type"] == "tool_use" {
                self.called(&block["name"]);
            }
            if block["toolUse"]["type"] != "server_tool_use" {
                self.called(&block["toolUse"]["name"]);
            }
        }
    }

    /// One event of Messages, or of Converse.
    fn event(&mut self, event: &Value) {
        if event["content_block"]["type"] == "tool_use" {
            self.called(&event["content_block"]["name"]);
        }
        let begun = &event["start"]["toolUse"];
        if begun["type"] != "server_tool_use" {
            self.called(&begun["name"]);
        }
        self.text += event["content_block"]["text"].as_str().unwrap_or_default();
        self.text += event["delta"]["text"].as_str().unwrap_or_default();
    }

    fn called(&mut self, name: &Value) {
        self.calls.extend(name.as_str().map(str::to_owned));
    }
}

/// The JSON values of an answer: itself, or its events.
fn values(response: &Value) -> Vec<Value> {
    if let Some(text) = response["sse_text"].as_str() {
        let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
        return data
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect();
    }
    if let Some(events) = response["events_decoded"].as_array() {
        let payload = |event: &Value| match event["payload"]["_bytes_decoded"].as_object() {
            Some(_) => event["payload"]["_bytes_decoded"].clone(),
            None => event["payload"].clone(),
        };
        return events.iter().map(payload).collect();
    }
    if let Some(events) = response["events"].as_array() {
        let payloads = events.iter().map(|one| one.as_object().unwrap());
        return payloads
            .map(|one| one.values().next().unwrap().clone())
            .collect();
    }
    vec![response["body"].clone()]
}

/// Which surfaces read it, and whether streamed.
fn scenes(recording: &Recording) -> Vec<(Surface, bool)> {
    let kind = recording.kind();
    let all = SURFACES
        .into_iter()
        .flat_map(|surface| [(surface, false), (surface, true)]);
    all.filter(|(surface, streamed)| {
        // On the other surfaces Claude on Bedrock speaks Converse.
        let speaks = kind != Kind::BedrockClaude || *surface == Surface::Messages;
        // Who speaks the same is asked for a stream only where the caller wants one.
        let asked = *streamed || !recording.streams() || !kind.speaks(*surface);
        speaks && asked
    })
    .collect()
}

async fn replay(stage: &Stage, recording: &Recording) -> Result<usize, String> {
    let kind = recording.kind();
    let reply = recording.reply();
    let fails = listed(FAILS, &recording.name);
    let mut first: Option<Heard> = None;
    let scenes = scenes(recording);
    for (surface, streamed) in &scenes {
        let (surface, streamed) = (*surface, *streamed);
        let served = reply.clone();
        stage.cast(kind, Act::does(move |_, _| served.clone()));
        stage.next_take();
        let ask = surface.asking(&stage.alone(kind), streamed).to_string();
        let (answer, record) = stage.ask(surface, &ask).await;
        let what = format!(
            "{surface:?}, streamed: {streamed}: {}",
            record.0["attempts"]
        );
        if let Some(class) = fails {
            if record.classes()[0] != class {
                return Err(what);
            }
            if answer.status == 200 {
                let told = surface.read(&answer, streamed);
                if told.error.as_deref() != Some("stream_broken") {
                    return Err(format!("{what}: {told:?}"));
                }
            } else {
                surface.error(&answer);
            }
            continue;
        }
        if answer.status != 200 {
            return Err(format!("{what}: {}", answer.text()));
        }
        let told = surface.read(&answer, streamed);
        if told.model != stage.alone(kind) || told.error.is_some() {
            return Err(format!("{what}: {told:?}"));
        }
        let heard = Heard::of(&told);
        let expected = first.get_or_insert_with(|| Heard::in_recording(recording));
        // What a refusal says beside the answer: a text of its own on some surfaces.
        let explained = told.finish == Finish::Filter
            && expected.text.is_empty()
            && recording.response().to_string().contains(&heard.text);
        if heard != *expected && !explained {
            return Err(format!("{what}: {expected:?} became {heard:?}"));
        }
    }
    if recording.streams() {
        cut(stage, recording).await?;
    }
    Ok(scenes.len())
}

/// Each stream cut in several places is whole, told to be broken, or refused.
async fn cut(stage: &Stage, recording: &Recording) -> Result<(), String> {
    let kind = recording.kind();
    let length = recording.reply().length();
    for (surface, streamed) in scenes(recording)
        .into_iter()
        .filter(|(_, streamed)| *streamed)
    {
        for part in 0..CUTS {
            let end = if part % 2 == 0 { End::Fin } else { End::Rst };
            let served = recording.reply().cut_at(length * part / CUTS + part, end);
            stage.cast(kind, Act::does(move |_, _| served.clone()));
            stage.next_take();
            let ask = surface.asking(&stage.alone(kind), streamed).to_string();
            let (answer, record) = stage.ask(surface, &ask).await;
            let what = format!("{surface:?} cut at {part}: {}", record.0["attempts"]);
            match answer.status {
                200 => {
                    let told = surface.read(&answer, streamed);
                    if told.error.is_some() != (record.outcome() == "stream_broken") {
                        return Err(format!("{what}: {told:?}"));
                    }
                }
                429 | 502 => {
                    surface.error(&answer);
                }
                _ => return Err(format!("{what}: {}", answer.text())),
            }
        }
    }
    Ok(())
}

/// Replays all recordings of these kinds: how many there were, and how many answers were read.
async fn replay_all(kinds: &[Kind]) -> Option<(usize, usize)> {
    let mut all = recordings("anthropic-gemini-bedrock/samples")?;
    all.retain(|one| kinds.contains(&one.kind()) && listed(LEFT_OUT, &one.name).is_none());
    // Every surface, plain and streamed, and each of its streams cut.
    let each = SURFACES.len() * (2 + CUTS);
    let stage = Stage::of_takes(all.len() * each, kinds, &[], SHORT).await;
    let stage = std::sync::Arc::new(stage);
    let (mut count, mut read) = (0, 0);
    let mut wrong = BTreeMap::new();
    for recording in all {
        count += 1;
        let name = recording.name.clone();
        let stage = std::sync::Arc::clone(&stage);
        // In a task of its own: a rule that is broken is told beside the others.
        let mut one = tokio::task::JoinSet::new();
        one.spawn(async move { replay(&stage, &recording).await });
        match one.join_next().await.unwrap() {
            Ok(Ok(scenes)) => read += scenes,
            Ok(Err(what)) => drop(wrong.insert(name, what)),
            Err(panic) => drop(wrong.insert(name, panic.to_string())),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    eprintln!("{count} recordings of {kinds:?}, {read} answers read");
    Some((count, read))
}

#[tokio::test]
async fn what_anthropic_sent_is_read_by_every_surface() {
    if let Some(counts) = replay_all(&[Kind::Anthropic]).await {
        assert_eq!(counts, (74, 418));
    }
}

#[tokio::test]
async fn what_google_sent_is_read_by_every_surface() {
    if let Some(counts) = replay_all(&[Kind::Gemini, Kind::Vertex]).await {
        assert_eq!(counts, (80, 480));
    }
}

#[tokio::test]
async fn what_amazon_sent_is_read_by_every_surface() {
    if let Some(counts) = replay_all(&[Kind::Bedrock, Kind::BedrockClaude]).await {
        assert_eq!(counts, (53, 295));
    }
}

/// Nothing is left out or expected to fail that is not there.
#[test]
fn each_exception_is_a_recording() {
    let Some(all) = recordings("anthropic-gemini-bedrock/samples") else {
        return;
    };
    for (name, _) in LEFT_OUT.iter().chain(FAILS) {
        assert!(all.iter().any(|one| one.name == *name), "{name}");
    }
    let errors = all.iter().filter(|one| one.status() != 200);
    for error in errors {
        assert!(listed(FAILS, &error.name).is_some(), "{}", error.name);
    }
}
