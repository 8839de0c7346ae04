//! Answers passed on within the dialect.

use bytes::Bytes;
use serde_json::{Value, json};

use super::writing::accumulated;
use crate::chat::Usage;
use crate::dialect::anthropic::surface::{Splicer, splice_answer};
use crate::outcome::Class;

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn frame(data: &str) -> String {
    let value: Value = serde_json::from_str(data).unwrap();
    format!(
        "event: {}\ndata: {data}\n\n",
        value["type"].as_str().unwrap()
    )
}

fn frames(data: &[&str]) -> String {
    data.iter().map(|data| frame(data)).collect()
}

fn begin(index: u64, block: &Value) -> String {
    json!({"type": "content_block_start", "index": index, "content_block": block}).to_string()
}

fn tool(index: u64, id: &str) -> String {
    begin(
        index,
        &json!({"type": "tool_use", "id": id, "name": "f", "input": {}}),
    )
}

fn words(index: u64) -> String {
    begin(index, &json!({"type": "text", "text": ""}))
}

fn piece(index: u64, key: &str, text: &str) -> String {
    let kind = match key {
        "partial_json" => "input_json_delta".to_owned(),
        key => format!("{key}_delta"),
    };
    json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, key: text}})
        .to_string()
}

fn close(index: u64) -> String {
    json!({"type": "content_block_stop", "index": index}).to_string()
}

fn reason(reason: &str) -> String {
    json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 7}}).to_string()
}

/// A whole stream: what `events` say between a start and an end.
fn stream(events: &[String], end: &str) -> String {
    let mut all = vec![START.to_owned()];
    all.extend_from_slice(events);
    all.extend([reason(end), STOP.to_owned()]);
    all.iter().map(|data| frame(data)).collect()
}

/// What comes of a stream, in these pieces.
fn spliced<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Result<(String, Usage), Class> {
    let mut splicer = Splicer::new(Some("mine".into()));
    for chunk in chunks {
        splicer.feed(chunk).map_err(|failure| failure.class)?;
    }
    splicer.end().map_err(|failure| failure.class)?;
    assert!(splicer.done() && splicer.released() && splicer.arrived());
    Ok((
        String::from_utf8(splicer.output()).unwrap(),
        splicer.usage(),
    ))
}

fn fixtures() -> Vec<(&'static str, String)> {
    let pad = |data: &str| data.strip_suffix('}').unwrap().to_owned() + "   }";
    vec![
        ("text, padded, with pings", {
            let mut all = frame(START) + &frame(&pad(&words(0)));
            all += "event: ping\ndata: {\"type\": \"ping\"}\n\n";
            all + &frames(&[&pad(&piece(0, "text", "Жизнь 👋 \\ \"x\"")), &close(0), &reason("end_turn"), STOP])
        }),
        (
            "thinking, redacted, text, two calls, one without arguments",
            stream(
                &[
                    begin(0, &json!({"type": "thinking", "thinking": "", "signature": ""})),
                    piece(0, "thinking", "hm"),
                    piece(0, "signature", "c2ln"),
                    close(0),
                    begin(1, &json!({"type": "redacted_thinking", "data": "b3Bh"})),
                    close(1),
                    words(2),
                    piece(2, "text", "so"),
                    close(2),
                    tool(3, "toolu_a"),
                    piece(3, "partial_json", ""),
                    piece(3, "partial_json", "{\"x\": \"\\u00"),
                    piece(3, "partial_json", "e9\"}"),
                    close(3),
                    tool(4, "toolu_b"),
                    piece(4, "partial_json", ""),
                    close(4),
                ],
                "tool_use",
            ),
        ),
        (
            "a tool that the provider runs, and events newer than us",
            stream(
                &[
                    begin(0, &json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
                    piece(0, "partial_json", "{\"q\""),
                    piece(0, "partial_json", ": 1}"),
                    close(0),
                    begin(1, &json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []})),
                    close(1),
                    json!({"type": "brand_new", "x": [1]}).to_string(),
                    words(2),
                    json!({"type": "content_block_delta", "index": 2, "delta": {"type": "brand_new_delta"}}).to_string(),
                    piece(2, "text", "a"),
                    close(2),
                ],
                "end_turn",
            ),
        ),
        ("nothing but a refusal", stream(&[], "refusal")),
        (
            "a call that the token limit cut",
            stream(&[tool(0, "a"), piece(0, "partial_json", "{\"x\":"), close(0)], "max_tokens"),
        ),
        (
            "all of it in the start, from code that runs at the provider",
            frames(&[
                r#"{"type":"message_start","message":{"model":"claude-x","type":"message","role":"assistant","stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0},"content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1},"caller":{"type":"code"}}],"id":"msg_2","stop_reason":"tool_use"}}"#,
                STOP,
            ]),
        ),
    ]
}

