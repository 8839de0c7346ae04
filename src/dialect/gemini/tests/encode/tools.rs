//! Tools and the choice among them.

use serde_json::{Value, json};

use super::{hello, sent, told, tool};
use crate::chat::{Tool, ToolChoice};
use crate::dialect::gemini::{Form, renamed};

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
