//! What a model has thought before, and when it sees that again.

use super::{
    CLAUDE, NO_ARGUMENTS, assistant, call, dropped, member, result, says, text, tool, user,
};
use crate::chat::{Conversation, Effort, Part, Thought, ToolChoice, thought};

#[test]
fn thoughts_go_back_to_their_own_target_alone() {
    let thought = |text: &str, signature: Option<String>| {
        Part::Thought(Thought {
            text: text.into(),
            signature,
            redacted: None,
        })
    };
    let own = |sig| Some(thought::seal("bedrock/m", sig));
    let conversation = |first: Part| Conversation {
        effort: Some(Effort::Low),
        tools: vec![tool("look", NO_ARGUMENTS)],
        ..says(vec![
            user(vec![text("Look")]),
            assistant(vec![first, call("1", "{}")]),
            user(vec![result("1", vec![text("a cat")])]),
        ])
    };
    let redacted = Part::Thought(Thought {
        redacted: own("b3BhcXVl"),
        ..Thought::default()
    });
    for (part, expected, thinks) in [
        (
            thought("Hm", own("c2ln")),
            r#"{"reasoningContent":{"reasoningText":{"text":"Hm","signature":"c2ln"}}}"#,
            true,
        ),
        (
            thought("", own("c2ln")),
            r#"{"reasoningContent":{"reasoningText":{"text":"","signature":"c2ln"}}}"#,
            true,
        ),
        (
            redacted,
            r#"{"reasoningContent":{"redactedContent":"b3BhcXVl"}}"#,
            true,
        ),
        (
            thought("Hm", Some(thought::seal("other/m", "c2ln"))),
            "",
            false,
        ),
        (thought("Hm", Some("c2ln".into())), "", false),
        (thought("Hm", None), "", false),
    ] {
        let conversation = conversation(part);
        let first = member(CLAUDE, &conversation, "/messages/1/content/0");
        if expected.is_empty() {
            assert!(first.starts_with(r#"{"toolUse""#), "{first}");
        } else {
            assert_eq!(first, expected);
        }
        // In the middle of calls that it did not think about, the model cannot be asked to think.
        let asked = member(
            CLAUDE,
            &conversation,
            "/additionalModelRequestFields/thinking",
        );
        assert_eq!(!asked.is_empty(), thinks, "{expected}");
        let lost = if thinks { "" } else { "reasoning_effort" };
        assert_eq!(dropped(CLAUDE, &conversation), lost);
    }
}

#[test]
fn thoughts_are_left_out_where_the_model_is_not_to_think() {
    let opus = "anthropic.claude-opus-4-8";
    let opus_5 = "anthropic.claude-opus-5-v1:0";
    let required = || Some(ToolChoice::Required);
    for (model, effort, choice, shown) in [
        (CLAUDE, Some(Effort::High), None, true),
        (CLAUDE, None, None, false),
        (CLAUDE, Some(Effort::None), None, false),
        (CLAUDE, Some(Effort::High), required(), false),
        (opus, Some(Effort::High), None, true),
        (opus, None, None, false),
        (opus, Some(Effort::None), None, false),
        // These think unasked, and the last cannot be kept from it.
        (opus_5, None, None, true),
        (opus_5, Some(Effort::None), None, false),
        ("anthropic.claude-opus-5-5", Some(Effort::None), None, true),
    ] {
        let conversation = Conversation {
            effort,
            tools: vec![tool("look", NO_ARGUMENTS)],
            tool_choice: choice,
            ..says(vec![
                user(vec![text("Look")]),
                assistant(vec![
                    Part::Thought(Thought {
                        text: "Hm".into(),
                        signature: Some(thought::seal("bedrock/m", "c2ln")),
                        redacted: None,
                    }),
                    call("1", "{}"),
                ]),
                user(vec![result("1", vec![text("a cat")])]),
            ])
        };
        let first = member(model, &conversation, "/messages/1/content/0");
        let thought = first.starts_with(r#"{"reasoningContent""#);
        assert_eq!(thought, shown, "{model} {effort:?}: {first}");
        assert!(thought || first.starts_with(r#"{"toolUse""#), "{first}");
    }
}

#[test]
fn thoughts_are_left_out_where_the_tools_before_them_are_others() {
    let conversation = |choice| Conversation {
        tools: vec![tool("look", NO_ARGUMENTS), tool("wait", NO_ARGUMENTS)],
        tool_choice: choice,
        effort: Some(Effort::Low),
        ..says(vec![
            user(vec![text("Look")]),
            assistant(vec![
                Part::Thought(Thought {
                    text: "Hm".into(),
                    signature: Some(thought::seal("bedrock/m", "c2ln")),
                    redacted: None,
                }),
                text("I did."),
            ]),
            user(vec![text("And?")]),
        ])
    };
    let allowed = ToolChoice::Allowed {
        names: vec!["look".into()],
        required: false,
    };
    let opus = "anthropic.claude-opus-5-5";
    for (model, choice, shown) in [
        (opus, None, true),
        (opus, Some(allowed.clone()), false),
        (opus, Some(ToolChoice::None), false),
        (CLAUDE, Some(allowed), true),
    ] {
        let first = member(model, &conversation(choice), "/messages/1/content/0");
        assert_eq!(
            first.contains("reasoningContent"),
            shown,
            "{model}: {first}"
        );
    }
}
