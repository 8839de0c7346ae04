//! What a whole stream says, case by case.

use super::{
    START, STOP, TEXT, THINKING, TOOL, begun, call, closed, decode_every_way, decode_in, delta,
    finish, id, json, message, said, stream, text,
};
use crate::chat::{Event, Finish, Reason, Thought, Usage};
use crate::outcome::Class;

/// Blocks, the reason of the end, and the events between the id and the usage.
type Case = (&'static str, Vec<String>, &'static str, Vec<Event>, Reason);

fn words() -> Vec<Case> {
    vec![
        (
            "text, in pieces and with escapes",
            vec![
                begun(0, TEXT),
                r#"{"type": "ping"}"#.into(),
                said(0, "Hé"),
                said(0, r"\n\ud83d\ude00"),
                said(0, ""),
                closed(0),
            ],
            "end_turn",
            vec![text("Hé"), text("\n😀")],
            Reason::Stop,
        ),
        (
            "a beginning that holds text already, and text of a block that nobody began",
            vec![
                begun(0, r#"{"type":"text","text":"a"}"#),
                closed(0),
                said(1, "b"),
            ],
            "pause_turn",
            vec![text("a"), text("b")],
            Reason::Stop,
        ),
        (
            "the provider's own tools are nobody's calls, nor is what is newer than us",
            vec![
                begun(
                    0,
                    r#"{"type":"server_tool_use","id":"srvtoolu_1","name":"search","input":{}}"#,
                ),
                json(0, r#"{"query":"x"}"#),
                closed(0),
                begun(
                    1,
                    r#"{"type":"search_result","text":{"of":"another form"},"input":7}"#,
                ),
                delta(1, r#"{"type":"text_delta","text":"not ours"}"#),
                closed(1),
                r#"{"type":"new_in_2031","index":"x","delta":3}"#.into(),
                begun(2, TEXT),
                delta(
                    2,
                    r#"{"type":"citations_delta","citation":{"type":"char_location"}}"#,
                ),
                delta(2, r#"{"type":"new_in_2031_delta","text":[1]}"#),
                said(2, "x"),
                closed(2),
            ],
            "tool_use",
            vec![text("x")],
            Reason::Stop,
        ),
        (
            "a beginning that a proxy repeats",
            vec![
                START.replace("msg_1", "msg_2"),
                begun(0, TEXT),
                said(0, "x"),
                closed(0),
            ],
            "new_in_2031",
            vec![text("x")],
            Reason::Stop,
        ),
        (
            "nothing, for want of room",
            vec![],
            "max_tokens",
            vec![],
            Reason::Length,
        ),
        (
            "a refusal in the middle",
            vec![begun(0, TEXT), said(0, "x"), closed(0)],
            "refusal",
            vec![text("x")],
            Reason::ContentFilter,
        ),
    ]
}

fn calls() -> Vec<Case> {
    vec![
        (
            "two calls, their arguments cut anywhere; the reason is the calls'",
            vec![
                begun(0, TOOL),
                json(0, ""),
                json(0, r#"{"q":"a\"#),
                json(0, "\"b\", \"n\": 12345678901234567890.10}"),
                closed(0),
                begun(1, &TOOL.replace("_1", "_2")),
                json(1, "{}"),
                closed(1),
            ],
            "end_turn",
            vec![
                Event::CallBegan,
                call(
                    "toolu_1",
                    r#"{"q":"a\"b", "n": 12345678901234567890.10}"#,
                    true,
                ),
                Event::CallBegan,
                call("toolu_2", "{}", true),
            ],
            Reason::ToolCalls,
        ),
        (
            "calls without arguments, one in the middle and one at the end",
            vec![
                begun(0, TOOL),
                json(0, ""),
                closed(0),
                begun(1, TEXT),
                said(1, "x"),
                closed(1),
                begun(2, &TOOL.replace("_1", "_2")),
                closed(2),
            ],
            "tool_use",
            vec![
                Event::CallBegan,
                call("toolu_1", "{}", true),
                text("x"),
                Event::CallBegan,
                call("toolu_2", "{}", true),
            ],
            Reason::ToolCalls,
        ),
        (
            "a call whose input stands in its beginning",
            vec![
                begun(0, &TOOL.replace("{}", r#"{"q": 1}"#)),
                json(0, ""),
                closed(0),
            ],
            "tool_use",
            vec![Event::CallBegan, call("toolu_1", r#"{"q": 1}"#, true)],
            Reason::ToolCalls,
        ),
        (
            "a call that the token limit cut, its block ended all the same",
            vec![begun(0, TOOL), json(0, r#"{"q":"#), closed(0)],
            "max_tokens",
            vec![Event::CallBegan, call("toolu_1", r#"{"q":"#, false)],
            Reason::Length,
        ),
        (
            "a call that it cut before its arguments, and in an open block",
            vec![begun(0, TOOL)],
            "model_context_window_exceeded",
            vec![Event::CallBegan, call("toolu_1", "", false)],
            Reason::Length,
        ),
    ]
}

fn thoughts() -> Vec<Case> {
    vec![
        (
            "thinking in pieces, its last signature, and text",
            vec![
                begun(0, THINKING),
                delta(0, r#"{"type":"thinking_delta","thinking":"I "}"#),
                delta(
                    0,
                    r#"{"type":"thinking_delta","thinking":"see.","estimated_tokens":2}"#,
                ),
                delta(0, r#"{"type":"signature_delta","signature":"a"}"#),
                delta(0, r#"{"type":"signature_delta","signature":"b=="}"#),
                closed(0),
                begun(1, TEXT),
                said(1, "x"),
                closed(1),
            ],
            "end_turn",
            vec![
                Event::Reasoning("I ".into()),
                Event::Reasoning("see.".into()),
                Event::Thought(Thought {
                    text: "I see.".into(),
                    signature: Some("b==".into()),
                    redacted: None,
                }),
                text("x"),
            ],
            Reason::Stop,
        ),
        (
            "thinking that is not shown, or redacted, before a call",
            vec![
                begun(0, THINKING),
                delta(0, r#"{"type":"signature_delta","signature":"s"}"#),
                closed(0),
                begun(1, r#"{"type":"redacted_thinking","data":"r"}"#),
                closed(1),
                begun(2, TOOL),
                json(2, "{}"),
                closed(2),
            ],
            "tool_use",
            vec![
                Event::Thought(Thought {
                    signature: Some("s".into()),
                    ..Thought::default()
                }),
                Event::Thought(Thought {
                    redacted: Some("r".into()),
                    ..Thought::default()
                }),
                Event::CallBegan,
                call("toolu_1", "{}", true),
            ],
            Reason::ToolCalls,
        ),
    ]
}

#[test]
fn a_stream_says_the_same_however_it_is_cut_and_nothing_without_its_end() {
    for (name, blocks, reason, expected, finish_reason) in [words(), calls(), thoughts()].concat() {
        let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
        let whole = message(&blocks, reason);
        let (events, result) = decode_every_way(whole.as_bytes());
        result.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let expected: Vec<Event> = [id()]
            .into_iter()
            .chain(expected)
            .chain(finish(finish_reason))
            .collect();
        assert_eq!(events, expected, "{name}");

        let cut = &whole[..whole.rfind("event: message_stop").unwrap()];
        let (events, result) = decode_in(&[cut.as_bytes()]);
        assert_eq!(result.unwrap_err().class, Class::Broken, "{name}");
        assert!(
            !events.iter().any(|event| matches!(event, Event::Finish(_))),
            "{name}"
        );
    }
}

#[test]
fn usage_is_what_was_said_last_and_not_a_sum() {
    let start = START.replace(
        r#""cache_creation_input_tokens":2,"cache_read_input_tokens":3,"#,
        "",
    );
    let delta_end = r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},"usage":{"input_tokens":20,"cache_read_input_tokens":5,"output_tokens":40,"output_tokens_details":{"thinking_tokens":33}}}"#;
    let piece = delta(0, r#"{"type":"text_delta","text":"x"}"#);
    let (events, result) = decode_in(&[stream(&[&start, &piece, delta_end, STOP]).as_bytes()]);
    result.unwrap();
    let usage = Usage {
        prompt: Some(25),
        cached: Some(5),
        cache_write: None,
        reasoning: Some(33),
        completion: Some(40),
        ..Usage::default()
    };
    let finish = Finish {
        reason: Reason::Stop,
        stop_sequence: Some("END".into()),
    };
    assert_eq!(events[2..], [Event::Usage(usage), Event::Finish(finish)]);
    let bare = START.replace(
        r#","usage":{"input_tokens":10"#,
        r#","x":{"input_tokens":10"#,
    );
    let silent = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
    let (events, result) = decode_in(&[stream(&[&bare, &piece, silent, STOP]).as_bytes()]);
    result.unwrap();
    assert_eq!(events.len(), 3, "no usage was said: {events:?}");
}
