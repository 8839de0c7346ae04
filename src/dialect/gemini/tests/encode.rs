//! A conversation into a request.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::given::{US, at, call, hello, image, raw, result, said, sent, text, told, tool, turn};
use crate::chat::{Conversation, Effort, Format, Part, Role, Thinking, Tool, ToolChoice};
use crate::dialect::Receiver;
use crate::dialect::gemini::count::{encode_count, read_count};
use crate::dialect::gemini::{Form, renamed};
use crate::facts::{Facts, Families, Sampling};

#[test]
fn the_smallest_request_has_contents_alone() {
    let encoded = told(&hello(), "gemini-3.5-flash", Form::AiStudio, |_| ()).unwrap();
    assert_eq!(
        encoded.body,
        r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#
    );
    assert!(encoded.dropped.is_empty());
}

#[test]
fn instructions_stand_apart_and_never_empty() {
    let system = |parts: &[Part]| {
        let mut conversation = hello();
        conversation.system = parts.to_vec();
        sent(&conversation, "gemini-3.5-flash")["systemInstruction"].take()
    };
    assert_eq!(
        system(&[text("a"), Part::CachePoint(None), text("b")]),
        json!({"parts": [{"text": "a"}, {"text": "b"}]})
    );
    let billing = text("x-anthropic-billing-header: cc_version=2; cch=00000;");
    assert_eq!(
        system(&[billing.clone(), text("a")]),
        json!({"parts": [{"text": "a"}]})
    );
    assert_eq!(system(&[billing]), Value::Null);
}

#[test]
fn tools_are_one_element_with_their_schemas() {
    let mut conversation = hello();
    conversation.tools = vec![
        Tool {
            description: Some("does".into()),
            ..tool(
                "f",
                Some(r#"{"type":"object","properties":{"b":{"const":1}, "a":{}}}"#),
            )
        },
        tool("g", Some("{}")),
        tool("7up", None),
    ];
    let encoded = told(&conversation, "gemini-3.5-flash", Form::AiStudio, |_| ()).unwrap();
    let renamed = renamed(&conversation);
    let [(ours, theirs)] = renamed.as_slice() else {
        panic!("one is renamed: {renamed:?}");
    };
    assert_eq!(ours, "7up");
    assert_eq!(
        std::str::from_utf8(&encoded.body).unwrap(),
        format!(
            r#"{{"contents":[{{"role":"user","parts":[{{"text":"hi"}}]}}],"tools":[{{"functionDeclarations":[{{"name":"f","description":"does","parametersJsonSchema":{{"type":"object","properties":{{"b":{{"enum":[1]}},"a":{{}}}}}}}},{{"name":"g"}},{{"name":"{theirs}"}}]}}]}}"#
        )
    );
    let without = told(&conversation, "gemini-3.5-flash", Form::AiStudio, |facts| {
        facts.tools = false;
    });
    assert_eq!(without.unwrap_err().param, "tools");
}

#[test]
fn every_tool_choice_has_its_mode() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
    let table = [
        (None, Value::Null, 2),
        (Some(ToolChoice::Auto), json!({"mode": "AUTO"}), 2),
        (Some(ToolChoice::None), json!({"mode": "NONE"}), 2),
        (Some(ToolChoice::Required), json!({"mode": "ANY"}), 2),
        (
            Some(ToolChoice::Named("g".into())),
            json!({"mode": "ANY", "allowedFunctionNames": ["g"]}),
            2,
        ),
        (
            Some(ToolChoice::Allowed {
                names: names(&["f", "g"]),
                required: true,
            }),
            json!({"mode": "ANY"}),
            2,
        ),
        (
            Some(ToolChoice::Allowed {
                names: names(&["g"]),
                required: true,
            }),
            json!({"mode": "ANY", "allowedFunctionNames": ["g"]}),
            2,
        ),
        (
            Some(ToolChoice::Allowed {
                names: names(&["g"]),
                required: false,
            }),
            json!({"mode": "AUTO"}),
            1,
        ),
    ];
    for (choice, config, tools) in table {
        let mut conversation = hello();
        conversation.tools = vec![tool("f", None), tool("g", None)];
        conversation.tool_choice = choice.clone();
        let sent = sent(&conversation, "gemini-3.5-flash");
        assert_eq!(
            sent["toolConfig"]["functionCallingConfig"], config,
            "{choice:?}"
        );
        let declared = sent["tools"][0]["functionDeclarations"].as_array();
        assert_eq!(declared.unwrap().len(), tools, "{choice:?}");
    }
    let mut conversation = hello();
    conversation.tools = vec![tool("f", None), tool("g", None)];
    conversation.tool_choice = Some(ToolChoice::Named("g".into()));
    let unforced = told(&conversation, "gemini-3.5-flash", Form::AiStudio, |facts| {
        facts.forced_tools = false;
    });
    let unforced = unforced.unwrap();
    assert_eq!(unforced.dropped.as_slice(), ["tool_choice"]);
    let body: Value = serde_json::from_slice(&unforced.body).unwrap();
    let declared = &body["tools"][0]["functionDeclarations"];
    assert_eq!(declared, &json!([{"name": "g"}]));
    let mut conversation = hello();
    conversation.tool_choice = Some(ToolChoice::Required);
    let encoded = told(&conversation, "gemini-3.5-flash", Form::AiStudio, |_| ()).unwrap();
    assert_eq!(encoded.dropped.as_slice(), ["tool_choice"]);
}

