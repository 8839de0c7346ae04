//! Streams and plain answers into events.

use super::{decode_every_way, decode_in};
use crate::chat::{Call, Event, Finish, Reason, Thought, Usage};
use crate::dialect::anthropic::Decoder;
use crate::outcome::Class;

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

/// Events framed as the API does: with names, and with the padding it puts into the JSON.
fn stream(events: &[&str]) -> String {
    let frames = events.iter().map(|event| {
        let kind = event.split('"').nth(3).unwrap();
        format!("event: {kind}\ndata: {event}   \n\n")
    });
    frames.collect()
}

/// A message between its beginning and its end, for this reason.
fn message(blocks: &[&str], reason: &str) -> String {
    let delta = ended(reason);
    let events = [&[START][..], blocks, &[&*delta, STOP]].concat();
    stream(&events)
}

fn ended(reason: &str) -> String {
    format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}","stop_sequence":null}},"usage":{{"output_tokens":9}}}}"#
    )
}

fn begun(index: u64, block: &str) -> String {
    format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
}

fn delta(index: u64, delta: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#)
}

fn closed(index: u64) -> String {
    format!(r#"{{"type":"content_block_stop","index":{index}}}"#)
}

fn id() -> Event {
    Event::Id("msg_1".into())
}

fn text(text: &str) -> Event {
    Event::Text(text.into())
}

fn call(id: &str, arguments: &str, whole: bool) -> Event {
    Event::Call(Call {
        id: id.into(),
        name: "look".into(),
        arguments: arguments.into(),
        whole,
        signature: None,
    })
}

/// What every message here ends with.
fn finish(reason: Reason) -> [Event; 2] {
    let usage = Usage {
        prompt: Some(15),
        cached: Some(3),
        cache_write: Some(2),
        reasoning: None,
        completion: Some(9),
    };
    [Event::Usage(usage), Event::Finish(reason.into())]
}

const TOOL: &str = r#"{"type":"tool_use","id":"toolu_1","name":"look","input":{}}"#;
const TEXT: &str = r#"{"type":"text","text":""}"#;
const THINKING: &str = r#"{"type":"thinking","thinking":"","signature":""}"#;

/// Blocks, the reason of the end, and the events between the id and the usage.
type Case = (&'static str, Vec<String>, &'static str, Vec<Event>, Reason);

/// A delta of a call's arguments.
fn json(index: u64, text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    delta(
        index,
        &format!(r#"{{"type":"input_json_delta","partial_json":{text}}}"#),
    )
}

/// A delta of text.
fn said(index: u64, text: &str) -> String {
    delta(
        index,
        &format!(r#"{{"type":"text_delta","text":"{text}"}}"#),
    )
}

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
fn a_cut_is_forgiven_only_where_nothing_but_the_end_was_missing() {
    let delta_end = ended("end_turn");
    let (begin, piece, close) = (
        begun(0, TEXT),
        delta(0, r#"{"type":"text_delta","text":"x"}"#),
        closed(0),
    );
    let events = [START, &*begin, &*piece, &*close, &*delta_end, STOP];
    for length in 0..=events.len() {
        let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
        decoder
            .feed(stream(&events[..length]).as_bytes(), &mut out)
            .unwrap();
        let result = decoder.cut(&mut out);
        assert_eq!(result.is_ok(), length >= 5, "after {length} events");
        assert_eq!(decoder.done(), length >= 5);
    }
}

#[test]
fn a_start_that_is_repeated_is_passed_over() {
    let x = delta(0, r#"{"type":"text_delta","text":"x"}"#);
    let (begin, close, end) = (begun(0, TEXT), closed(0), ended("end_turn"));
    let whole = |starts: &[&str]| {
        let rest = [&*begin, &*x, &*close, &*end, STOP];
        let events: Vec<&str> = starts.iter().copied().chain(rest).collect();
        let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
        decoder.feed(stream(&events).as_bytes(), &mut out).unwrap();
        out
    };
    assert_eq!(whole(&[START, START]), whole(&[START]));
}

#[test]
fn what_is_no_answer_is_broken_or_what_the_error_says() {
    let x = delta(0, r#"{"type":"text_delta","text":"x"}"#);
    let (text, tool) = (begun(0, TEXT), begun(0, TOOL));
    let half = delta(0, r#"{"type":"input_json_delta","partial_json":"{\"a\":"}"#);
    let (zero, end, used) = (closed(0), ended("end_turn"), ended("tool_use"));
    let next = begun(1, TEXT);
    let cases: &[(&str, &[&str], Class)] = &[
        ("nothing", &[], Class::Broken),
        ("an end alone", &[START, STOP], Class::Broken),
        (
            "an empty answer",
            &[START, &text, &zero, &end, STOP],
            Class::Broken,
        ),
        (
            "an answer that ends in a block",
            &[START, &text, &x, &end, STOP],
            Class::Broken,
        ),
        (
            "a call that is no JSON",
            &[START, &tool, &half, &zero, &used, STOP],
            Class::Broken,
        ),
        (
            "a call that is no JSON, and more",
            &[START, &tool, &half, &zero, &next],
            Class::Broken,
        ),
        (
            "a second answer within a block",
            &[START, &text, &x, START],
            Class::Broken,
        ),
        (
            "a second answer behind a block",
            &[START, &text, &x, &zero, START],
            Class::Broken,
        ),
        (
            "a second answer behind a call",
            &[START, &tool, &zero, &next, START],
            Class::Broken,
        ),
        ("a block twice", &[START, &text, &text], Class::Broken),
        ("arguments of text", &[START, &text, &half], Class::Broken),
        ("arguments of nothing", &[START, &half], Class::Broken),
        ("no JSON", &[START, r#"{"type":"ping""#], Class::Broken),
        (
            "a known kind of another form",
            &[
                START,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}"#,
            ],
            Class::Broken,
        ),
        (
            "a call without a name",
            &[
                START,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a"}}"#,
            ],
            Class::Broken,
        ),
        (
            "overload",
            &[
                START,
                &text,
                &x,
                r#"{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"}}"#,
            ],
            Class::Overloaded,
        ),
        (
            "a server's own fault",
            &[r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#],
            Class::Broken,
        ),
    ];
    for (name, events, class) in cases {
        let (_, result) = decode_every_way(stream(events).as_bytes());
        assert_eq!(result.unwrap_err().class, *class, "{name}");
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

#[test]
fn a_refusal_without_content_is_said_in_the_providers_words() {
    let refused = r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":"cyber","explanation":"Not that."}},"usage":{"output_tokens":9}}"#;
    let (events, result) = decode_every_way(stream(&[START, refused, STOP]).as_bytes());
    result.unwrap();
    let expected: Vec<Event> = [id(), Event::Refusal("Not that.".into())]
        .into_iter()
        .chain(finish(Reason::ContentFilter))
        .collect();
    assert_eq!(events, expected);
}

/// A call by a program in the provider's container: all of it in the beginning.
#[test]
fn an_answer_may_stand_in_its_beginning() {
    let start = START
        .replace(
            r#""content":[]"#,
            &format!(
                r#""content":[{TEXT},{}]"#,
                TOOL.replace("{}", r#"{"n": 1.0}"#)
            ),
        )
        .replace(r#""stop_reason":null"#, r#""stop_reason":"tool_use""#);
    let (events, result) = decode_every_way(stream(&[&start, STOP]).as_bytes());
    result.unwrap();
    assert_eq!(
        events[1..3],
        [Event::CallBegan, call("toolu_1", r#"{"n": 1.0}"#, true)]
    );
    assert_eq!(
        events.last(),
        Some(&Event::Finish(Reason::ToolCalls.into()))
    );
}

#[test]
fn a_plain_answer_is_read_as_the_stream_it_could_have_been() {
    let body = format!(
        r#"{{"type":"message","id":"msg_1","role":"assistant","content":[{{"type":"thinking","thinking":"t","signature":"s"}},{{"type":"server_tool_use","id":"a","name":"b","input":[]}},{{"type":"text","text":"x","citations":null}},{TOOL}],"stop_reason":"tool_use","stop_sequence":null,"usage":{{"input_tokens":10,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":9}}}}"#
    );
    let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
    decoder.whole(body.as_bytes(), &mut out).unwrap();
    let expected: Vec<Event> = [
        id(),
        Event::Reasoning("t".into()),
        Event::Thought(Thought {
            text: "t".into(),
            signature: Some("s".into()),
            redacted: None,
        }),
        text("x"),
        Event::CallBegan,
        call("toolu_1", "{}", true),
    ]
    .into_iter()
    .chain(finish(Reason::ToolCalls))
    .collect();
    assert_eq!(out, expected);
    for (body, class) in [
        ("", Class::Broken),
        ("<html>", Class::Broken),
        ("{}", Class::Broken),
        (
            r#"{"type":"message","content":[],"stop_reason":"end_turn"}"#,
            Class::Broken,
        ),
        (
            r#"{"type":"message","content":[{"type":"text","text":"x"}],"stop_reason":null}"#,
            Class::Broken,
        ),
        (
            r#"{"type":"message","content":[{"type":"text","text":7}],"stop_reason":"end_turn"}"#,
            Class::Broken,
        ),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Class::Overloaded,
        ),
    ] {
        let result = Decoder::new(1).whole(body.as_bytes(), &mut Vec::new());
        assert_eq!(result.unwrap_err().class, class, "{body}");
    }
}

#[test]
fn a_forgotten_id_is_made_up_and_stays_the_same() {
    let events = [begun(0, &TOOL.replace(r#""id":"toolu_1","#, "")), closed(0)];
    let blocks: Vec<&str> = events.iter().map(String::as_str).collect();
    let whole = message(&blocks, "tool_use");
    let (events, result) = decode_every_way(whole.as_bytes());
    result.unwrap();
    let Some(Event::Call(call)) = events.get(2) else {
        panic!("{events:?}");
    };
    assert!(
        call.id.starts_with("toolu_") && call.id.len() == 30,
        "{}",
        call.id
    );
}

#[test]
fn events_without_framing_of_their_own_are_read_alike() {
    let piece = delta(0, r#"{"type":"text_delta","text":"x"}"#);
    let delta_end = ended("end_turn");
    let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
    let stop =
        r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":2}}"#;
    for event in [START, &piece, &delta_end] {
        decoder.event(event, &mut out).unwrap();
    }
    assert!(decoder.end(&mut Vec::new()).is_err());
    decoder.event(stop, &mut out).unwrap();
    decoder.end(&mut out).unwrap();
    assert_eq!(out.last(), Some(&Event::Finish(Reason::Stop.into())));
}

#[test]
fn what_is_held_is_bounded() {
    let begin = begun(0, THINKING);
    let long = "x".repeat(512 << 10);
    let piece = delta(
        0,
        &format!(r#"{{"type":"thinking_delta","thinking":"{long}"}}"#),
    );
    let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
    decoder.event(START, &mut out).unwrap();
    decoder.event(&begin, &mut out).unwrap();
    let result = (0..16).try_for_each(|_| decoder.event(&piece, &mut out));
    assert_eq!(result.unwrap_err().class, Class::Broken);
    let mut decoder = Decoder::new(1);
    let result = (0..64).try_for_each(|at| decoder.event(&begun(at, TEXT), &mut out));
    assert_eq!(result.unwrap_err().class, Class::Broken);
}

#[test]
fn an_id_that_comes_late_is_none() {
    let said = delta(0, r#"{"type":"text_delta","text":"a"}"#);
    let events = [&*said, START, &*ended("end_turn"), STOP];
    let (events, outcome) = decode_every_way(stream(&events).as_bytes());
    assert_eq!((outcome, &events[0]), (Ok(()), &text("a")));
    let ids = events.iter().filter(|event| matches!(event, Event::Id(_)));
    assert_eq!(ids.count(), 0, "{events:?}");
}
