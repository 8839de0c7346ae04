//! Settings as fields, and what each model takes of them.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{OPENAI, OTHERS, facts, hi, tool, written};
use crate::chat::{Conversation, Effort, Format, Thinking, Tool, ToolChoice};
use crate::dialect::Receiver;
use crate::dialect::openai::{Options, write};
use crate::facts::{Facts, Families};

#[test]
fn schemas_keep_their_text() {
    let raw = |text: &str| Some(RawValue::from_string(text.to_owned()).unwrap());
    let conversation = Conversation {
        tools: vec![Tool {
            schema: raw("{ \"z\":1.10, \"a\":[ ] }"),
            description: Some("F".into()),
            strict: Some(true),
            ..tool("f")
        }],
        format: Format::JsonSchema {
            name: "n".into(),
            description: None,
            schema: raw("{ \"b\":1e400 }"),
            strict: Some(true),
        },
        ..hi()
    };
    let facts = facts();
    let to = Receiver {
        id: "openai/gpt",
        model: "gpt",
        facts: &facts,
    };
    let body = write(&conversation, to, OTHERS).unwrap().body;
    let body = std::str::from_utf8(&body).unwrap();
    for part in [
        r#""tools":[{"type":"function","function":{"name":"f","description":"F","parameters":{ "z":1.10, "a":[ ] },"strict":true}}]"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{ "b":1e400 },"strict":true}}"#,
    ] {
        assert!(body.contains(part), "{body}");
    }
}

#[test]
fn each_field_has_its_word() {
    let all = |conversation: Conversation, options: Options| {
        let (mut body, _) = written(&conversation, &facts(), options).unwrap();
        for common in ["model", "messages", "stream"] {
            body.as_object_mut().unwrap().remove(common);
        }
        body
    };
    let asked = || Conversation {
        max_tokens: Some(5),
        temperature: Some(0.5),
        top_p: Some(0.25),
        top_k: Some(3),
        seed: Some(-1),
        presence_penalty: Some(1.0),
        frequency_penalty: Some(-1.0),
        stop: vec!["a".into()],
        effort: Some(Effort::Xhigh),
        user: Some("u".into()),
        parallel_calls: Some(false),
        tool_choice: Some(ToolChoice::Auto),
        format: Format::JsonObject,
        ..hi()
    };
    assert_eq!(
        all(asked(), OPENAI),
        json!({
            "max_completion_tokens": 5, "temperature": 0.5, "top_p": 0.25, "seed": -1, "presence_penalty": 1.0,
            "frequency_penalty": -1.0, "stop": ["a"], "reasoning_effort": "xhigh", "safety_identifier": "u",
            "response_format": { "type": "json_object" }, "stream_options": { "include_usage": true },
        })
    );
    let others = all(asked(), OTHERS);
    assert_eq!(
        (&others["max_tokens"], &others["user"]),
        (&json!(5), &json!("u"))
    );
    assert!(
        others.get("stream_options").is_none() && others.get("max_completion_tokens").is_none()
    );
}

#[test]
fn a_choice_of_tools_is_one_that_every_server_knows() {
    let named = json!({ "type": "function", "function": { "name": "g" } });
    let allowed = |required| ToolChoice::Allowed {
        names: vec!["g".into()],
        required,
    };
    for (choice, forced, expected, names) in [
        (ToolChoice::Auto, true, json!("auto"), 2),
        (ToolChoice::None, true, json!("none"), 2),
        (ToolChoice::Required, true, json!("required"), 2),
        (ToolChoice::Named("g".into()), true, named, 2),
        (allowed(false), true, json!("auto"), 1),
        (allowed(true), true, json!("required"), 1),
        (ToolChoice::Required, false, json!("auto"), 2),
        (ToolChoice::Named("g".into()), false, json!("auto"), 1),
    ] {
        let conversation = Conversation {
            tools: vec![tool("f"), tool("g")],
            tool_choice: Some(choice),
            parallel_calls: Some(false),
            ..hi()
        };
        let facts = Facts {
            forced_tools: forced,
            ..facts()
        };
        let (body, dropped) = written(&conversation, &facts, OTHERS).unwrap();
        assert_eq!(body["tool_choice"], expected);
        assert_eq!(body["tools"].as_array().unwrap().len(), names);
        assert_eq!(body["parallel_tool_calls"], false);
        assert_eq!(dropped.is_empty(), forced);
    }
}

#[test]
fn openais_own_models_are_sent_what_each_takes() {
    let asks = |effort, thinking| Conversation {
        temperature: Some(0.3),
        stop: vec!["X".into()],
        effort,
        thinking,
        ..hi()
    };
    let thinking = || Some(Thinking::Budget(10_000));
    for (model, effort, thinking, sent, names) in [
        (
            "gpt-5-mini",
            None,
            None,
            json!({}),
            &["temperature", "stop"][..],
        ),
        (
            "gpt-5-mini",
            None,
            thinking(),
            json!({"reasoning_effort": "medium"}),
            &["temperature", "stop"],
        ),
        (
            "o4-mini",
            Some(Effort::None),
            None,
            json!({"reasoning_effort": "low"}),
            &["temperature", "stop"],
        ),
        // These think only if they are told to, or not if they are told not to.
        (
            "gpt-5.1",
            None,
            None,
            json!({"temperature": 0.3}),
            &["stop"],
        ),
        (
            "gpt-5.1",
            Some(Effort::Low),
            None,
            json!({"reasoning_effort": "low"}),
            &["temperature", "stop"],
        ),
        (
            "gpt-5.6-sol",
            None,
            None,
            json!({}),
            &["temperature", "stop"],
        ),
        (
            "gpt-5.6-sol",
            Some(Effort::None),
            None,
            json!({"reasoning_effort": "none", "temperature": 0.3}),
            &["stop"],
        ),
        (
            "gpt-4o",
            None,
            thinking(),
            json!({"temperature": 0.3, "stop": ["X"]}),
            &["thinking"],
        ),
        (
            "gpt-4o",
            Some(Effort::None),
            None,
            json!({"temperature": 0.3, "stop": ["X"]}),
            &[],
        ),
        // Of which nothing is known.
        (
            "gpt-7",
            Some(Effort::Low),
            None,
            json!({"reasoning_effort": "low", "temperature": 0.3, "stop": ["X"]}),
            &[],
        ),
    ] {
        let facts = Families::built_in().of(model);
        let (body, mut dropped) = written(&asks(effort, thinking), &facts, OPENAI).unwrap();
        let told = ["reasoning_effort", "temperature", "stop"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), body.get(name)?.clone())));
        assert_eq!(Value::Object(told.collect()), sent, "{model} {effort:?}");
        let mut names: Vec<&str> = names.to_vec();
        names.sort_unstable();
        dropped.sort();
        assert_eq!(dropped.as_slice(), names, "{model} {effort:?}");
    }
    // What it has anyway is no loss.
    let usual = Conversation {
        temperature: Some(1.0),
        top_p: Some(1.0),
        ..hi()
    };
    let facts = Families::built_in().of("gpt-5-mini");
    let (body, dropped) = written(&usual, &facts, OPENAI).unwrap();
    assert!(body.get("temperature").is_none() && body.get("top_p").is_none());
    assert!(dropped.is_empty(), "{dropped:?}");
}
