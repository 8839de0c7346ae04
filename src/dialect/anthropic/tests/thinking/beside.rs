//! What cannot stand beside thinking: sampling, and a tool that is forced.

use serde_json::{Value, json};

use super::{ADAPTIVE, MANUAL, NEWEST, UNASKED, encoded, hello, tool};
use crate::chat::{Effort, ToolChoice};
use crate::dialect::anthropic::Form;

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
