//! Tools and the choice among them, and the schemas of calls and answers.

use super::{
    CLAUDE, GPT_OSS, LLAMA, MISTRAL, NO_ARGUMENTS, NOVA, called, check, dropped, encoded, hi,
    member, raw, refusal, says, text, tool, user,
};
use crate::chat::{Conversation, Format, Tool, ToolChoice};

#[test]
fn a_tool_choice_is_what_the_model_knows_of_it() {
    use ToolChoice::{Allowed, Auto, Named, None as No, Required};
    let named = || Named("look".into());
    let allowed = |required| Allowed {
        names: vec!["look".into()],
        required,
    };
    let opus = "anthropic.claude-opus-5-5";
    for (model, choice, history, expected, tools, lost) in [
        (CLAUDE, Auto, false, "", 2, ""),
        (CLAUDE, Required, false, r#"{"any":{}}"#, 2, ""),
        (CLAUDE, named(), false, r#"{"tool":{"name":"look"}}"#, 2, ""),
        (CLAUDE, allowed(true), false, r#"{"any":{}}"#, 1, ""),
        (CLAUDE, allowed(false), false, "", 1, ""),
        (CLAUDE, No, false, "", 0, ""),
        (CLAUDE, No, true, "", 0, ""),
        (NOVA, named(), false, r#"{"tool":{"name":"look"}}"#, 2, ""),
        (MISTRAL, named(), false, r#"{"any":{}}"#, 1, ""),
        (LLAMA, named(), false, r#"{"auto":{}}"#, 1, "tool_choice"),
        (LLAMA, Required, false, r#"{"auto":{}}"#, 2, "tool_choice"),
        (opus, Required, false, r#"{"auto":{}}"#, 2, "tool_choice"),
        (opus, named(), false, r#"{"auto":{}}"#, 1, "tool_choice"),
    ] {
        let conversation = Conversation {
            tools: vec![tool("look", NO_ARGUMENTS), tool("wait", NO_ARGUMENTS)],
            tool_choice: Some(choice.clone()),
            ..says(if history {
                called()
            } else {
                vec![user(vec![text("Look")])]
            })
        };
        let found = member(model, &conversation, "/toolConfig/toolChoice");
        assert_eq!(found, expected, "{model} {choice:?}");
        let body: serde_json::Value =
            serde_json::from_slice(&encoded(model, &conversation).body).unwrap();
        let sent = body["toolConfig"]["tools"].as_array().map_or(0, Vec::len);
        assert_eq!(sent, tools, "{model} {choice:?}");
        assert_eq!(dropped(model, &conversation), lost, "{model} {choice:?}");
    }
    let unknown = Conversation {
        tools: vec![tool("look", NO_ARGUMENTS)],
        tool_choice: Some(Named("cook".into())),
        ..hi()
    };
    assert_eq!(refusal(CLAUDE, &unknown), "tool_choice");
    assert_eq!(refusal(MISTRAL, &unknown), "tool_choice");
}

#[test]
fn a_schema_is_sent_as_it_came_and_is_one_of_an_object() {
    for (schema, expected) in [
        ("{}", NO_ARGUMENTS),
        (" { } ", NO_ARGUMENTS),
        (
            r#"{"properties":{"b":{},"a":{}}}"#,
            r#"{"type":"object","properties":{"b":{},"a":{}}}"#,
        ),
        (
            r#"{"b": 1.0, "type": "object"}"#,
            r#"{"b": 1.0, "type": "object"}"#,
        ),
    ] {
        let conversation = Conversation {
            tools: vec![tool("f", schema)],
            ..hi()
        };
        let body = encoded(LLAMA, &conversation).body;
        let body = std::str::from_utf8(&body).unwrap();
        let expected = format!("\"inputSchema\":{{\"json\":{expected}}}");
        assert!(body.contains(&expected), "{body}");
    }
    let conversation = Conversation {
        tools: vec![tool("f", "[]")],
        ..hi()
    };
    assert_eq!(refusal(LLAMA, &conversation), "tools");
}

#[test]
fn the_form_of_the_answer_is_asked_for_by_schema_or_by_word() {
    let schema = r#"{"type":"object","properties":{"a":{"const":"\"b\""}}}"#;
    let conversation = Conversation {
        format: Format::JsonSchema {
            name: "city".into(),
            description: Some("A city".into()),
            schema: Some(raw(schema)),
            strict: Some(true),
        },
        ..hi()
    };
    check(
        "anthropic.claude-sonnet-4-6",
        &conversation,
        r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}],
        "inferenceConfig":{"maxTokens":128000},
        "outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":\"\\\"b\\\"\"}},\"additionalProperties\":false}","name":"city","description":"A city"}}}}}"#,
    );
    let loose = Conversation {
        format: Format::JsonSchema {
            name: "city".into(),
            description: None,
            schema: Some(raw(schema)),
            strict: None,
        },
        ..hi()
    };
    for model in [NOVA, MISTRAL, LLAMA, "us.anthropic.claude-opus-5-v1:0"] {
        assert_eq!(
            refusal(model, &conversation),
            "response_format",
            "a word binds nobody"
        );
        assert_eq!(member(model, &loose, "/outputConfig"), "", "{model}");
        let word = member(model, &loose, "/system/0/text");
        assert_eq!(dropped(model, &loose), "");
        assert!(
            word.contains("single JSON value") && word.contains(r#"\"properties\""#),
            "{word}"
        );
    }
    let any = Conversation {
        format: Format::JsonObject,
        system: vec![text("Be kind.")],
        ..hi()
    };
    assert_eq!(member(CLAUDE, &any, "/outputConfig"), "");
    assert_eq!(member(CLAUDE, &any, "/system/0/text"), "\"Be kind.\"");
    assert!(member(CLAUDE, &any, "/system/1/text").contains("JSON object"));
}

#[test]
fn a_schema_that_binds_claude_has_no_word_that_it_refuses() {
    const SCHEMA: &str =
        r#"{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"required":["a"]}"#;
    const BINDS: &str = r#"{"type":"object","properties":{"a":{"type":"integer","description":"(minimum: 1)"}},"required":["a"],"additionalProperties":false}"#;
    let strict = |strict| Conversation {
        format: Format::JsonSchema {
            name: "n".into(),
            description: None,
            schema: Some(raw(SCHEMA)),
            strict: None,
        },
        tools: vec![Tool {
            strict,
            ..tool("look", SCHEMA)
        }],
        ..hi()
    };
    let of_answer = "/outputConfig/textFormat/structure/jsonSchema/schema";
    let of_tool = "/toolConfig/tools/0/toolSpec/inputSchema/json";
    let as_text = |schema: &str| serde_json::to_string(schema).unwrap();
    for model in [CLAUDE, "anthropic.claude-opus-4-6-v1"] {
        assert_eq!(
            member(model, &strict(Some(true)), of_answer),
            as_text(BINDS)
        );
        assert_eq!(member(model, &strict(Some(true)), of_tool), BINDS);
        // What nobody is bound to says all that it said.
        assert_eq!(member(model, &strict(Some(false)), of_tool), SCHEMA);
        assert_eq!(member(model, &strict(None), of_tool), SCHEMA);
    }
    assert_eq!(
        member(GPT_OSS, &strict(Some(true)), of_answer),
        as_text(SCHEMA)
    );
    assert_eq!(member(GPT_OSS, &strict(Some(true)), of_tool), SCHEMA);
}