#[test]
fn a_stream_passes_as_it_came_but_for_the_model() {
    for (what, stream) in fixtures() {
        let expected = stream.replace("claude-x", "mine");
        let bytes = stream.as_bytes();
        let (out, usage) = spliced([bytes]).unwrap_or_else(|class| panic!("{what}: {class:?}"));
        assert_eq!(out, expected, "{what}");
        for cut in 0..=bytes.len() {
            let (again, _) = spliced([&bytes[..cut], &bytes[cut..]]).unwrap();
            assert_eq!(again, expected, "{what} cut at {cut}");
        }
        assert_eq!(
            spliced(bytes.chunks(1)),
            Ok((out, usage)),
            "{what} byte by byte"
        );
    }
}

#[test]
fn without_its_last_event_a_stream_is_broken() {
    for (what, stream) in fixtures() {
        let last = stream.trim_end().rfind("\n\n").unwrap() + 2;
        assert_eq!(
            spliced([&stream.as_bytes()[..last]]),
            Err(Class::Broken),
            "{what}"
        );
        let mut splicer = Splicer::new(Some("mine".into()));
        splicer.feed(&stream.as_bytes()[..last]).unwrap();
        assert!(!splicer.done());
        // Only the end is missing when the connection breaks, so it is written.
        splicer
            .cut()
            .unwrap_or_else(|failure| panic!("{what}: {failure:?}"));
        let expected = stream.replace("claude-x", "mine");
        assert_eq!(
            String::from_utf8(splicer.output()).unwrap(),
            expected,
            "{what}"
        );
    }
}

#[test]
fn other_frames_and_ends_of_lines_are_brought_to_the_form_that_sdks_read() {
    let (plain, _) = spliced([fixtures()[1].1.as_bytes()]).unwrap();
    let stream = fixtures()[1].1.replace('\n', "\r\n");
    assert_eq!(spliced([stream.as_bytes()]).unwrap().0, plain);
    let mut nameless = String::new();
    for line in fixtures()[1]
        .1
        .lines()
        .filter(|line| !line.starts_with("event:"))
    {
        nameless += line;
        nameless.push('\n');
    }
    assert_eq!(spliced([nameless.as_bytes()]).unwrap().0, plain);
}

#[test]
fn what_is_used_is_counted() {
    let (_, usage) = spliced([fixtures()[0].1.as_bytes()]).unwrap();
    let expected = Usage {
        prompt: Some(15),
        cached: Some(5),
        cache_write: None,
        reasoning: None,
        completion: Some(7),
    };
    assert_eq!(usage, expected);
}

/// How far a splicer is after each of some events: arrived, released, and the events put out.
fn steps(events: &[String]) -> Vec<(bool, bool, usize)> {
    let mut splicer = Splicer::new(None);
    splicer.event(START).unwrap();
    let mut let_go = 0;
    let steps = events.iter().map(|data| {
        splicer.event(data).unwrap();
        let out = String::from_utf8(splicer.output()).unwrap();
        let_go += out.matches("event: ").count();
        (splicer.arrived(), splicer.released(), let_go)
    });
    steps.collect()
}

