//! Requests that the API has taken: one of ours that means the same says the same.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::recordings::samples;
use super::{ID, encoded};
use crate::chat::{
    Call, CallResult, Conversation, Effort, Format, Lifetime, Media, Part, Role, Thinking, Thought,
    Tool, ToolChoice, Turn, thought,
};
use crate::dialect::Receiver;
use crate::dialect::anthropic::{Form, encode_count};
use crate::facts::Families;

/// Requests that another dialect's caller cannot make, or whose words we choose otherwise.
const LEFT_OUT: &[(&str, &str)] = &[
    ("anthropic-citations", "citations are not asked for"),
    ("anthropic-stream-citations", "citations are not asked for"),
    ("anthropic-compaction", "the provider edits its own context"),
    (
        "anthropic-stream-compaction",
        "the provider edits its own context",
    ),
    ("anthropic-mid-system", "instructions all go to the front"),
    (
        "anthropic-opus46-effort",
        "an effort turns thinking on where it is off",
    ),
    (
        "anthropic-server-tool-code-exec",
        "a tool of the provider's",
    ),
    ("anthropic-stream-server-tools", "a tool of the provider's"),
    (
        "anthropic-stream-thinking-omitted",
        "a tool of the provider's",
    ),
];

#[test]
fn a_recorded_request_is_written_as_it_was() {
    let Some(samples) = samples() else {
        return;
    };
    let mut written = 0;
    for (name, sample) in &samples {
        let body = &sample["request"]["body"];
        let taken = sample["response"]["status"] == 200 && body.is_object();
        if !taken || LEFT_OUT.iter().any(|(of, _)| of == name) {
            continue;
        }
        let conversation = conversation(body);
        let url = sample["request"]["url"].as_str().unwrap();
        let (model, form) = match body["model"].as_str() {
            Some(model) => (model, Form::Direct),
            None => (
                url.split('/').nth(4).unwrap(),
                Form::InCloud {
                    version: "bedrock-2023-05-31",
                    stream_in_body: false,
                },
            ),
        };
        let ours = if url.ends_with("/count_tokens") {
            let facts = Families::built_in().of(model);
            let to = Receiver {
                id: ID,
                model,
                facts: &facts,
            };
            let count = encode_count(&conversation, to, form).unwrap();
            serde_json::from_slice(&count.body).unwrap()
        } else {
            encoded(&conversation, model, form).unwrap().0
        };
        assert_eq!(plain(ours), plain(body.clone()), "{name}");
        written += 1;
    }
    eprintln!("{written} requests are written as they were recorded");
    for (name, why) in LEFT_OUT {
        assert!(samples.iter().any(|(of, _)| of == name), "{name}: {why}");
    }
}

/// A request in the one of its spellings that we use.
fn plain(mut body: Value) -> Value {
    let thinks = body["thinking"].is_object();
    let top = body.as_object_mut().unwrap();
    top.shift_remove("stream");
    // We say nothing where it says no more than the default.
    top.retain(|key, value| match &**key {
        "tools" => *value != json!([]),
        "temperature" => !(thinks && *value == json!(1.0)),
        _ => true,
    });
    top.entry("system").and_modify(listed);
    for tool in top
        .get_mut("tools")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let tool = tool.as_object_mut().unwrap();
        tool.retain(|key, value| key != "description" || *value != json!(""));
    }
    for message in body["messages"].as_array_mut().unwrap() {
        listed(&mut message["content"]);
        for block in message["content"].as_array_mut().unwrap() {
            let block = block.as_object_mut().unwrap();
            block.retain(|key, value| key != "is_error" || *value != json!(false));
            block.entry("content").and_modify(listed);
            if block["type"] == "tool_use" {
                continue;
            }
            block.retain(|key, value| key != "content" || *value != json!([]));
        }
    }
    body
}

