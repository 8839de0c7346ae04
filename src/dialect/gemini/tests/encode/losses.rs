//! What this dialect has no word for: named, or refused.

use std::borrow::Cow;

use super::{hello, text, told, tool, turn};
use crate::chat::{Conversation, Effort, Format, Role, Thinking, ToolChoice};
use crate::dialect::gemini::Form;
use crate::facts::{Facts, Sampling};

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