#[test]
fn a_call_goes_out_whole_and_text_at_once() {
    for (what, events, expected) in [
        (
            "a call alone",
            vec![tool(0, "a"), piece(0, "partial_json", "{}"), close(0)],
            vec![(true, false, 1), (true, false, 1), (true, true, 4)],
        ),
        (
            "a ping passes what is held",
            vec![
                tool(0, "a"),
                piece(0, "partial_json", "{}"),
                json!({"type": "ping"}).to_string(),
                close(0),
            ],
            vec![
                (true, false, 1),
                (true, false, 1),
                (true, false, 2),
                (true, true, 5),
            ],
        ),
        (
            "a call without arguments waits: a limit may have cut it",
            vec![tool(0, "a"), close(0), words(1)],
            vec![(true, false, 1), (true, false, 1), (true, true, 4)],
        ),
        (
            "until the end says that none has",
            vec![tool(0, "a"), close(0), reason("tool_use")],
            vec![(true, false, 1), (true, false, 1), (true, true, 4)],
        ),
        (
            "an empty block of text says nothing",
            vec![
                words(0),
                piece(0, "text", ""),
                piece(0, "text", "x"),
                close(0),
            ],
            vec![
                (false, false, 2),
                (false, false, 3),
                (true, true, 4),
                (true, true, 5),
            ],
        ),
        (
            "a signature alone shows nothing yet",
            vec![
                begin(
                    0,
                    &json!({"type": "thinking", "thinking": "", "signature": ""}),
                ),
                piece(0, "signature", "s"),
                close(0),
                words(1),
                piece(1, "text", "x"),
            ],
            vec![
                (false, false, 2),
                (false, false, 3),
                (false, false, 4),
                (false, false, 5),
                (true, true, 6),
            ],
        ),
        (
            "what follows an open call waits with it, in order",
            vec![
                tool(0, "a"),
                piece(0, "partial_json", "{}"),
                words(1),
                piece(1, "text", "x"),
                close(1),
                close(0),
            ],
            vec![
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, true, 7),
            ],
        ),
        (
            "of two calls at a time none goes before both are whole",
            vec![
                tool(0, "a"),
                tool(1, "b"),
                piece(0, "partial_json", "{}"),
                piece(1, "partial_json", "{}"),
                close(1),
                close(0),
            ],
            vec![
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, true, 7),
            ],
        ),
        (
            "a call behind text is held, the text is not",
            vec![
                words(0),
                piece(0, "text", "x"),
                close(0),
                tool(1, "a"),
                piece(1, "partial_json", "{}"),
                close(1),
            ],
            vec![
                (false, false, 2),
                (true, true, 3),
                (true, true, 4),
                (true, true, 4),
                (true, true, 4),
                (true, true, 7),
            ],
        ),
        (
            "what the provider runs has begun at first sight",
            vec![begin(
                0,
                &json!({"type": "server_tool_use", "id": "s", "name": "w", "input": {}}),
            )],
            vec![(true, true, 2)],
        ),
    ] {
        assert_eq!(steps(&events), expected, "{what}");
    }
}

#[test]
fn a_call_is_measured_by_its_arguments_and_what_is_held_by_its_frames() {
    // So many pieces of so many bytes each, in one string of the arguments.
    let fed = |count: usize, bytes: usize| {
        let mut splicer = Splicer::new(None);
        splicer.feed(frame(START).as_bytes()).unwrap();
        let opening = [tool(0, "a"), piece(0, "partial_json", "{\"x\":\"")];
        for data in opening {
            splicer.feed(frame(&data).as_bytes()).unwrap();
        }
        let more = frame(&piece(0, "partial_json", &"x".repeat(bytes)));
        let pieces = std::iter::repeat_n(more, count);
        let fed = pieces
            .into_iter()
            .try_for_each(|more| splicer.feed(more.as_bytes()));
        let close = [
            piece(0, "partial_json", "\"}"),
            close(0),
            reason("tool_use"),
            STOP.to_owned(),
        ];
        let closed = fed.and_then(|()| {
            let mut close = close.iter();
            close.try_for_each(|data| splicer.feed(frame(data).as_bytes()))
        });
        closed
            .map_err(|failure| failure.class)
            .map(|()| splicer.done())
    };
    // Its frames are a hundred times as long.
    assert_eq!(fed(100_000, 1), Ok(true));
    assert_eq!(fed(255, 1024), Ok(true));
    assert_eq!(fed(256, 1024), Err(Class::Broken));
    assert_eq!(fed(200_000, 1), Err(Class::Broken), "too many frames");
}

