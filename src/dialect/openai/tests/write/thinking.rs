//! Thinking as an effort, and what was thought before.

use serde_json::{Value, json};

use super::{OTHERS, call, facts, hi, result, said, text, written};
use crate::chat::{Conversation, Effort, Part, Role, Thinking, Thought, thought};
use crate::facts::Facts;

#[test]
fn thinking_becomes_an_effort() {
    let known = |efforts: &[Effort]| Facts {
        efforts: efforts.to_vec(),
        ..facts()
    };
    let none = known(&[]);
    let some = known(&[Effort::None, Effort::Low, Effort::High]);
    for (effort, thinking, facts, expected) in [
        (None, None, &none, json!(null)),
        (None, Some(Thinking::Budget(1024)), &none, json!("low")),
        (None, Some(Thinking::Budget(10_000)), &none, json!("medium")),
        (None, Some(Thinking::Budget(32_000)), &none, json!("high")),
        (None, Some(Thinking::Budget(10_000)), &some, json!("low")),
        (None, Some(Thinking::Disabled), &none, json!(null)),
        (None, Some(Thinking::Disabled), &some, json!("none")),
        (None, Some(Thinking::Adaptive), &some, json!(null)),
        (
            Some(Effort::High),
            Some(Thinking::Disabled),
            &some,
            json!("none"),
        ),
        (Some(Effort::None), None, &none, json!("none")),
        (
            Some(Effort::Low),
            Some(Thinking::Budget(32_000)),
            &some,
            json!("low"),
        ),
        (Some(Effort::Max), None, &none, json!("high")),
        (Some(Effort::Max), None, &some, json!("high")),
        (Some(Effort::Minimal), None, &none, json!("minimal")),
    ] {
        let conversation = Conversation {
            effort,
            thinking,
            ..hi()
        };
        let (body, _) = written(&conversation, facts, OTHERS).unwrap();
        assert_eq!(
            body["reasoning_effort"], expected,
            "{effort:?} {thinking:?}"
        );
    }
}

#[test]
fn a_model_that_wants_its_thinking_back_is_given_its_own() {
    let thought = |text: &str, target: &str| {
        Part::Thought(Thought {
            text: text.into(),
            signature: Some(thought::seal(target, "")),
            redacted: None,
        })
    };
    let unsealed = || {
        Part::Thought(Thought {
            text: "whose?".into(),
            ..Thought::default()
        })
    };
    let (own, other) = ("openai/gpt", "gemini/g");
    for (thoughts, back, expected) in [
        (vec![thought("hm", own)], true, json!("hm")),
        (
            vec![thought("hm", own), thought("so", own)],
            true,
            json!("hm\nso"),
        ),
        (vec![thought("hm", other)], true, json!("")),
        (vec![unsealed()], true, json!("")),
        (vec![], true, json!("")),
        (vec![thought("hm", own)], false, Value::Null),
    ] {
        let mut parts = thoughts.clone();
        parts.push(call("a", "{}", None));
        let mut spoken = thoughts;
        spoken.push(text("It is."));
        let conversation = said(vec![
            (Role::User, vec![text("go")]),
            (Role::Assistant, parts),
            (Role::User, vec![result("a", false, vec![text("1")])]),
            (Role::Assistant, spoken),
            (Role::User, vec![text("on")]),
        ]);
        let facts = Facts {
            reasoning_back: back,
            ..facts()
        };
        let (body, dropped) = written(&conversation, &facts, OTHERS).unwrap();
        let found = body["messages"][1].get("reasoning_content");
        assert_eq!(found.unwrap_or(&Value::Null), &expected);
        assert!(found.is_some() == back && dropped.is_empty());
        // Behind the calls, where it is not wanted, it is not said.
        assert!(body["messages"][3].get("reasoning_content").is_none());
    }
}