fn listed(content: &mut Value) {
    if let Value::String(text) = content {
        *content = json!([{"type": "text", "text": text}]);
    }
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn lifetime(holder: &Value) -> Option<Lifetime> {
    let cache = holder["cache_control"].as_object()?;
    Some(cache.get("ttl").map(string))
}

/// What a recorded request means.
fn conversation(body: &Value) -> Conversation {
    let choice = &body["tool_choice"];
    let thinking = &body["thinking"];
    let format = &body["output_config"]["format"];
    let stops = body["stop_sequences"].as_array().into_iter().flatten();
    let tools = body["tools"].as_array().into_iter().flatten();
    Conversation {
        system: parts(&body["system"]),
        turns: body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| Turn {
                role: match message["role"].as_str() {
                    Some("user") => Role::User,
                    Some("assistant") => Role::Assistant,
                    other => panic!("{other:?}"),
                },
                parts: parts(&message["content"]),
            })
            .collect(),
        tools: tools
            .map(|tool| Tool {
                name: string(&tool["name"]),
                description: tool["description"].as_str().map(str::to_owned),
                schema: Some(raw(&tool["input_schema"])),
                strict: tool["strict"].as_bool(),
                cache: lifetime(tool),
            })
            .collect(),
        tool_choice: match choice["type"].as_str() {
            None => None,
            Some("auto") if choice["disable_parallel_tool_use"] == true => None,
            Some("auto") => Some(ToolChoice::Auto),
            Some("any") => Some(ToolChoice::Required),
            Some("none") => Some(ToolChoice::None),
            Some("tool") => Some(ToolChoice::Named(string(&choice["name"]))),
            Some(other) => panic!("{other}"),
        },
        parallel_calls: choice["disable_parallel_tool_use"]
            .as_bool()
            .map(|disabled| !disabled),
        max_tokens: body["max_tokens"].as_u64(),
        temperature: body["temperature"].as_f64(),
        top_k: body["top_k"].as_u64(),
        stop: stops.map(string).collect(),
        format: if format.is_object() {
            Format::JsonSchema {
                name: "answer".into(),
                description: None,
                schema: Some(raw(&format["schema"])),
                strict: None,
            }
        } else {
            Format::Text
        },
        effort: body["output_config"]["effort"]
            .as_str()
            .and_then(Effort::named),
        thinking: match thinking["type"].as_str() {
            None => None,
            Some("adaptive") => Some(Thinking::Adaptive),
            Some("enabled") => thinking["budget_tokens"].as_u64().map(Thinking::Budget),
            Some(other) => panic!("{other}"),
        },
        show_reasoning: thinking["display"] == "summarized",
        ..Conversation::default()
    }
}

fn parts(content: &Value) -> Vec<Part> {
    let mut content = content.clone();
    listed(&mut content);
    let mut parts = Vec::new();
    for block in content.as_array().into_iter().flatten() {
        parts.push(part(block));
        parts.extend(lifetime(block).map(Part::CachePoint));
    }
    parts
}

fn part(block: &Value) -> Part {
    let media = || match block["source"]["type"].as_str() {
        Some("url") => Media::Url(string(&block["source"]["url"])),
        Some("base64") => Media::Inline {
            kind: string(&block["source"]["media_type"]),
            data: string(&block["source"]["data"]),
        },
        other => panic!("{other:?}"),
    };
    match block["type"].as_str() {
        Some("text") => Part::Text(string(&block["text"])),
        Some("image") => Part::Image(media()),
        Some("document") => Part::File {
            name: None,
            media: media(),
        },
        Some("thinking") => Part::Thought(Thought {
            text: string(&block["thinking"]),
            signature: Some(thought::seal(ID, block["signature"].as_str().unwrap())),
            redacted: None,
        }),
        Some("tool_use") => Part::Call(Call {
            id: string(&block["id"]),
            name: string(&block["name"]),
            arguments: block["input"].to_string(),
            whole: true,
            signature: None,
        }),
        Some("tool_result") => Part::Result(CallResult {
            id: string(&block["tool_use_id"]),
            parts: parts(&block["content"]),
            is_error: block["is_error"] == true,
        }),
        other => panic!("{other:?}"),
    }
}
