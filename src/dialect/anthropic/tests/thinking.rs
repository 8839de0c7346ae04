//! How each kind of Claude is told to think, and what goes with it.

use serde_json::{Value, json};

use super::{ID, assistant, encoded, hello, said, text, user};
use crate::chat::{
    Call, CallResult, Conversation, Effort, Part, Thinking, Thought, Tool, ToolChoice, thought,
};
use crate::dialect::anthropic::Form;

const MANUAL: &str = "claude-haiku-4-5";
const ADAPTIVE: &str = "claude-opus-4-8";
const UNASKED: &str = "claude-opus-5";
const NEWEST: &str = "claude-opus-5-5";
const BETWEEN: &str = "claude-sonnet-5-5";

fn tool() -> Tool {
    Tool {
        name: "look".into(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    }
}

/// What a request says of thinking: `thinking`, `output_config.effort`, and what is dropped.
fn plan(conversation: &Conversation, model: &str) -> (Value, Value, Vec<String>) {
    let (request, dropped) = encoded(conversation, model, Form::Direct).unwrap();
    (
        request["thinking"].clone(),
        request["output_config"]["effort"].clone(),
        dropped,
    )
}

#[test]
fn an_effort_becomes_what_the_model_has_for_it() {
    let adaptive = || json!({"type": "adaptive"});
    let budget = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    let off = || json!({"type": "disabled"});
    let cases = [
        (MANUAL, None, Value::Null, Value::Null),
        (MANUAL, Some(Effort::None), Value::Null, Value::Null),
        (MANUAL, Some(Effort::Minimal), budget(1024), Value::Null),
        (MANUAL, Some(Effort::Low), budget(2048), Value::Null),
        (MANUAL, Some(Effort::Medium), budget(10_000), Value::Null),
        (MANUAL, Some(Effort::High), budget(16_384), Value::Null),
        (MANUAL, Some(Effort::Max), budget(32_768), Value::Null),
        (ADAPTIVE, None, Value::Null, Value::Null),
        (ADAPTIVE, Some(Effort::None), off(), Value::Null),
        (ADAPTIVE, Some(Effort::Minimal), adaptive(), json!("low")),
        (ADAPTIVE, Some(Effort::Xhigh), adaptive(), json!("xhigh")),
        (
            "claude-opus-4-6",
            Some(Effort::Xhigh),
            adaptive(),
            json!("high"),
        ),
        (
            "claude-opus-4-6",
            Some(Effort::Max),
            adaptive(),
            json!("max"),
        ),
        (UNASKED, None, Value::Null, Value::Null),
        (UNASKED, Some(Effort::None), off(), Value::Null),
        (UNASKED, Some(Effort::High), Value::Null, json!("high")),
        (NEWEST, Some(Effort::None), Value::Null, json!("low")),
        (
            BETWEEN,
            Some(Effort::None),
            json!({"type": "between_tools"}),
            Value::Null,
        ),
        (
            "claude-new-9",
            Some(Effort::None),
            Value::Null,
            json!("low"),
        ),
    ];
    for (model, effort, thinking, said) in cases {
        let mut conversation = hello();
        conversation.effort = effort;
        let planned = plan(&conversation, model);
        assert_eq!(planned, (thinking, said, vec![]), "{model} {effort:?}");
    }
    let mut conversation = hello();
    conversation.effort = Some(Effort::High);
    let planned = plan(&conversation, "claude-3-haiku");
    assert_eq!(
        planned,
        (
            Value::Null,
            Value::Null,
            vec!["reasoning_effort".to_owned()]
        )
    );
}

#[test]
fn thinking_of_the_messages_surface_becomes_what_the_model_has_for_it() {
    let cases = [
        (MANUAL, Thinking::Disabled, None, Value::Null, Value::Null),
        (
            MANUAL,
            Thinking::Adaptive,
            None,
            json!({"type": "enabled", "budget_tokens": 16384}),
            Value::Null,
        ),
        (
            MANUAL,
            Thinking::Budget(5000),
            None,
            json!({"type": "enabled", "budget_tokens": 5000}),
            Value::Null,
        ),
        (
            MANUAL,
            Thinking::Budget(1),
            None,
            json!({"type": "enabled", "budget_tokens": 1024}),
            Value::Null,
        ),
        (
            ADAPTIVE,
            Thinking::Adaptive,
            None,
            json!({"type": "adaptive"}),
            Value::Null,
        ),
        (
            ADAPTIVE,
            Thinking::Budget(5000),
            None,
            json!({"type": "adaptive"}),
            json!("low"),
        ),
        (
            UNASKED,
            Thinking::Adaptive,
            Some(Effort::Max),
            json!({"type": "adaptive"}),
            json!("max"),
        ),
        (
            UNASKED,
            Thinking::Disabled,
            Some(Effort::Max),
            json!({"type": "disabled"}),
            json!("high"),
        ),
        (
            UNASKED,
            Thinking::BetweenTools,
            None,
            json!({"type": "disabled"}),
            Value::Null,
        ),
        (NEWEST, Thinking::Disabled, None, Value::Null, json!("low")),
        (
            BETWEEN,
            Thinking::BetweenTools,
            Some(Effort::Max),
            json!({"type": "between_tools"}),
            json!("max"),
        ),
    ];
    for (model, thinking, effort, expected, said) in cases {
        let mut conversation = hello();
        conversation.thinking = Some(thinking);
        conversation.effort = effort;
        let planned = plan(&conversation, model);
        // A budget that the model does not take is another one.
        let lost = match thinking {
            Thinking::Budget(1) => vec!["thinking".to_owned()],
            _ => vec![],
        };
        assert_eq!(planned, (expected, said, lost), "{model} {thinking:?}");
    }
}

#[test]
fn reasoning_is_shown_where_the_caller_asked_to_see_it() {
    let shown = |kind: &str| json!({"type": kind, "display": "summarized"});
    for (model, effort, expected) in [
        (UNASKED, None, shown("adaptive")),
        (UNASKED, Some(Effort::High), shown("adaptive")),
        (ADAPTIVE, None, Value::Null),
        (ADAPTIVE, Some(Effort::High), shown("adaptive")),
        (
            MANUAL,
            Some(Effort::Low),
            json!({"type": "enabled", "budget_tokens": 2048, "display": "summarized"}),
        ),
    ] {
        let mut conversation = hello();
        conversation.show_reasoning = true;
        conversation.effort = effort;
        assert_eq!(plan(&conversation, model).0, expected, "{model}");
    }
}

#[test]
fn a_budget_is_less_than_the_answer_or_there_is_none() {
    for (max_tokens, expected) in [
        (Some(2000), Some(1999)),
        (Some(1025), Some(1024)),
        (Some(1024), None),
    ] {
        let mut conversation = hello();
        conversation.effort = Some(Effort::High);
        conversation.max_tokens = max_tokens;
        let (thinking, _, dropped) = plan(&conversation, MANUAL);
        assert_eq!(thinking["budget_tokens"].as_u64(), expected);
        assert_eq!(dropped.is_empty(), expected.is_some());
    }
}

/// Temperature, `top_p`, `top_k`.
type Numbers = (Option<f64>, Option<f64>, Option<u64>);
/// A model, what is asked of it, beside which effort; what of it is said, and what is dropped.
type Sampled = (
    &'static str,
    Numbers,
    Option<Effort>,
    Numbers,
    &'static [&'static str],
);