#[test]
fn what_is_no_answer_is_broken_or_the_error_it_names() {
    let text = [words(0), piece(0, "text", "x"), close(0)];
    let torn = [tool(0, "a"), piece(0, "partial_json", "{\"x\":"), close(0)];
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (what, stream, expected) in [
        ("nothing", String::new(), Class::Broken),
        ("no start", frames(&[&words(0), STOP]), Class::Broken),
        (
            "an empty answer",
            stream(&[words(0), close(0)], "end_turn"),
            Class::Broken,
        ),
        (
            "no reason",
            frames(&[START, &text[0], &text[1], &text[2], STOP]),
            Class::Broken,
        ),
        ("half a call", stream(&torn, "tool_use"), Class::Broken),
        (
            "a second answer behind a block",
            frames(&[START, &text[0], &text[1], &text[2], START]),
            Class::Broken,
        ),
        (
            "half a call before another block",
            frames(&[START, &torn[0], &torn[1], &torn[2], &words(1)]),
            Class::Broken,
        ),
        (
            "an open call at the end",
            stream(&torn[..2], "tool_use"),
            Class::Broken,
        ),
        (
            "arguments that are no object",
            stream(
                &[tool(0, "a"), piece(0, "partial_json", "[]"), close(0)],
                "tool_use",
            ),
            Class::Broken,
        ),
        (
            "a call without a name",
            stream(
                &[begin(0, &json!({"type": "tool_use", "id": "a"}))],
                "tool_use",
            ),
            Class::Broken,
        ),
        (
            "a piece of no block",
            stream(&[piece(3, "text", "x")], "end_turn"),
            Class::Broken,
        ),
        (
            "a block twice",
            stream(&[words(0), words(0)], "end_turn"),
            Class::Broken,
        ),
        (
            "another answer in the middle",
            frames(&[START, &words(0), START]),
            Class::Broken,
        ),
        (
            "a piece that is no text",
            stream(
                &[words(0), piece(0, "text", "x").replace("\"x\"", "1")],
                "end_turn",
            ),
            Class::Broken,
        ),
        (
            "not JSON",
            "data: {\"type\":\"ping\"\n\n".into(),
            Class::Broken,
        ),
        ("an error", frames(&[START, overloaded]), Class::Overloaded),
        (
            "an error without its name",
            format!("data: {overloaded}\n\n"),
            Class::Overloaded,
        ),
        (
            "an error of another form",
            "data: {\"error\":{\"code\":\"insufficient_quota\"}}\n\n".into(),
            Class::QuotaExhausted,
        ),
    ] {
        assert_eq!(
            spliced([stream.as_bytes()]).map(drop),
            Err(expected),
            "{what}"
        );
    }
}

#[test]
fn a_start_that_is_repeated_is_passed_on_once() {
    let once = stream(&[words(0), piece(0, "text", "x"), close(0)], "end_turn");
    let twice = frame(START) + &once;
    assert_eq!(spliced([twice.as_bytes()]), spliced([once.as_bytes()]));
}

