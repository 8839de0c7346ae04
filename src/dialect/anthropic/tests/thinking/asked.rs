//! How much a model is told to think.

use serde_json::{Value, json};

use super::{ADAPTIVE, BETWEEN, MANUAL, NEWEST, UNASKED, hello, plan};
use crate::chat::{Effort, Thinking};

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
