//! An answer read as strictly as the official SDKs read it, and as their users' code does.
//!
//! Pure. What is refused here makes one of them fail, or hands nonsense to the application: a
//! missing role, a fragment without index, a finish twice, a stream without its end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const FINISHES: [&str; 5] = [
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "function_call",
];

/// What the first choice says, and what the answer is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) finish: String,
    /// Prompt, completion and total tokens.
    pub(crate) usage: Option<[u64; 3]>,
    /// The members of the answer at any depth: `choices.message.role`.
    pub(crate) fields: BTreeSet<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    /// A JSON text.
    pub(crate) arguments: String,
}

/// Whether a stream's event holds something that an application waits for.
pub(crate) fn is_meaningful(data: &[u8]) -> bool {
    let Ok(frame) = serde_json::from_slice::<Value>(data) else {
        return false;
    };
    let delta = &frame["choices"][0]["delta"];
    let has = |key: &&str| delta[*key].as_str().is_some_and(|text| !text.is_empty());
    let texts = ["content", "refusal", "reasoning_content", "reasoning"];
    texts.iter().any(has) || delta["tool_calls"].is_array()
}

/// # Errors
/// What is wrong with a plain answer, in a few words.
pub(crate) fn plain(body: &[u8]) -> Result<Reading, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON")?;
    if answer.get("error").is_some_and(|error| !error.is_null()) {
        return Err("an error came with status 200".into());
    }
    envelope(&answer, "chat.completion")?;
    let choice = (answer["choices"].as_array())
        .and_then(|choices| choices.first())
        .ok_or("there are no choices")?;
    let message = &choice["message"];
    if choice["index"] != 0 {
        return Err("the first choice has not the index 0".into());
    }
    if message["role"] != "assistant" {
        return Err("the message has not the role assistant".into());
    }
    if !matches!(message["content"], Value::String(_) | Value::Null) {
        return Err("`content` is neither text nor null".into());
    }
    let mut reading = Reading {
        text: text(&message["content"]),
        finish: finish(&choice["finish_reason"])?,
        usage: usage(&answer["usage"])?,
        ..Reading::default()
    };
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        if call["type"] != "function" {
            return Err("a tool call has not the type function".into());
        }
        reading.calls.push(Call {
            id: text(&call["id"]),
            name: text(&call["function"]["name"]),
            arguments: (call["function"]["arguments"].as_str())
                .ok_or("the arguments of a tool call are not text")?
                .to_owned(),
        });
    }
    whole_calls(&reading.calls)?;
    members(&answer, "", &mut reading.fields);
    Ok(reading)
}

/// # Errors
/// What is wrong with a streamed answer, in a few words.
pub(crate) fn stream(body: &[u8]) -> Result<Reading, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the stream is not UTF-8")?;
    let mut stream = Stream::default();
    for data in frames(text)? {
        if stream.done {
            return Err("an event follows [DONE]".into());
        }
        if data == "[DONE]" {
            stream.done = true;
            continue;
        }
        let frame = serde_json::from_str(data).map_err(|_| "an event is not JSON")?;
        stream.frame(&frame)?;
    }
    stream.end()
}

/// The data of each event. The SDKs for Python fail at `id:` and `retry:`, and all of them at an
/// event without data.
fn frames(text: &str) -> Result<Vec<&str>, String> {
    let body = (text.strip_suffix("\n\n")).ok_or("the last event has no blank line behind it")?;
    let mut frames = Vec::new();
    for event in body.split("\n\n") {
        let mut lines = event.split('\n').filter(|line| !line.starts_with(':'));
        match (lines.next(), lines.next()) {
            (None, _) => {}
            (Some(line), None) => {
                let data = line.strip_prefix("data:").ok_or("a line is no data line")?;
                frames.push(data.trim_start_matches(' '));
            }
            (Some(_), Some(_)) => return Err("an event has more than its data".into()),
        }
    }
    Ok(frames)
}

/// A stream so far.
#[derive(Default)]
struct Stream {
    reading: Reading,
    id: String,
    role: bool,
    calls: BTreeMap<u64, Call>,
    finished: bool,
    done: bool,
}