#[test]
fn what_is_held_and_withheld_is_bounded() {
    let ping = format!("{{\"type\":\"ping\",\"p\":\"{}\"}}", "x".repeat(1 << 19));
    let arguments = piece(0, "partial_json", &"x".repeat(1 << 17));
    for (what, begun, repeated, passed) in [
        ("4 MiB before the first token", vec![], vec![ping; 9], 7),
        (
            "256 KiB of arguments",
            vec![tool(0, "a")],
            vec![arguments; 3],
            2,
        ),
        ("64 open blocks", vec![], (0..65).map(words).collect(), 64),
    ] {
        let mut splicer = Splicer::new(None);
        splicer.event(START).unwrap();
        for data in &begun {
            splicer.event(data).unwrap();
        }
        let fine = repeated
            .iter()
            .take_while(|data| splicer.event(data).is_ok());
        assert_eq!(fine.count(), passed, "{what}");
    }
}

fn message(content: &Value, stop_reason: &str) -> String {
    json!({
        "model": "claude-x", "id": "msg_1", "type": "message", "role": "assistant", "content": content,
        "stop_reason": stop_reason, "stop_sequence": null,
        "usage": {"input_tokens": 3, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}},
    })
    .to_string()
}

fn contents() -> Vec<(Value, &'static str)> {
    vec![
        (json!([{"type": "text", "text": "x\ny"}]), "end_turn"),
        (
            json!([
                {"type": "thinking", "thinking": "", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "text", "text": "x"},
                {"type": "server_tool_use", "id": "s", "name": "w", "input": {"q": 1}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"x": 1}]},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": [1, {}]}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ]),
            "tool_use",
        ),
        (json!([]), "refusal"),
        (json!([]), "pause_turn"),
    ]
}

#[test]
fn a_plain_answer_passes_as_it_came_but_for_the_model() {
    for (content, reason) in contents() {
        let body = message(&content, reason);
        let usage = Usage {
            prompt: Some(3),
            reasoning: Some(1),
            completion: Some(2),
            ..Usage::default()
        };
        let came = Bytes::from(body.clone());
        assert_eq!(
            splice_answer(&came, Some("mine")),
            Ok((body.replace("claude-x", "mine").into(), usage))
        );
        assert_eq!(splice_answer(&came, None), Ok((came.clone(), usage)));
    }
}

#[test]
fn a_plain_answer_is_the_same_message_as_a_stream() {
    for (content, reason) in contents() {
        let mut expected: Value = serde_json::from_str(&message(&content, reason)).unwrap();
        let mut splicer = Splicer::new(Some("mine".into()));
        splicer
            .whole(serde_json::to_string_pretty(&expected).unwrap().as_bytes())
            .unwrap();
        assert!(splicer.done());
        expected["model"] = "mine".into();
        let stream = String::from_utf8(splicer.output()).unwrap();
        assert_eq!(accumulated(&stream), expected);
    }
}

#[test]
fn a_plain_body_that_is_no_answer_is_broken_or_the_error_it_names() {
    let error =
        |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "m"}}).to_string();
    for (body, expected) in [
        (String::new(), Class::Broken),
        ("<html>".into(), Class::Broken),
        ("[]".into(), Class::Broken),
        ("{}".into(), Class::Broken),
        (message(&json!([]), "end_turn"), Class::Broken),
        (
            message(&json!([{"type": "text", "text": ""}]), "end_turn"),
            Class::Broken,
        ),
        (
            message(
                &json!([{"type": "tool_use", "id": "a", "name": "f", "input": "{}"}]),
                "tool_use",
            ),
            Class::Broken,
        ),
        (message(&json!("x"), "end_turn"), Class::Broken),
        (
            message(&json!([{"type": "text", "text": "x"}]), "end_turn")[..40].to_owned(),
            Class::Broken,
        ),
        (error("overloaded_error"), Class::Overloaded),
        (error("api_error"), Class::Broken),
    ] {
        let refused = splice_answer(&Bytes::from(body.clone()), Some("mine"));
        assert_eq!(
            refused.map_err(|failure| failure.class),
            Err(expected),
            "{body}"
        );
        let mut splicer = Splicer::new(None);
        let refused = splicer.whole(body.as_bytes());
        assert_eq!(
            refused.map_err(|failure| failure.class),
            Err(expected),
            "{body}"
        );
    }
}