/// A change to a conversation, and what it makes of `generationConfig` at a model.
type Row = (&'static str, fn(&mut Conversation), Value);

fn check(rows: Vec<Row>) {
    for (at, (model, change, config)) in rows.into_iter().enumerate() {
        let mut conversation = hello();
        change(&mut conversation);
        let sent = sent(&conversation, model);
        assert_eq!(sent["generationConfig"], config, "row {at}: {model}");
    }
}

#[test]
fn every_setting_has_its_place() {
    check(vec![
        ("gemini-3.5-flash", |_| (), Value::Null),
        (
            "gemini-2.5-flash",
            |c| {
                c.temperature = Some(0.5);
                c.top_p = Some(0.9);
                c.top_k = Some(40);
                c.max_tokens = Some(100);
                c.presence_penalty = Some(0.1);
                c.frequency_penalty = Some(-0.1);
                c.seed = Some(-7);
                c.stop = vec!["a".into(), String::new(), " ".into()];
            },
            json!({
                "temperature": 0.5, "topP": 0.9, "topK": 40, "maxOutputTokens": 100,
                "presencePenalty": 0.1, "frequencyPenalty": -0.1, "seed": -7, "stopSequences": ["a", " "]
            }),
        ),
        (
            "gemini-4-argon",
            |c| c.presence_penalty = Some(0.1),
            Value::Null,
        ),
        // More than a model can is all it can.
        (
            "gemini-2.0-flash",
            |c| c.max_tokens = Some(64_000),
            json!({"maxOutputTokens": 8192}),
        ),
        (
            "gemini-2.5-flash",
            |c| c.seed = Some(0x1_2345_6789),
            json!({"seed": 0x2345_6789}),
        ),
        (
            "gemini-2.5-flash",
            |c| c.format = Format::JsonObject,
            json!({"responseMimeType": "application/json"}),
        ),
        (
            "gemini-2.5-flash",
            |c| {
                c.format = Format::JsonSchema {
                    name: "n".into(),
                    description: Some("d".into()),
                    schema: Some(raw(r#"{"$schema":"x","type":"object"}"#)),
                    strict: Some(true),
                };
            },
            json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}),
        ),
    ]);
}

#[test]
fn every_effort_has_its_level_or_budget() {
    let level =
        |level: &str| json!({"thinkingConfig": {"thinkingLevel": level, "includeThoughts": true}});
    let budget = |budget: u64| json!({"thinkingConfig": {"thinkingBudget": budget, "includeThoughts": true}});
    let quiet = |config: Value| json!({"thinkingConfig": config});
    check(vec![
        (
            "gemini-3.5-flash",
            |c| c.effort = Some(Effort::None),
            quiet(json!({"thinkingLevel": "MINIMAL"})),
        ),
        (
            "gemini-4-argon",
            |c| c.effort = Some(Effort::None),
            quiet(json!({"thinkingLevel": "LOW"})),
        ),
        (
            "gemini-3.5-flash",
            |c| c.effort = Some(Effort::Minimal),
            level("MINIMAL"),
        ),
        (
            "gemini-3.8-flash",
            |c| c.effort = Some(Effort::Minimal),
            level("LOW"),
        ),
        (
            "gemini-3-pro-preview",
            |c| c.effort = Some(Effort::Medium),
            level("HIGH"),
        ),
        (
            "gemini-3.1-pro-preview",
            |c| c.effort = Some(Effort::Medium),
            level("MEDIUM"),
        ),
        (
            "gemini-3.5-flash",
            |c| c.effort = Some(Effort::Max),
            level("HIGH"),
        ),
        (
            "gemini-4-argon",
            |c| c.effort = Some(Effort::Max),
            level("XHIGH"),
        ),
        (
            "gemini-4-argon",
            |c| c.thinking = Some(Thinking::Budget(4000)),
            level("LOW"),
        ),
        (
            "gemini-4-argon",
            |c| c.thinking = Some(Thinking::Budget(10_000)),
            level("MEDIUM"),
        ),
        (
            "gemini-4-argon",
            |c| c.thinking = Some(Thinking::Budget(32_000)),
            level("HIGH"),
        ),
        (
            "gemini-4-argon",
            |c| c.thinking = Some(Thinking::Disabled),
            quiet(json!({"thinkingLevel": "LOW"})),
        ),
        (
            "gemini-4-argon",
            |c| c.thinking = Some(Thinking::Adaptive),
            quiet(json!({"includeThoughts": true})),
        ),
        (
            "gemini-4-argon",
            |c| c.show_reasoning = true,
            quiet(json!({"includeThoughts": true})),
        ),
        (
            "gemini-2.5-flash",
            |c| c.effort = Some(Effort::None),
            quiet(json!({"thinkingBudget": 0})),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::None),
            quiet(json!({"thinkingBudget": 128})),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::Minimal),
            budget(1024),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::Low),
            budget(2048),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::Medium),
            budget(8192),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::High),
            budget(16_384),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::Xhigh),
            budget(32_768),
        ),
        (
            "gemini-2.5-flash",
            |c| c.effort = Some(Effort::Max),
            budget(24_576),
        ),
        (
            "gemini-2.5-flash",
            |c| c.thinking = Some(Thinking::Budget(31_999)),
            budget(24_576),
        ),
        (
            "gemini-2.5-pro",
            |c| c.thinking = Some(Thinking::Budget(1)),
            budget(128),
        ),
        // What does not think is not told to, nor to show it.
        (
            "gemini-2.0-flash",
            |c| (c.effort, c.show_reasoning) = (Some(Effort::High), true),
            Value::Null,
        ),
        (
            "gemini-2.0-flash",
            |c| c.thinking = Some(Thinking::Disabled),
            Value::Null,
        ),
    ]);
}

