//! Responses: numbers without a gap, items and parts that are announced, filled and closed in order,
//! and a last event that repeats them.
//!
//! <https://platform.openai.com/docs/api-reference/responses-streaming> (read 2026-11)

use serde_json::{Value, json};

use super::{Finish, Told, compact, named};

/// What a response always has.
const MEMBERS: [&str; 18] = [
    "id",
    "object",
    "created_at",
    "status",
    "error",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "model",
    "output",
    "parallel_tool_calls",
    "previous_response_id",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "usage",
];

fn check_response(response: &Value) {
    for member in MEMBERS {
        assert!(response.get(member).is_some(), "no {member}: {response}");
    }
    assert_eq!(response["object"], "response", "{response}");
    assert!(
        response["output"].is_array() && response["tools"].is_array(),
        "{response}"
    );
    assert!(response["created_at"].is_number(), "{response}");
}

pub(super) fn plain(response: &Value) -> Told {
    check_response(response);
    let mut told = Told {
        thought: String::new(),
        text: String::new(),
        calls: Vec::new(),
        ids: Vec::new(),
        finish: Finish::Broken,
        usage: None,
        model: response["model"].as_str().unwrap().to_owned(),
        error: None,
    };
    for item in response["output"].as_array().unwrap() {
        read_item(&mut told, item);
    }
    told.finish = match (
        response["status"].as_str().unwrap_or_default(),
        response["incomplete_details"]["reason"].as_str(),
    ) {
        ("completed", None) if told.calls.is_empty() => Finish::Stop,
        ("completed", None) => Finish::Calls,
        ("incomplete", Some("max_output_tokens")) => Finish::Length,
        ("incomplete", Some("content_filter")) => Finish::Filter,
        other => panic!("{other:?}: {response}"),
    };
    let usage = &response["usage"];
    if usage.is_object() {
        let number = |name: &str| usage[name].as_u64().unwrap_or_else(|| panic!("{response}"));
        let (input, output) = (number("input_tokens"), number("output_tokens"));
        assert_eq!(number("total_tokens"), input + output, "{response}");
        for (details, name) in [
            ("input_tokens_details", "cached_tokens"),
            ("output_tokens_details", "reasoning_tokens"),
        ] {
            assert!(usage[details][name].is_u64(), "{name}: {response}");
        }
        told.usage = Some((input, output));
    }
    told
}

fn read_item(told: &mut Told, item: &Value) {
    let text = |value: &Value| {
        value
            .as_str()
            .unwrap_or_else(|| panic!("{item}"))
            .to_owned()
    };
    assert!(!text(&item["id"]).is_empty(), "{item}");
    match &*text(&item["type"]) {
        "message" => {
            assert_eq!(item["role"], "assistant", "{item}");
            assert!(
                matches!(&*text(&item["status"]), "completed" | "incomplete"),
                "{item}"
            );
            for part in item["content"]
                .as_array()
                .unwrap_or_else(|| panic!("{item}"))
            {
                match &*text(&part["type"]) {
                    "output_text" => {
                        assert!(part["annotations"].is_array(), "{item}");
                        told.text += &text(&part["text"]);
                    }
                    "refusal" => told.text += &text(&part["refusal"]),
                    other => panic!("the part {other}: {item}"),
                }
            }
        }
        "reasoning" => {
            for part in item["summary"]
                .as_array()
                .unwrap_or_else(|| panic!("{item}"))
            {
                assert_eq!(part["type"], "summary_text", "{item}");
                told.thought += &text(&part["text"]);
            }
        }
        "function_call" => {
            told.ids.push(text(&item["call_id"]));
            let arguments = text(&item["arguments"]);
            let whole = serde_json::from_str::<Value>(&arguments).is_ok();
            assert!(
                whole || item["status"] == "incomplete",
                "half a call: {item}"
            );
            told.calls.push((text(&item["name"]), compact(&arguments)));
        }
        // What the provider ran itself; only its own model's answers have it.
        _ => {}
    }
}

/// What has been said of the item that is open.
#[derive(Default)]
struct Open {
    item: Value,
    /// The text of the part that is open, by the kind of its deltas.
    part: Option<String>,
    parts: Vec<String>,
}

