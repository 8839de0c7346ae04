//! How a model is told to think, and what cannot stand beside it.

use super::{CLAUDE, GPT_OSS, LLAMA, MISTRAL, NO_ARGUMENTS, NOVA, dropped, hi, member, tool};
use crate::chat::{Conversation, Effort, Thinking, ToolChoice};

#[test]
fn thinking_is_asked_for_in_each_familys_words() {
    let adaptive = "anthropic.claude-opus-5-v1:0";
    let sonnet_5_5 = "anthropic.claude-sonnet-5-5";
    let opus_5_5 = "anthropic.claude-opus-5-5";
    let opus_4_7 = "anthropic.claude-opus-4-7";
    let effort = |effort| Conversation {
        effort: Some(effort),
        ..hi()
    };
    let thinking = |thinking| Conversation {
        thinking: Some(thinking),
        ..hi()
    };
    let within = |conversation, limit| Conversation {
        max_tokens: Some(limit),
        ..conversation
    };
    let budget =
        |tokens| format!(r#"{{"thinking":{{"type":"enabled","budget_tokens":{tokens}}}}}"#);
    let nova = |effort| {
        format!(r#"{{"reasoningConfig":{{"type":"enabled","maxReasoningEffort":"{effort}"}}}}"#)
    };
    for (model, conversation, expected, lost) in [
        (CLAUDE, hi(), String::new(), ""),
        (CLAUDE, effort(Effort::None), String::new(), ""),
        (CLAUDE, effort(Effort::Minimal), budget(1024), ""),
        (CLAUDE, effort(Effort::Medium), budget(10_000), ""),
        (CLAUDE, effort(Effort::Max), budget(32_768), ""),
        (CLAUDE, within(effort(Effort::High), 5000), budget(4999), ""),
        (CLAUDE, within(effort(Effort::High), 1024), String::new(), "reasoning_effort"),
        (CLAUDE, thinking(Thinking::Budget(4000)), budget(4000), ""),
        (CLAUDE, thinking(Thinking::Budget(10)), budget(1024), "thinking"),
        (CLAUDE, thinking(Thinking::Adaptive), budget(16_384), ""),
        (CLAUDE, within(thinking(Thinking::Budget(4000)), 100), String::new(), "thinking"),
        (CLAUDE, thinking(Thinking::Disabled), String::new(), ""),
        (adaptive, hi(), String::new(), ""),
        (
            adaptive,
            Conversation {
                show_reasoning: true,
                ..hi()
            },
            r#"{"thinking":{"type":"adaptive","display":"summarized"}}"#.into(),
            "",
        ),
        (adaptive, effort(Effort::None), r#"{"thinking":{"type":"disabled"}}"#.into(), ""),
        (
            adaptive,
            effort(Effort::Minimal),
            r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}"#.into(),
            "",
        ),
        (
            opus_4_7,
            Conversation {
                show_reasoning: true,
                ..effort(Effort::Xhigh)
            },
            r#"{"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"xhigh"}}"#.into(),
            "",
        ),
        (
            adaptive,
            thinking(Thinking::Budget(20_000)),
            r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}"#.into(),
            "",
        ),
        (
            adaptive,
            Conversation {
                effort: Some(Effort::Low),
                ..thinking(Thinking::Disabled)
            },
            r#"{"thinking":{"type":"disabled"},"output_config":{"effort":"low"}}"#.into(),
            "",
        ),
        (sonnet_5_5, effort(Effort::None), r#"{"thinking":{"type":"between_tools"}}"#.into(), ""),
        (sonnet_5_5, thinking(Thinking::BetweenTools), r#"{"thinking":{"type":"between_tools"}}"#.into(), ""),
        (opus_5_5, effort(Effort::None), r#"{"output_config":{"effort":"low"}}"#.into(), ""),
        (NOVA, effort(Effort::None), String::new(), ""),
        (NOVA, effort(Effort::Minimal), nova("low"), ""),
        (NOVA, effort(Effort::Max), nova("high"), ""),
        (NOVA, within(effort(Effort::High), 500), nova("medium"), "reasoning_effort"),
        (GPT_OSS, effort(Effort::High), r#"{"reasoning_effort":"high"}"#.into(), ""),
        (GPT_OSS, effort(Effort::None), r#"{"reasoning_effort":"low"}"#.into(), ""),
        (LLAMA, effort(Effort::High), String::new(), "reasoning_effort"),
        (LLAMA, effort(Effort::None), String::new(), ""),
        (MISTRAL, thinking(Thinking::Adaptive), String::new(), "thinking"),
    ] {
        let found = member(model, &conversation, "/additionalModelRequestFields");
        assert_eq!(found, expected, "{model} {:?} {:?}", conversation.effort, conversation.thinking);
        assert_eq!(dropped(model, &conversation), lost, "{model}");
    }
}

#[test]
fn what_cannot_stand_beside_thinking_is_left_out() {
    let asked = Conversation {
        temperature: Some(0.5),
        top_p: Some(0.9),
        top_k: Some(40),
        ..hi()
    };
    let thinking = Conversation {
        effort: Some(Effort::Low),
        ..asked.clone()
    };
    let high = Conversation {
        effort: Some(Effort::High),
        ..asked.clone()
    };
    let opus_5 = "anthropic.claude-opus-5";
    for (model, conversation, inference, extras, lost) in [
        (
            CLAUDE,
            &asked,
            r#"{"maxTokens":64000,"temperature":0.5}"#,
            r#"{"top_k":40}"#,
            "top_p",
        ),
        (
            CLAUDE,
            &thinking,
            r#"{"maxTokens":64000}"#,
            r#"{"thinking":{"type":"enabled","budget_tokens":2048}}"#,
            "top_p temperature top_k",
        ),
        (
            opus_5,
            &asked,
            r#"{"maxTokens":128000}"#,
            "",
            "temperature top_p top_k",
        ),
        (
            NOVA,
            &asked,
            r#"{"temperature":0.5,"topP":0.9}"#,
            r#"{"inferenceConfig":{"topK":40}}"#,
            "",
        ),
        (
            NOVA,
            &high,
            "",
            r#"{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}"#,
            "temperature top_p top_k",
        ),
        (
            LLAMA,
            &asked,
            r#"{"temperature":0.5,"topP":0.9}"#,
            "",
            "top_k",
        ),
    ] {
        assert_eq!(
            member(model, conversation, "/inferenceConfig"),
            inference,
            "{model}"
        );
        assert_eq!(
            member(model, conversation, "/additionalModelRequestFields"),
            extras,
            "{model}"
        );
        assert_eq!(dropped(model, conversation), lost, "{model}");
    }
    // A forced tool is worth more than thinking.
    let forced = Conversation {
        tools: vec![tool("look", NO_ARGUMENTS)],
        tool_choice: Some(ToolChoice::Required),
        ..hi()
    };
    let sonnet_5 = "anthropic.claude-sonnet-5";
    assert_eq!(
        member(sonnet_5, &forced, "/additionalModelRequestFields"),
        r#"{"thinking":{"type":"disabled"}}"#
    );
    assert_eq!(
        member(sonnet_5, &forced, "/toolConfig/toolChoice"),
        r#"{"any":{}}"#
    );
    let both = Conversation {
        effort: Some(Effort::High),
        ..forced
    };
    for model in [
        sonnet_5,
        CLAUDE,
        "anthropic.claude-sonnet-4-6",
        "eu.anthropic.claude-opus-4-6-v1",
        "anthropic.claude-opus-4-7",
        "anthropic.claude-opus-4-8",
        "anthropic.claude-opus-5-v1:0",
    ] {
        let thinking = member(model, &both, "/additionalModelRequestFields/thinking");
        assert!(
            ["", r#"{"type":"disabled"}"#].contains(&&*thinking),
            "{model}: {thinking}"
        );
        assert_eq!(
            member(model, &both, "/toolConfig/toolChoice"),
            r#"{"any":{}}"#
        );
        assert_eq!(dropped(model, &both), "reasoning_effort");
    }
    let usual = Conversation {
        temperature: Some(1.0),
        ..hi()
    };
    assert_eq!(dropped("anthropic.claude-opus-5", &usual), "");
    let longer = Conversation {
        max_tokens: Some(1_000_000),
        ..hi()
    };
    assert_eq!(
        member(CLAUDE, &longer, "/inferenceConfig/maxTokens"),
        "64000"
    );
    assert_eq!(dropped(CLAUDE, &longer), "max_tokens");
    assert_eq!(
        member(LLAMA, &longer, "/inferenceConfig/maxTokens"),
        "1000000"
    );
    assert_eq!(dropped(LLAMA, &longer), "");
}
