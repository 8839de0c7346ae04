//! Requests and answers of our own making, and what any answer must be like.

use serde_json::{Value, json};

/// What a caller may be sent as `finish_reason`.
const FINISHES: [&str; 5] = [
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "function_call",
];

/// A chat request to the route `chat`.
pub(crate) fn ask() -> String {
    json!({ "model": "chat", "messages": [{ "role": "user", "content": "Hi" }] }).to_string()
}

/// The same, streamed.
pub(crate) fn ask_stream() -> String {
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    json!({ "model": "chat", "stream": true, "messages": messages }).to_string()
}

/// [`ask`], to the route `plain`, and [`ask_stream`], to the route `streamed`: with the routes.
pub(crate) fn ask_both() -> [(&'static str, String); 2] {
    let to = |route: &str, ask: &str| ask.replace("\"chat\"", &format!("\"{route}\""));
    [
        ("plain", to("plain", &ask())),
        ("streamed", to("streamed", &ask_stream())),
    ]
}

/// The same as [`ask_stream`], with usage.
pub(crate) fn ask_usage() -> String {
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    let options = json!({ "include_usage": true });
    json!({ "model": "chat", "stream": true, "stream_options": options, "messages": messages })
        .to_string()
}

/// A plain answer that says `text`.
pub(crate) fn plain(text: &str) -> String {
    let message = json!({ "role": "assistant", "content": text, "refusal": null });
    completion(&message, "stop")
}

/// A plain answer with calls: id, function, arguments.
pub(crate) fn plain_calls(calls: &[(&str, &str, &str)]) -> String {
    let calls: Vec<Value> = calls
        .iter()
        .map(|(id, name, arguments)| {
            json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
        })
        .collect();
    let message = json!({ "role": "assistant", "content": null, "tool_calls": calls });
    completion(&message, "tool_calls")
}

fn completion(message: &Value, finish: &str) -> String {
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": "upstream-model",
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12 },
        "system_fingerprint": "fp_1"
    })
    .to_string()
}

/// One frame of a stream.
pub(crate) fn frame(choices: &Value) -> String {
    let frame = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_795_000_000,
        "model": "upstream-model",
        "choices": choices
    });
    format!("data: {frame}\n\n")
}

/// A frame of one choice.
pub(crate) fn delta(delta: &Value, finish: Option<&str>) -> String {
    frame(&json!([{ "index": 0, "delta": delta, "finish_reason": finish }]))
}

/// The frame that names the role.
pub(crate) fn role() -> String {
    delta(&json!({ "role": "assistant", "content": "" }), None)
}

/// A frame of text.
pub(crate) fn text(text: &str) -> String {
    delta(&json!({ "content": text }), None)
}

/// The frame that begins a call.
pub(crate) fn call(index: u64, id: &str, name: &str) -> String {
    let function = json!({ "name": name, "arguments": "" });
    let call = json!({ "index": index, "id": id, "type": "function", "function": function });
    delta(&json!({ "tool_calls": [call] }), None)
}

/// A frame with more of a call's arguments.
pub(crate) fn arguments(index: u64, arguments: &str) -> String {
    let call = json!({ "index": index, "function": { "arguments": arguments } });
    delta(&json!({ "tool_calls": [call] }), None)
}

/// The frame that ends a choice.
pub(crate) fn finish(reason: &str) -> String {
    delta(&json!({}), Some(reason))
}

/// The frame with usage.
pub(crate) fn usage() -> String {
    let frame = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_795_000_000,
        "model": "upstream-model",
        "choices": [],
        "usage": { "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12 }
    });
    format!("data: {frame}\n\n")
}

pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// A streamed answer in these pieces of text, with usage.
pub(crate) fn streamed(pieces: &[&str]) -> String {
    let texts: String = pieces.iter().map(|piece| text(piece)).collect();
    role() + &texts + &finish("stop") + &usage() + DONE
}