pub(super) fn stream(text: &str) -> Told {
    let events = named(text);
    let mut open: Option<Open> = None;
    let mut done: Vec<Value> = Vec::new();
    let mut last = None;
    let mut model = String::new();
    for (number, (name, event)) in events.iter().enumerate() {
        assert!(last.is_none(), "behind the end: {text}");
        assert_eq!(event["sequence_number"], number, "{name}: {text}");
        match (&**name, number) {
            ("response.created", 0) | ("response.in_progress", 1) => {
                check_response(&event["response"]);
                assert_eq!(event["response"]["status"], "in_progress", "{text}");
                event["response"]["model"]
                    .as_str()
                    .unwrap()
                    .clone_into(&mut model);
            }
            (_, 0 | 1) => panic!("{name} as event {number}: {text}"),
            ("response.output_item.added", _) => {
                assert!(open.is_none(), "two items are open: {text}");
                assert_eq!(event["output_index"], done.len(), "{text}");
                open = Some(Open {
                    item: event["item"].clone(),
                    ..Open::default()
                });
            }
            ("response.output_item.done", _) => {
                let before = open
                    .take()
                    .unwrap_or_else(|| panic!("nothing is open: {text}"));
                close(&before, event, done.len(), text);
                done.push(event["item"].clone());
            }
            ("response.completed" | "response.incomplete", _) => {
                assert!(open.is_none(), "an item is open: {text}");
                let response = &event["response"];
                assert_eq!(response["output"], json!(done), "{text}");
                last = Some(plain(response));
            }
            ("error", _) => {
                let error = &event["error"];
                assert!(error["message"].is_string(), "{text}");
                let code = error["code"].as_str().unwrap_or_else(|| panic!("{text}"));
                last = Some(broken(&done, open.take(), &model, code));
            }
            (name, _) => {
                let open = open
                    .as_mut()
                    .unwrap_or_else(|| panic!("{name}, nothing is open: {text}"));
                assert_eq!(event["output_index"], done.len(), "{text}");
                inside(open, name, event, text);
            }
        }
    }
    last.unwrap_or_else(|| panic!("a silent end: {text}"))
}

/// What the caller had before the error.
fn broken(done: &[Value], open: Option<Open>, model: &str, code: &str) -> Told {
    let mut told = Told {
        thought: String::new(),
        text: String::new(),
        calls: Vec::new(),
        ids: Vec::new(),
        finish: Finish::Broken,
        usage: None,
        model: model.to_owned(),
        error: Some(code.to_owned()),
    };
    for item in done {
        read_item(&mut told, item);
    }
    if let Some(open) = open {
        let said = open.parts.concat() + open.part.as_deref().unwrap_or_default();
        match open.item["type"].as_str().unwrap_or_default() {
            "message" => told.text += &said,
            "reasoning" => told.thought += &said,
            other => assert!(said.is_empty(), "half of {other}: {said}"),
        }
    }
    told
}

/// An event about what is in the open item.
fn inside(open: &mut Open, name: &str, event: &Value, text: &str) {
    assert_eq!(event["item_id"], open.item["id"], "{name}: {text}");
    let kind = open.item["type"].as_str().unwrap_or_default();
    let word = |value: &Value| {
        value
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {text}"))
            .to_owned()
    };
    let (of, what) = match name {
        "response.content_part.added" => ("message", "open"),
        "response.reasoning_summary_part.added" => ("reasoning", "open"),
        "response.output_text.delta" | "response.refusal.delta" => ("message", "more"),
        "response.reasoning_summary_text.delta" => ("reasoning", "more"),
        "response.output_text.done" => ("message", "text"),
        "response.refusal.done" => ("message", "refusal"),
        "response.reasoning_summary_text.done" => ("reasoning", "text"),
        "response.content_part.done" => ("message", "close"),
        "response.reasoning_summary_part.done" => ("reasoning", "close"),
        "response.function_call_arguments.delta" => ("function_call", "more"),
        "response.function_call_arguments.done" => ("function_call", "arguments"),
        // Of what the provider ran itself.
        _ if kind.ends_with("_call") => return,
        other => panic!("the event {other}: {text}"),
    };
    assert_eq!(kind, of, "{name}: {text}");
    match what {
        "open" => {
            assert!(open.part.is_none(), "two parts are open: {text}");
            open.part = Some(String::new());
        }
        "more" if of == "function_call" => {
            open.part
                .get_or_insert_default()
                .push_str(&word(&event["delta"]));
        }
        "more" => {
            let part = open
                .part
                .as_mut()
                .unwrap_or_else(|| panic!("no part is open: {text}"));
            part.push_str(&word(&event["delta"]));
        }
        "close" => {
            let part = open
                .part
                .take()
                .unwrap_or_else(|| panic!("no part is open: {text}"));
            let said = &event["part"];
            let said = said
                .get("text")
                .or(said.get("refusal"))
                .unwrap_or(&Value::Null);
            assert_eq!(word(said), part, "{text}");
            open.parts.push(part);
        }
        member => {
            let said = word(&event[member]);
            let part = open.part.clone().unwrap_or_default();
            assert_eq!(said, part, "{name}: {text}");
            if member == "arguments" {
                open.parts.push(open.part.take().unwrap_or_default());
            }
        }
    }
}

/// The item's end repeats what was said of it.
fn close(open: &Open, event: &Value, index: usize, text: &str) {
    let item = &event["item"];
    assert_eq!(event["output_index"], index, "{text}");
    assert_eq!(item["id"], open.item["id"], "{text}");
    assert_eq!(item["type"], open.item["type"], "{text}");
    assert!(open.part.is_none(), "a part is open: {text}");
    let whole = match item["type"].as_str().unwrap_or_default() {
        "message" => texts(&item["content"]),
        "reasoning" => texts(&item["summary"]),
        "function_call" => vec![item["arguments"].as_str().unwrap_or_default().to_owned()],
        _ => return,
    };
    assert_eq!(whole, open.parts, "{text}");
}

fn texts(parts: &Value) -> Vec<String> {
    let parts = parts.as_array().into_iter().flatten();
    let text = |part: &Value| {
        let text = part.get("text").or(part.get("refusal"));
        text.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    parts.map(text).collect()
}