#[test]
fn what_is_not_told_is_named() {
    use Form::{AiStudio, Vertex};
    type Case = (
        &'static str,
        Form,
        fn(&mut Conversation),
        fn(&mut Facts),
        &'static str,
    );
    let dropped = |model, form, change: fn(&mut Conversation), facts: fn(&mut Facts)| {
        let mut conversation = hello();
        change(&mut conversation);
        let encoded = told(&conversation, model, form, facts).unwrap();
        let dropped = encoded.dropped.iter().map(Cow::as_ref);
        dropped.collect::<Vec<_>>().join(" ")
    };
    let table: &[Case] = &[
        (
            "gemini-4-argon",
            AiStudio,
            |c| {
                c.asked = vec!["seed".into(), "user".into(), "parallel_tool_calls".into()];
                (c.presence_penalty, c.frequency_penalty) = (Some(1.0), Some(1.0));
            },
            |_| (),
            "user parallel_tool_calls presence_penalty frequency_penalty",
        ),
        (
            "gemini-2.0-flash",
            AiStudio,
            |c| c.effort = Some(Effort::Low),
            |_| (),
            "reasoning_effort",
        ),
        (
            "gemini-2.0-flash",
            AiStudio,
            |c| c.effort = Some(Effort::None),
            |_| (),
            "",
        ),
        (
            "gemini-2.0-flash",
            AiStudio,
            |c| c.thinking = Some(Thinking::Adaptive),
            |_| (),
            "thinking",
        ),
        (
            "gemini-3.5-flash",
            AiStudio,
            |c| c.service_tier = Some("scale".into()),
            |_| (),
            "service_tier",
        ),
        (
            "gemini-3.5-flash",
            AiStudio,
            |c| c.service_tier = Some("flex".into()),
            |_| (),
            "",
        ),
        (
            "gemini-3.5-flash",
            Vertex,
            |c| c.service_tier = Some("flex".into()),
            |_| (),
            "service_tier",
        ),
        (
            "gemini-3.5-flash",
            Vertex,
            |c| c.service_tier = Some("auto".into()),
            |_| (),
            "",
        ),
        (
            "gemini-3.5-flash",
            AiStudio,
            |c| {
                (c.temperature, c.top_p, c.top_k) = (Some(1.0), Some(1.0), Some(1));
            },
            |f| f.sampling = Sampling::None,
            "temperature top_p top_k",
        ),
        (
            "gemini-3.5-flash",
            AiStudio,
            |c| {
                (c.temperature, c.top_p, c.top_k) = (Some(1.0), Some(1.0), Some(1));
            },
            |f| f.sampling = Sampling::OneOf,
            "top_p",
        ),
        (
            "gemini-3.5-flash",
            AiStudio,
            |c| {
                c.tools = vec![tool("f", None)];
                c.tool_choice = Some(ToolChoice::Required);
            },
            |f| f.forced_tools = false,
            "tool_choice",
        ),
        (
            "gemini-2.5-flash",
            AiStudio,
            |c| {
                c.stop = vec!["a".into(), String::new()];
                c.seed = Some(0x1_2345_6789);
                c.max_tokens = Some(1_000_000);
                c.thinking = Some(Thinking::Budget(100_000));
            },
            |_| (),
            "stop seed max_tokens thinking",
        ),
        (
            "gemini-2.5-flash",
            AiStudio,
            |c| {
                c.stop = vec!["a".into()];
                c.seed = Some(-7);
                c.max_tokens = Some(1000);
                c.thinking = Some(Thinking::Budget(1000));
            },
            |_| (),
            "",
        ),
    ];
    for (model, form, change, facts, names) in table {
        assert_eq!(dropped(model, *form, *change, *facts), *names, "{model}");
    }
}

