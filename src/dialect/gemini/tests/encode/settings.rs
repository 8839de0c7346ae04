//! Settings, and how much a model is to think.

use serde_json::{Value, json};

use super::{hello, raw, sent};
use crate::chat::{Conversation, Effort, Format, Thinking};

/// A change to a conversation, and what it makes of `generationConfig` at a model.
type Row = (&'static str, fn(&mut Conversation), Value);

fn check(rows: Vec<Row>) {
    for (at, (model, change, config)) in rows.into_iter().enumerate() {
        let mut conversation = hello();
        change(&mut conversation);
        let sent = sent(&conversation, model);
        assert_eq!(sent["generationConfig"], config, "row {at}: {model}");
    }
}

#[test]
fn every_setting_has_its_place() {
    check(vec![
        ("gemini-3.5-flash", |_| (), Value::Null),
        (
            "gemini-2.5-flash",
            |c| {
                c.temperature = Some(0.5);
                c.top_p = Some(0.9);
                c.top_k = Some(40);
                c.max_tokens = Some(100);
                c.presence_penalty = Some(0.1);
                c.frequency_penalty = Some(-0.1);
                c.seed = Some(-7);
                c.stop = vec!["a".into(), String::new(), " ".into()];
            },
            json!({
                "temperature": 0.5, "topP": 0.9, "topK": 40, "maxOutputTokens": 100,
                "presencePenalty": 0.1, "frequencyPenalty": -0.1, "seed": -7, "stopSequences": ["a", " "]
            }),
        ),
        (
            "gemini-4-argon",
            |c| c.presence_penalty = Some(0.1),
            Value::Null,
        ),
        // More than a model can is all it can.
        (
            "gemini-2.0-flash",
            |c| c.max_tokens = Some(64_000),
            json!({"maxOutputTokens": 8192}),
        ),
        (
            "gemini-2.5-flash",
            |c| c.seed = Some(0x1_2345_6789),
            json!({"seed": 0x2345_6789}),
        ),
        (
            "gemini-2.5-flash",
            |c| c.format = Format::JsonObject,
            json!({"responseMimeType": "application/json"}),
        ),
        (
            "gemini-2.5-flash",
            |c| {
                c.format = Format::JsonSchema {
                    name: "n".into(),
                    description: Some("d".into()),
                    schema: Some(raw(r#"{"$schema":"x","type":"object"}"#)),
                    strict: Some(true),
                };
            },
            json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}),
        ),
    ]);
}

#[test]
fn every_effort_has_its_level_or_budget() {
    let level =
        |level: &str| json!({"thinkingConfig": {"thinkingLevel": level, "includeThoughts": true}});
    let budget = |budget: u64| json!({"thinkingConfig": {"thinkingBudget": budget, "includeThoughts": true}});
    let quiet = |config: Value| json!({"thinkingConfig": config});
    check(vec![
        (
            "gemini-3.5-flash",
            |c| c.effort = Some(Effort::None),
            quiet(json!({"thinkingLevel": "MINIMAL"})),
        ),
        (
            "gemini-4-argon",
            |c| c.effort = Some(Effort::None),
            quiet(json!({"thinkingLevel": "LOW"})),
        ),
        (
            "gemini-3.5-flash",
            |c| c.effort = Some(Effort::Minimal),
            level("MINIMAL"),
        ),
        (
            "gemini-3.8-flash",
            |c| c.effort = Some(Effort::Minimal),
            level("LOW"),
        ),
        (
            "gemini-3-pro-preview",
            |c| c.effort = Some(Effort::Medium),
            level("HIGH"),
        ),
        (
            "gemini-3.1-pro-preview",
            |c| c.effort = Some(Effort::Medium),
            level("MEDIUM"),
        ),
        (
            "gemini-3.5-flash",
            |c| c.effort = Some(Effort::Max),
            level("HIGH"),
        ),
        (
            "gemini-4-argon",
            |c| c.effort = Some(Effort::Max),
            level("XHIGH"),
        ),
        (
            "gemini-4-argon",
            |c| c.thinking = Some(Thinking::Budget(4000)),
            level("LOW"),
        ),
        (
            "gemini-4-argon",
            |c| c.thinking = Some(Thinking::Budget(10_000)),
            level("MEDIUM"),
        ),
        (
            "gemini-4-argon",
            |c| c.thinking = Some(Thinking::Budget(32_000)),
            level("HIGH"),
        ),
        (
            "gemini-4-argon",
            |c| c.thinking = Some(Thinking::Disabled),
            quiet(json!({"thinkingLevel": "LOW"})),
        ),
        (
            "gemini-4-argon",
            |c| c.thinking = Some(Thinking::Adaptive),
            quiet(json!({"includeThoughts": true})),
        ),
        (
            "gemini-4-argon",
            |c| c.show_reasoning = true,
            quiet(json!({"includeThoughts": true})),
        ),
        (
            "gemini-2.5-flash",
            |c| c.effort = Some(Effort::None),
            quiet(json!({"thinkingBudget": 0})),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::None),
            quiet(json!({"thinkingBudget": 128})),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::Minimal),
            budget(1024),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::Low),
            budget(2048),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::Medium),
            budget(8192),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::High),
            budget(16_384),
        ),
        (
            "gemini-2.5-pro",
            |c| c.effort = Some(Effort::Xhigh),
            budget(32_768),
        ),
        (
            "gemini-2.5-flash",
            |c| c.effort = Some(Effort::Max),
            budget(24_576),
        ),
        (
            "gemini-2.5-flash",
            |c| c.thinking = Some(Thinking::Budget(31_999)),
            budget(24_576),
        ),
        (
            "gemini-2.5-pro",
            |c| c.thinking = Some(Thinking::Budget(1)),
            budget(128),
        ),
        // What does not think is not told to, nor to show it.
        (
            "gemini-2.0-flash",
            |c| (c.effort, c.show_reasoning) = (Some(Effort::High), true),
            Value::Null,
        ),
        (
            "gemini-2.0-flash",
            |c| c.thinking = Some(Thinking::Disabled),
            Value::Null,
        ),
    ]);
}

#[test]
fn a_tier_is_told_where_it_is_known() {
    for (asked, tier) in [
        ("auto", Value::Null),
        ("default", json!("standard")),
        ("standard_only", json!("standard")),
        ("flex", json!("flex")),
        ("priority", json!("priority")),
    ] {
        let mut conversation = hello();
        conversation.service_tier = Some(asked.into());
        assert_eq!(
            sent(&conversation, "gemini-3.5-flash")["serviceTier"],
            tier,
            "{asked}"
        );
    }
}