impl Stream {
    fn frame(&mut self, frame: &Value) -> Result<(), String> {
        if let Some(error) = frame.get("error").filter(|error| !error.is_null()) {
            let code = error["code"].as_str().unwrap_or("no code");
            return Err(format!("the stream ended with an error ({code})"));
        }
        envelope(frame, "chat.completion.chunk")?;
        let id = text(&frame["id"]);
        if self.id.is_empty() {
            self.id.clone_from(&id);
        }
        if self.id != id {
            return Err("the id changes within the stream".into());
        }
        members(frame, "", &mut self.reading.fields);
        if let Some(counted) = usage(&frame["usage"])? {
            self.reading.usage = Some(counted);
        }
        let choices = frame["choices"]
            .as_array()
            .ok_or("an event has no choices")?;
        match choices.first() {
            Some(choice) => self.choice(choice),
            None if frame["usage"].is_null() => Err("an event has no choices".into()),
            None => Ok(()),
        }
    }

    fn choice(&mut self, choice: &Value) -> Result<(), String> {
        let delta = &choice["delta"];
        if choice["index"] != 0 || !delta.is_object() {
            return Err("a choice has no index, or no delta".into());
        }
        if !delta["role"].is_null() {
            if std::mem::replace(&mut self.role, true) {
                return Err("the role comes twice".into());
            }
        } else if !self.role {
            return Err("the first event has no role".into());
        }
        if !matches!(delta["content"], Value::String(_) | Value::Null) {
            return Err("`content` is neither text nor null".into());
        }
        self.reading.text += &text(&delta["content"]);
        for fragment in delta["tool_calls"].as_array().into_iter().flatten() {
            self.fragment(fragment)?;
        }
        if !choice["finish_reason"].is_null() {
            if std::mem::replace(&mut self.finished, true) {
                return Err("the finish comes twice".into());
            }
            self.reading.finish = finish(&choice["finish_reason"])?;
        }
        Ok(())
    }

    fn fragment(&mut self, fragment: &Value) -> Result<(), String> {
        let index = fragment["index"]
            .as_u64()
            .ok_or("a fragment of a tool call has no index")?;
        let function = &fragment["function"];
        let arguments = match &function["arguments"] {
            Value::String(arguments) => arguments.as_str(),
            Value::Null => "",
            _ => return Err("the arguments of a tool call are not text".into()),
        };
        let next = self.calls.len() as u64;
        if let Some(call) = self.calls.get_mut(&index) {
            if fragment.get("id").is_some() || function.get("name").is_some() {
                return Err("id or name of a tool call come twice".into());
            }
            call.arguments += arguments;
            return Ok(());
        }
        if index != next {
            return Err("the indexes of the tool calls have a gap".into());
        }
        if fragment["type"] != "function" {
            return Err("a tool call has not the type function".into());
        }
        let call = Call {
            id: text(&fragment["id"]),
            name: text(&function["name"]),
            arguments: arguments.to_owned(),
        };
        self.calls.insert(index, call);
        Ok(())
    }

    fn end(mut self) -> Result<Reading, String> {
        if !self.finished {
            return Err("the stream has no finish".into());
        }
        if !self.done {
            return Err("the stream has no [DONE]".into());
        }
        self.reading.calls = self.calls.into_values().collect();
        whole_calls(&self.reading.calls)?;
        Ok(self.reading)
    }
}

fn envelope(answer: &Value, object: &str) -> Result<(), String> {
    if answer["object"] != object {
        return Err(format!("`object` is not {object}"));
    }
    for (key, fits) in [
        ("id", answer["id"].is_string()),
        ("model", answer["model"].is_string()),
        ("created", answer["created"].is_u64()),
    ] {
        if !fits {
            return Err(format!("`{key}` is missing, or not of its type"));
        }
    }
    Ok(())
}

fn finish(reason: &Value) -> Result<String, String> {
    let reason = reason.as_str().ok_or("there is no finish reason")?;
    if FINISHES.contains(&reason) {
        Ok(reason.to_owned())
    } else {
        Err("the finish reason is none that the SDKs know".into())
    }
}

fn usage(usage: &Value) -> Result<Option<[u64; 3]>, String> {
    if usage.is_null() {
        return Ok(None);
    }
    let count = |key: &str| {
        usage[key]
            .as_u64()
            .ok_or_else(|| format!("the usage has no {key}"))
    };
    Ok(Some([
        count("prompt_tokens")?,
        count("completion_tokens")?,
        count("total_tokens")?,
    ]))
}

fn whole_calls(calls: &[Call]) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    for call in calls {
        if call.id.is_empty() || call.name.is_empty() {
            return Err("a tool call has no id, or no name".into());
        }
        if !ids.insert(&call.id) {
            return Err("two tool calls have the same id".into());
        }
        if serde_json::from_str::<Value>(&call.arguments).is_err() {
            return Err("the arguments of a tool call are not JSON".into());
        }
    }
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The members of `value` at any depth. The insides of a `null` are nobody's.
fn members(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                members(value, &path, into);
                into.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, at, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