#[test]
fn what_would_change_the_answer_is_refused() {
    let schema = Format::JsonSchema {
        name: "n".into(),
        description: None,
        schema: None,
        strict: None,
    };
    let with = |change: &dyn Fn(&mut Conversation), model, facts: fn(&mut Facts)| {
        let mut conversation = hello();
        change(&mut conversation);
        told(&conversation, model, Form::AiStudio, facts).map_err(|refused| refused.param)
    };
    let json_with_tools = |c: &mut Conversation| {
        c.format = Format::JsonObject;
        c.tools = vec![tool("f", None)];
    };
    assert_eq!(
        with(&json_with_tools, "gemini-2.5-pro", |_| ()).unwrap_err(),
        "response_format"
    );
    assert!(with(&json_with_tools, "gemini-3.5-flash", |_| ()).is_ok());
    let schema = |c: &mut Conversation| c.format = schema.clone();
    let refused = with(&schema, "gemini-3.5-flash", |facts| {
        facts.json_schema = false;
    });
    assert_eq!(refused.unwrap_err(), "response_format");
    let stops = |c: &mut Conversation| c.stop = vec!["x".into(); 6];
    assert_eq!(
        with(&stops, "gemini-3.5-flash", |_| ()).unwrap_err(),
        "stop"
    );
    let asked = |c: &mut Conversation| c.asked = vec!["logprobs".into()];
    assert_eq!(
        with(&asked, "gemini-3.5-flash", |_| ()).unwrap_err(),
        "logprobs"
    );
    let prefilled = |c: &mut Conversation| c.turns.push(turn(Role::Assistant, &[text("So")]));
    assert_eq!(
        with(&prefilled, "gemini-4-argon", |_| ()).unwrap_err(),
        "messages"
    );
    assert!(with(&prefilled, "gemini-2.5-pro", |_| ()).is_ok());
}