/// A streamed answer with calls: id, function, the pieces of its arguments.
pub(crate) fn streamed_calls(calls: &[(&str, &str, &[&str])]) -> String {
    let mut all = role();
    for (index, (id, name, pieces)) in (0..).zip(calls) {
        all += &call(index, id, name);
        all.extend(pieces.iter().map(|piece| arguments(index, piece)));
    }
    all + &finish("tool_calls") + &usage() + DONE
}

/// What the first choice of an answer says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// Id, function, arguments.
    pub(crate) calls: Vec<(String, String, String)>,
    pub(crate) finish: String,
}

/// How a stream ended, as its caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    /// With an error event of this code.
    Error(String),
}

/// A stream as its caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Whole {
    /// By choice.
    pub(crate) choices: Vec<Said>,
    pub(crate) usage: Option<Value>,
    pub(crate) model: String,
    pub(crate) ended: Ended,
}

/// Reads a plain answer.
///
/// # Panics
/// It is not what the schema says.
pub(crate) fn read_plain(answer: &Value) -> Vec<Said> {
    let choices = answer["choices"]
        .as_array()
        .unwrap_or_else(|| panic!("no choices: {answer}"));
    assert!(!choices.is_empty(), "no choices: {answer}");
    let mut all = Vec::new();
    for (index, choice) in choices.iter().enumerate() {
        assert_eq!(choice["index"], index, "{answer}");
        let message = &choice["message"];
        assert_eq!(message["role"], "assistant", "{answer}");
        assert!(
            message["content"].is_string() || message["content"].is_null(),
            "{answer}"
        );
        let mut said = Said {
            text: message["content"].as_str().unwrap_or_default().to_owned(),
            finish: choice["finish_reason"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            ..Said::default()
        };
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            said.calls.push(read_call(call));
        }
        check_said(&said, answer);
        all.push(said);
    }
    all
}

fn read_call(call: &Value) -> (String, String, String) {
    let text = |value: &Value| {
        value
            .as_str()
            .unwrap_or_else(|| panic!("{call}"))
            .to_owned()
    };
    if text(&call["type"]) == "function" {
        let function = &call["function"];
        return (
            text(&call["id"]),
            text(&function["name"]),
            text(&function["arguments"]),
        );
    }
    // Free text: as JSON, so that it is compared and checked like the others.
    let custom = &call["custom"];
    let input = Value::from(text(&custom["input"])).to_string();
    (text(&call["id"]), text(&custom["name"]), input)
}

fn check_said(said: &Said, answer: &Value) {
    assert!(
        FINISHES.contains(&&*said.finish),
        "{}: {answer}",
        said.finish
    );
    for (id, name, arguments) in &said.calls {
        assert!(!id.is_empty() && !name.is_empty(), "{answer}");
        let whole = serde_json::from_str::<Value>(arguments).is_ok();
        let cut = matches!(&*said.finish, "length" | "content_filter");
        assert!(whole || cut, "arguments {arguments:?}: {answer}");
    }
}

