//! Recorded requests, read back as conversations and asked again.

use serde_json::{Value, json};

use super::samples;
use crate::chat::{
    Call, CallResult, Conversation, Effort, Format, Media, Part, Role, Thinking, Thought, Tool,
    ToolChoice, Turn, thought,
};
use crate::dialect::Receiver;
use crate::dialect::bedrock::{encode, encode_count};
use crate::facts::Families;

/// Requests that no conversation of ours says, and why.
const OTHER_REQUESTS: &[(&str, &str)] = &[
    (
        "bedrock-guardrail",
        "guardrails are the operator's, and two turns of one role",
    ),
    ("bedrock-stream-guardrail", "the same"),
    (
        "bedrock-stream-citations",
        "a document as text, with citations",
    ),
    ("bedrock-stream-code-interp", "a tool of the provider's own"),
    (
        "bedrock-stream-thinking-haiku",
        "an older spelling of Claude's thinking",
    ),
];

#[test]
fn every_recorded_request_is_what_we_would_ask() {
    let Some(samples) = samples() else { return };
    let (mut written, mut left) = (0, 0);
    for (name, sample) in &samples {
        let request = &sample["request"];
        let url = request["url"].as_str().unwrap_or_default();
        let Some((_, rest)) = url.split_once("/model/") else {
            continue;
        };
        let (model, ask) = rest.rsplit_once('/').unwrap();
        if ask.starts_with("invoke") {
            continue;
        }
        if OTHER_REQUESTS.iter().any(|(own, _)| own == name) {
            left += 1;
            continue;
        }
        let model = model.replace("%3A", ":").replace("%2F", "/");
        let facts = Families::default().of(&model);
        let to = Receiver {
            id: "bedrock/m",
            model: &model,
            facts: &facts,
        };
        let counts = ask == "count-tokens";
        let body = if counts {
            &request["body"]["input"]["converse"]
        } else {
            &request["body"]
        };
        let conversation = conversation(body);
        let ours = if counts {
            encode_count(&conversation, to)
        } else {
            encode(&conversation, to)
        };
        let ours = ours.unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        assert!(ours.dropped.is_empty(), "{name}: {:?}", ours.dropped);
        let mut ours: Value = serde_json::from_slice(&ours.body).unwrap();
        if counts {
            ours = ours["input"]["converse"].take();
        }
        let mut recorded = body.clone();
        tidy(&mut recorded);
        if recorded.pointer("/inferenceConfig/maxTokens").is_none()
            && let Some(config) = ours.get_mut("inferenceConfig")
        {
            // Claude is told how long it may answer.
            config.as_object_mut().unwrap().remove("maxTokens");
        }
        tidy(&mut ours);
        assert_eq!(ours, recorded, "{name}");
        written += 1;
    }
    eprintln!("{written} requests, {left} left out");
    assert!(written >= 34, "{written} requests");
    assert_eq!(left, OTHER_REQUESTS.len());
}

/// Takes out what says nothing: empty objects and lists at the top, `auto`, `success`.
fn tidy(request: &mut Value) {
    let top = request.as_object_mut().unwrap();
    if let Some(config) = top.get_mut("toolConfig")
        && config["toolChoice"] == json!({"auto": {}})
    {
        config.as_object_mut().unwrap().remove("toolChoice");
    }
    top.retain(|_, value| *value != json!({}) && *value != json!([]));
    for message in top["messages"].as_array_mut().unwrap() {
        for block in message["content"].as_array_mut().unwrap() {
            if let Some(result) = block.get_mut("toolResult")
                && result["status"] == "success"
            {
                result.as_object_mut().unwrap().remove("status");
            }
        }
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn raw(value: &Value) -> Option<Box<serde_json::value::RawValue>> {
    serde_json::value::RawValue::from_string(value.to_string()).ok()
}

/// What a recorded request means: the way back, for these requests alone.
fn conversation(body: &Value) -> Conversation {
    let list = |path: &str| {
        let found = body.pointer(path).and_then(Value::as_array);
        found.cloned().unwrap_or_default()
    };
    let inference = &body["inferenceConfig"];
    let thinking = &body["additionalModelRequestFields"]["thinking"];
    let effort = &body["additionalModelRequestFields"]["reasoningConfig"]["maxReasoningEffort"];
    let format = &body["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
    let stops = inference["stopSequences"].as_array();
    Conversation {
        system: list("/system").iter().filter_map(part).collect(),
        turns: list("/messages")
            .iter()
            .map(|message| Turn {
                role: if message["role"] == "user" {
                    Role::User
                } else {
                    Role::Assistant
                },
                parts: message["content"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(part)
                    .collect(),
            })
            .collect(),
        tools: list("/toolConfig/tools").iter().map(tool).collect(),
        tool_choice: match &body["toolConfig"]["toolChoice"] {
            choice if choice["any"].is_object() => Some(ToolChoice::Required),
            choice if choice["auto"].is_object() => Some(ToolChoice::Auto),
            _ => None,
        },
        max_tokens: inference["maxTokens"].as_u64(),
        temperature: inference["temperature"].as_f64(),
        stop: stops.into_iter().flatten().filter_map(string).collect(),
        format: if format.is_object() {
            Format::JsonSchema {
                name: string(&format["name"]).unwrap(),
                description: string(&format["description"]),
                schema: serde_json::value::RawValue::from_string(
                    string(&format["schema"]).unwrap(),
                )
                .ok(),
                strict: None,
            }
        } else {
            Format::Text
        },
        effort: effort.as_str().and_then(Effort::named),
        thinking: match thinking["type"].as_str() {
            Some("enabled") => thinking["budget_tokens"].as_u64().map(Thinking::Budget),
            Some("adaptive") => Some(Thinking::Adaptive),
            _ => None,
        },
        service_tier: string(&body["serviceTier"]["type"]),
        ..Conversation::default()
    }
}

fn tool(tool: &Value) -> Tool {
    let spec = &tool["toolSpec"];
    Tool {
        name: string(&spec["name"]).unwrap(),
        description: string(&spec["description"]),
        schema: raw(&spec["inputSchema"]["json"]),
        strict: spec["strict"].as_bool(),
        cache: None,
    }
}

fn part(block: &Value) -> Option<Part> {
    let (kind, value) = block.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "text" => Part::Text(string(value)?),
        "cachePoint" => Part::CachePoint(string(&value["ttl"])),
        "image" => Part::Image(Media::Inline {
            kind: format!("image/{}", value["format"].as_str()?),
            data: string(&value["source"]["bytes"])?,
        }),
        "toolUse" => Part::Call(Call {
            id: string(&value["toolUseId"])?,
            name: string(&value["name"])?,
            arguments: value["input"].to_string(),
            whole: true,
            signature: None,
        }),
        "toolResult" => Part::Result(CallResult {
            id: string(&value["toolUseId"])?,
            parts: value["content"]
                .as_array()?
                .iter()
                .filter_map(part)
                .collect(),
            is_error: value["status"] == "error",
        }),
        "reasoningContent" => {
            let shown = &value["reasoningText"];
            Part::Thought(Thought {
                text: string(&shown["text"])?,
                signature: Some(thought::seal("bedrock/m", shown["signature"].as_str()?)),
                redacted: None,
            })
        }
        other => panic!("{other} is not read"),
    })
}