#[test]
fn a_tier_is_told_where_it_is_known() {
    for (asked, tier) in [
        ("auto", Value::Null),
        ("default", json!("standard")),
        ("standard_only", json!("standard")),
        ("flex", json!("flex")),
        ("priority", json!("priority")),
    ] {
        let mut conversation = hello();
        conversation.service_tier = Some(asked.into());
        assert_eq!(
            sent(&conversation, "gemini-3.5-flash")["serviceTier"],
            tier,
            "{asked}"
        );
    }
}

#[test]
fn a_count_is_asked_for_and_read() {
    let mut conversation = hello();
    conversation.system = vec![text("s")];
    conversation.tools = vec![tool("f", None)];
    conversation.max_tokens = Some(1);
    let facts = Families::built_in().of("gemini-4-argon");
    for (model, form, expected) in [
        (
            "gemini-3.5-flash",
            Form::AiStudio,
            r#"{"generateContentRequest":{"model":"models/gemini-3.5-flash","systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]}}"#,
        ),
        (
            "gemini-3.5-flash",
            Form::Vertex,
            r#"{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]}"#,
        ),
    ] {
        let to = Receiver {
            id: US,
            model,
            facts: &facts,
        };
        let encoded = encode_count(&conversation, to, form).unwrap();
        assert_eq!(encoded.body, expected);
    }
    // What cannot be gone on from can still be counted.
    conversation
        .turns
        .push(turn(Role::Assistant, &[text("So")]));
    let to = Receiver {
        id: US,
        model: "gemini-4-argon",
        facts: &facts,
    };
    assert!(encode_count(&conversation, to, Form::Vertex).is_ok());
    assert_eq!(read_count(br#"{"totalTokens": 61}"#).unwrap(), 61);
    assert!(read_count(b"{}").is_err());
}

/// A request with everything in it that is ever written.
pub(super) fn everything() -> Value {
    use Role::{Assistant as A, User as U};
    let mut conversation = said(&[
        (U, &[text("hi"), image(), at("gs://bucket/a.png")]),
        (A, &[call("x1", "f", "{}", None)]),
        (U, &[result("x1", &[text("a"), image()], false)]),
    ]);
    conversation.system = vec![text("s")];
    conversation.tools = vec![Tool {
        description: Some("d".into()),
        ..tool("f", Some(r#"{"type":"object"}"#))
    }];
    conversation.tool_choice = Some(ToolChoice::Named("f".into()));
    conversation.format = Format::JsonSchema {
        name: "n".into(),
        description: None,
        schema: Some(raw(r#"{"type":"object"}"#)),
        strict: None,
    };
    conversation.max_tokens = Some(1);
    conversation.temperature = Some(1.0);
    conversation.top_p = Some(1.0);
    conversation.top_k = Some(1);
    conversation.seed = Some(1);
    conversation.presence_penalty = Some(1.0);
    conversation.frequency_penalty = Some(1.0);
    conversation.stop = vec!["x".into()];
    conversation.effort = Some(Effort::Low);
    conversation.service_tier = Some("flex".into());
    sent(&conversation, "gemini-3.5-flash")
}
