//! What a model has thought before, and when it sees that again.

use serde_json::{Value, json};

use super::{
    ADAPTIVE, BETWEEN, ID, MANUAL, NEWEST, UNASKED, assistant, encoded, plan, said, text, tool,
    user,
};
use crate::chat::{Call, CallResult, Conversation, Effort, Part, Thought, ToolChoice, thought};
use crate::dialect::anthropic::Form;

/// Thinking, a call, and its result.
fn after_a_call(thoughts: Vec<Thought>) -> Conversation {
    let call = Part::Call(Call {
        id: "a".into(),
        name: "look".into(),
        arguments: "{}".into(),
        whole: true,
        signature: None,
    });
    let result = Part::Result(CallResult {
        id: "a".into(),
        parts: vec![text("seen")],
        is_error: false,
    });
    let thoughts = thoughts.into_iter().map(Part::Thought);
    let parts: Vec<Part> = thoughts.chain([text("I look."), call]).collect();
    let mut conversation = said(vec![
        user(&[text("Hi")]),
        assistant(&parts),
        user(&[result]),
    ]);
    conversation.tools = vec![tool()];
    conversation.effort = Some(Effort::Low);
    conversation
}

fn signed(signature: &str) -> Thought {
    Thought {
        text: String::new(),
        signature: Some(signature.into()),
        redacted: None,
    }
}

#[test]
fn what_the_model_thought_is_shown_to_it_again_and_to_no_other() {
    let (ours, theirs) = (thought::seal(ID, "s=="), thought::seal("gemini/m", "g"));
    let redacted = Thought {
        redacted: Some(thought::seal(ID, "r")),
        ..Thought::default()
    };
    let conversation = after_a_call(vec![
        signed(&theirs),
        signed(&ours),
        redacted,
        signed("bare"),
        Thought {
            text: "unsigned".into(),
            ..Thought::default()
        },
    ]);
    for model in [MANUAL, ADAPTIVE, NEWEST] {
        let (request, dropped) = encoded(&conversation, model, Form::Direct).unwrap();
        assert_eq!(
            request["messages"][1]["content"],
            json!([
                {"type": "thinking", "thinking": "", "signature": "s=="},
                {"type": "redacted_thinking", "data": "r"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "a", "name": "look", "input": {}},
            ])
        );
        assert!(dropped.is_empty());
        assert_eq!(request["thinking"].is_null(), model == NEWEST);
    }
}

#[test]
fn thoughts_are_left_out_where_the_model_does_not_think() {
    let mut conversation = after_a_call(vec![signed(&thought::seal(ID, "s"))]);
    conversation.effort = Some(Effort::None);
    for (model, first) in [
        (MANUAL, "text"),
        (ADAPTIVE, "text"),
        (UNASKED, "text"),
        (BETWEEN, "thinking"),
        (NEWEST, "thinking"),
        ("claude-3-haiku", "text"),
    ] {
        let (request, _) = encoded(&conversation, model, Form::Direct).unwrap();
        let content = &request["messages"][1]["content"];
        assert_eq!(content[0]["type"], first, "{model}");
    }
}

#[test]
fn without_its_thinking_a_model_that_must_begin_with_it_goes_on_without() {
    let lost = after_a_call(vec![signed("bare")]);
    let names = vec!["reasoning_effort".to_owned()];
    assert_eq!(
        plan(&lost, MANUAL),
        (Value::Null, Value::Null, names.clone())
    );
    let (thinking, _, dropped) = plan(&lost, ADAPTIVE);
    assert_eq!((thinking, dropped), (json!({"type": "adaptive"}), vec![]));

    // What came before the last question is of no account; what the assistant already says is.
    let mut asked = after_a_call(vec![]);
    asked.turns.push(assistant(&[text("Seen.")]));
    asked.turns.push(user(&[text("And?")]));
    let (thinking, _, dropped) = plan(&asked, MANUAL);
    assert_eq!(
        (thinking["type"].as_str(), dropped),
        (Some("enabled"), vec![])
    );
    asked.turns.push(assistant(&[text("It is ")]));
    assert_eq!(plan(&asked, MANUAL), (Value::Null, Value::Null, names));
}

#[test]
fn signatures_are_left_out_where_the_tools_before_them_are_others() {
    let mut conversation = after_a_call(vec![signed(&thought::seal(ID, "s"))]);
    let mut other = tool();
    other.name = "other".into();
    conversation.tools.push(other);
    conversation.tool_choice = Some(ToolChoice::Named("look".into()));
    for (model, first, tools) in [(NEWEST, "text", 1), (UNASKED, "thinking", 2)] {
        let (request, _) = encoded(&conversation, model, Form::Direct).unwrap();
        assert_eq!(request["messages"][1]["content"][0]["type"], first);
        assert_eq!(request["tools"].as_array().unwrap().len(), tools);
    }
}

#[test]
fn an_assistants_message_of_foreign_thoughts_alone_is_none() {
    let conversation = said(vec![
        user(&[text("Hi")]),
        assistant(&[Part::Thought(signed("bare"))]),
        user(&[text("There?")]),
    ]);
    let (request, _) = encoded(&conversation, ADAPTIVE, Form::Direct).unwrap();
    assert_eq!(
        request["messages"],
        json!([{"role": "user", "content": [
            {"type": "text", "text": "Hi"}, {"type": "text", "text": "There?"},
        ]}])
    );
}

/// A model that thinks between its calls signs their order too.
#[test]
fn signed_thoughts_between_calls_keep_their_place() {
    let call = |id: &str| {
        Part::Call(Call {
            id: id.into(),
            name: "look".into(),
            arguments: "{}".into(),
            whole: true,
            signature: None,
        })
    };
    let thinks = |signature: &str| Part::Thought(signed(&thought::seal(ID, signature)));
    let conversation = said(vec![
        user(&[text("Hi")]),
        assistant(&[thinks("1"), call("a"), thinks("2"), text("And"), call("b")]),
    ]);
    let mut conversation = conversation;
    conversation.tools = vec![tool()];
    let (request, _) = encoded(&conversation, NEWEST, Form::Direct).unwrap();
    let kinds: Vec<&str> = request["messages"][1]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["thinking", "tool_use", "thinking", "text", "tool_use"]
    );
}