/// Reads a stream's events by the rules that the strictest of the official SDKs need: the role
/// once, indexes dense and always there, ids and names once, arguments as text, one of five
/// finishes, usage at most once and only if asked for, `[DONE]` or an error last and nothing behind.
///
/// # Panics
/// A rule is broken.
pub(crate) fn read_stream(data: &[&str], usage_asked: bool) -> Whole {
    let whole = data.join("\n");
    let (last, frames) = data
        .split_last()
        .unwrap_or_else(|| panic!("an empty stream"));
    let ended = if *last == "[DONE]" {
        Ended::Done
    } else {
        let event: Value = serde_json::from_str(last).unwrap();
        let code = event["error"]["code"].as_str();
        let code = code.unwrap_or_else(|| panic!("a silent end: {whole}"));
        assert!(event["error"]["message"].is_string(), "{whole}");
        Ended::Error(code.to_owned())
    };
    let mut choices: Vec<Said> = Vec::new();
    let mut roles: Vec<bool> = Vec::new();
    let mut usage = None;
    let mut model = String::new();
    for frame in frames {
        let frame: Value =
            serde_json::from_str(frame).unwrap_or_else(|error| panic!("{error}: {whole}"));
        assert!(
            frame.get("error").is_none_or(Value::is_null),
            "not the last: {whole}"
        );
        frame["model"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut model);
        let parts = frame["choices"]
            .as_array()
            .unwrap_or_else(|| panic!("{frame}"));
        if frame["usage"].is_object() {
            assert!(usage_asked, "usage that nobody asked for: {frame}");
            assert!(parts.is_empty(), "usage beside choices: {frame}");
            let before = usage.replace(frame["usage"].clone());
            assert!(before.is_none(), "usage twice: {whole}");
        } else if !usage_asked {
            assert!(frame.get("usage").is_none(), "{frame}");
            assert!(!parts.is_empty(), "a frame without choices: {frame}");
        }
        for choice in parts {
            let index = choice["index"]
                .as_u64()
                .unwrap_or_else(|| panic!("{frame}"));
            let index = usize::try_from(index).unwrap();
            while choices.len() <= index {
                choices.push(Said::default());
                roles.push(false);
            }
            let said = &mut choices[index];
            if let Some(text) = choice["text"].as_str() {
                said.text += text;
            } else {
                read_delta(&choice["delta"], &mut roles[index], said, &whole);
            }
            if let Some(reason) = choice["finish_reason"].as_str() {
                assert!(said.finish.is_empty(), "a finish twice: {whole}");
                assert!(FINISHES.contains(&reason), "{reason}: {whole}");
                reason.clone_into(&mut said.finish);
            }
        }
    }
    if ended == Ended::Done {
        assert!(!choices.is_empty(), "an empty answer: {whole}");
        for said in &choices {
            check_said(said, &Value::from(whole.clone()));
        }
    }
    Whole {
        choices,
        usage,
        model,
        ended,
    }
}

fn read_delta(delta: &Value, role: &mut bool, said: &mut Said, whole: &str) {
    assert!(delta.is_object(), "{whole}");
    match delta.get("role") {
        Some(named) => {
            assert_eq!(named, "assistant", "{whole}");
            assert!(!std::mem::replace(role, true), "the role twice: {whole}");
        }
        None => assert!(*role, "no role in the first delta: {whole}"),
    }
    let content = &delta["content"];
    assert!(content.is_string() || content.is_null(), "{delta}");
    said.text += content.as_str().unwrap_or_default();
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        let index = call["index"].as_u64().unwrap_or_else(|| panic!("{delta}"));
        let index = usize::try_from(index).unwrap();
        let kind = if call.get("custom").is_some() {
            "custom"
        } else {
            "function"
        };
        let text = if kind == "custom" {
            "input"
        } else {
            "arguments"
        };
        if index == said.calls.len() {
            assert_eq!(call["type"], kind, "{delta}");
            let id = call["id"]
                .as_str()
                .unwrap_or_else(|| panic!("no id: {delta}"));
            let name = call[kind]["name"]
                .as_str()
                .unwrap_or_else(|| panic!("no name: {delta}"));
            said.calls
                .push((id.to_owned(), name.to_owned(), String::new()));
        } else {
            assert!(index < said.calls.len(), "indexes with a gap: {whole}");
            assert!(
                call.get("id").is_none() && call.get("type").is_none(),
                "twice: {delta}"
            );
            assert!(call[kind].get("name").is_none(), "a name twice: {delta}");
        }
        let more = &call[kind][text];
        assert!(
            more.is_string() || call[kind].is_null() || kind == "custom",
            "{delta}"
        );
        said.calls[index].2 += more.as_str().unwrap_or_default();
    }
}