#[test]
fn sampling_goes_only_where_the_model_takes_it() {
    let cases: &[Sampled] = &[
        (
            "claude-3-haiku",
            (Some(1.5), Some(0.5), Some(3)),
            None,
            (Some(1.0), Some(0.5), Some(3)),
            &["temperature"],
        ),
        (
            MANUAL,
            (Some(0.2), Some(0.5), Some(3)),
            None,
            (Some(0.2), None, Some(3)),
            &["top_p"],
        ),
        (
            MANUAL,
            (None, Some(0.5), None),
            None,
            (None, Some(0.5), None),
            &[],
        ),
        (
            MANUAL,
            (Some(0.2), Some(0.5), Some(3)),
            Some(Effort::Low),
            (None, None, None),
            &["temperature", "top_p", "top_k"],
        ),
        (
            MANUAL,
            (Some(1.0), Some(0.97), None),
            Some(Effort::Low),
            (None, Some(0.97), None),
            &[],
        ),
        (
            "claude-opus-4-6",
            (Some(0.2), None, None),
            Some(Effort::Low),
            (None, None, None),
            &["temperature"],
        ),
        (
            ADAPTIVE,
            (Some(0.2), Some(0.5), Some(3)),
            None,
            (None, None, None),
            &["temperature", "top_p", "top_k"],
        ),
        (
            UNASKED,
            (Some(1.0), Some(1.0), None),
            None,
            (None, None, None),
            &[],
        ),
        (
            "claude-new-9",
            (Some(0.0), None, None),
            None,
            (None, None, None),
            &["temperature"],
        ),
    ];
    for (model, asked, effort, expected, names) in cases {
        let mut conversation = hello();
        (
            conversation.temperature,
            conversation.top_p,
            conversation.top_k,
        ) = *asked;
        conversation.effort = *effort;
        let (request, dropped) = encoded(&conversation, model, Form::Direct).unwrap();
        let said = (
            request["temperature"].as_f64(),
            request["top_p"].as_f64(),
            request["top_k"].as_u64(),
        );
        assert_eq!(said, *expected, "{model}");
        assert_eq!(dropped, *names, "{model}");
    }
}

#[test]
fn no_tool_is_forced_on_a_model_that_thinks() {
    for (model, effort, choice, thinking, names) in [
        // Where it can be kept from thinking, it is; else the choice is its own.
        (
            MANUAL,
            Some(Effort::High),
            "any",
            Value::Null,
            &["reasoning_effort"][..],
        ),
        (
            "claude-sonnet-5",
            None,
            "any",
            json!({"type": "disabled"}),
            &[],
        ),
        (
            "claude-sonnet-5",
            Some(Effort::High),
            "any",
            json!({"type": "disabled"}),
            &["reasoning_effort"],
        ),
        (UNASKED, Some(Effort::High), "any", Value::Null, &[]),
        (
            NEWEST,
            Some(Effort::High),
            "auto",
            Value::Null,
            &["tool_choice"],
        ),
    ] {
        let mut conversation = hello();
        conversation.tools = vec![tool()];
        conversation.tool_choice = Some(ToolChoice::Required);
        conversation.effort = effort;
        let (request, dropped) = encoded(&conversation, model, Form::Direct).unwrap();
        assert_eq!(request["tool_choice"], json!({"type": choice}), "{model}");
        assert_eq!(request["thinking"], thinking, "{model}");
        assert_eq!(dropped, names, "{model}");
    }
}

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
