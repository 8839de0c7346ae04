//! Tools, the choice among them, and the form of an answer.

use serde_json::{Value, json};

use super::{BEDROCK, ID, MODEL, encoded, hello, raw, request, text, tool};
use crate::chat::{Format, ToolChoice, Unsupported};
use crate::dialect::Receiver;
use crate::dialect::anthropic::{Form, encode};
use crate::facts::Families;

#[test]
fn a_tool_is_told_as_it_was_given() {
    let mut given = tool("look");
    given.description = Some("Looks.".into());
    given.schema = Some(raw(
        r#"{ "type":"object", "properties":{ "z":{}, "a":{"minimum":1.0} } }"#,
    ));
    given.strict = Some(true);
    let mut conversation = hello();
    conversation.tools = vec![given, tool("bare")];
    for (model, form, strict) in [
        (MODEL, Form::Direct, true),
        (MODEL, BEDROCK, false),
        ("claude-sonnet-4-0", Form::Direct, false),
    ] {
        let facts = Families::built_in().of(model);
        let to = Receiver {
            id: ID,
            model,
            facts: &facts,
        };
        let body = encode(&conversation, to, form).unwrap().body;
        let body = std::str::from_utf8(&body).unwrap();
        let expected = if strict {
            r#""tools":[{"name":"look","description":"Looks.","input_schema":{"type":"object","properties":{"z":{},"a":{"description":"(minimum: 1.0)"}},"additionalProperties":false},"strict":true},{"name":"bare","input_schema":{"type":"object","properties":{}}}]"#
        } else {
            r#""tools":[{"name":"look","description":"Looks.","input_schema":{ "type":"object", "properties":{ "z":{}, "a":{"minimum":1.0} } }},{"name":"bare","input_schema":{"type":"object","properties":{}}}]"#
        };
        assert!(body.contains(expected), "{model}: {body}");
    }
}

/// Model, choice, parallel calls; then `tool_choice`, the tools that are left, what is dropped.
type Choice = (
    &'static str,
    Option<ToolChoice>,
    Option<bool>,
    Value,
    &'static str,
    &'static [&'static str],
);

#[test]
fn the_choice_of_a_tool_is_the_models_where_it_cannot_be_forced() {
    let named = || Some(ToolChoice::Named("b".into()));
    let allowed = |required| {
        Some(ToolChoice::Allowed {
            names: vec!["a".into(), "b".into()],
            required,
        })
    };
    let cases: Vec<Choice> = vec![
        (MODEL, None, None, Value::Null, "abc", &[]),
        (MODEL, None, Some(true), Value::Null, "abc", &[]),
        (
            MODEL,
            None,
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
            "abc",
            &[],
        ),
        (
            MODEL,
            Some(ToolChoice::Auto),
            None,
            json!({"type": "auto"}),
            "abc",
            &[],
        ),
        (
            MODEL,
            Some(ToolChoice::None),
            Some(false),
            json!({"type": "none"}),
            "abc",
            &[],
        ),
        (
            MODEL,
            Some(ToolChoice::Required),
            Some(false),
            json!({"type": "any", "disable_parallel_tool_use": true}),
            "abc",
            &[],
        ),
        (
            MODEL,
            named(),
            None,
            json!({"type": "tool", "name": "b"}),
            "abc",
            &[],
        ),
        (
            MODEL,
            allowed(false),
            None,
            json!({"type": "auto"}),
            "ab",
            &[],
        ),
        (
            MODEL,
            allowed(true),
            None,
            json!({"type": "any"}),
            "ab",
            &[],
        ),
        (
            "claude-opus-5-5",
            Some(ToolChoice::Required),
            None,
            json!({"type": "auto"}),
            "abc",
            &["tool_choice"],
        ),
        (
            "claude-opus-5-5",
            named(),
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
            "b",
            &["tool_choice"],
        ),
        (
            "claude-opus-5-5",
            allowed(true),
            None,
            json!({"type": "auto"}),
            "ab",
            &["tool_choice"],
        ),
    ];
    for (model, choice, parallel, expected, left, names) in cases {
        let mut conversation = hello();
        conversation.tools = ["a", "b", "c"].map(tool).into();
        conversation.tool_choice.clone_from(&choice);
        conversation.parallel_calls = parallel;
        let (request, dropped) = encoded(&conversation, model, Form::Direct).unwrap();
        assert_eq!(request["tool_choice"], expected, "{model} {choice:?}");
        let tools = request["tools"].as_array().unwrap().iter();
        let tools: String = tools.map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(tools, left, "{model} {choice:?}");
        assert_eq!(dropped, names, "{model} {choice:?}");
    }
    let mut conversation = hello();
    conversation.tool_choice = named();
    let (_, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(dropped, ["tool_choice"]);
    assert_eq!(
        request(&conversation)["tool_choice"],
        Value::Null,
        "without tools"
    );
    conversation.tools = vec![tool("a")];
    let error = encoded(&conversation, MODEL, Form::Direct).unwrap_err();
    assert_eq!(
        (error.code, &*error.param),
        (Unsupported::INVALID, "tool_choice")
    );
}

#[test]
fn the_form_of_an_answer_is_bound_or_asked_for_in_words() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}"#;
    let form = |schema: Option<&str>, strict| Format::JsonSchema {
        name: "answer".into(),
        description: None,
        schema: schema.map(raw),
        strict,
    };
    let bound = |schema| form(schema, None);
    let mut conversation = hello();
    conversation.system = vec![text("Be terse.")];
    conversation.format = bound(Some(schema));
    let (request, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(
        request["output_config"],
        json!({"format": {"type": "json_schema", "schema": {"type": "object",
            "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}}})
    );
    assert!(dropped.is_empty() && request["system"].as_array().unwrap().len() == 1);
    for (model, format, words) in [
        ("claude-3-haiku", bound(Some(schema)), schema),
        (MODEL, bound(None), "a single JSON object"),
        (MODEL, Format::JsonObject, "a single JSON object"),
    ] {
        conversation.format = format;
        let (request, dropped) = encoded(&conversation, model, Form::Direct).unwrap();
        assert_eq!(request["output_config"], Value::Null);
        assert_eq!(request["system"][0]["text"], "Be terse.");
        assert!(
            request["system"][1]["text"]
                .as_str()
                .unwrap()
                .contains(words)
        );
        assert!(dropped.is_empty());
    }
    conversation.format = form(Some(schema), Some(true));
    let error = encoded(&conversation, "claude-3-haiku", Form::Direct).unwrap_err();
    assert_eq!(error.param, "response_format", "a word binds nobody");
    conversation.format = bound(Some("[]"));
    let error = encoded(&conversation, MODEL, Form::Direct).unwrap_err();
    assert_eq!(error.param, "response_format");
}
