//! Streams that pass as they came.

use serde_json::json;

use super::{
    START, STOP, begin, close, frame, frames, piece, reason, spliced, stream, tool, words,
};
use crate::chat::Usage;
use crate::dialect::anthropic::surface::Splicer;
use crate::outcome::Class;

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
        ..Usage::default()
    };
    assert_eq!(usage, expected);
}
