//! Streams of frames: what is mended in them, and what stays as it came.

use super::*;

#[test]
fn dirt_is_mended_and_the_rest_stays_as_it_came() {
    let cases: &[(&str, String, String)] = &[
        (
            "a clean stream changes only in its model",
            frame(
                r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#,
            ) + &frame(r#"{"index":0,"delta":{"content":"Hi é"},"x":1e400}"#)
                + &frame(STOP)
                + DONE,
            shown(
                r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#,
            ) + &shown(r#"{"index":0,"delta":{"content":"Hi é"},"x":1e400}"#)
                + &shown(STOP)
                + DONE,
        ),
        (
            "comments, ids, retry lines, pings, CRLF, a missing end",
            format!(
                ": hello\r\n\r\nretry: 3000\r\n\r\nid: 7\r\n{}event: ping\ndata: {{}}\n\ndata:\n\n{}",
                frame(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#)
                    .replace('\n', "\r\n"),
                frame(STOP).trim_end(),
            ),
            shown(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#)
                + &shown(STOP)
                + DONE,
        ),
        (
            "the role once, at the front",
            frame(r#"{"index":0,"delta":{"content":"a"}}"#)
                + &frame(r#"{"index":0,"delta":{"role":"assistant","content":"b"}}"#)
                + &frame(r#"{"index":0,"delta":{"role":"assistant"},"finish_reason":"eos"}"#),
            shown(r#"{"index":0,"delta":{"role":"assistant","content":"a"}}"#)
                + &shown(r#"{"index":0,"delta":{"content":"b"}}"#)
                + &shown(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#)
                + DONE,
        ),
        (
            "no choice index, no delta, an empty finish reason",
            frame(r#"{"delta":{"role":"assistant","content":"a"},"finish_reason":""}"#)
                + &frame(r#"{"delta":null,"finish_reason":"stop"}"#),
            shown(r#"{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}"#)
                + &shown(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#)
                + DONE,
        ),
        (
            "content in parts",
            frame(
                r#"{"index":0,"delta":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}"#,
            ) + &frame(r#"{"index":0,"delta":{"content":"Hi"}}"#)
                + &frame(STOP),
            shown(
                r#"{"index":0,"delta":{"reasoning_content":"hm","role":"assistant","content":null}}"#,
            ) + &shown(r#"{"index":0,"delta":{"content":"Hi"}}"#)
                + &shown(STOP)
                + DONE,
        ),
        (
            "ids, names and indexes as the SDKs want them",
            frame(
                r#"{"index":0,"delta":{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":""}}]}}"#,
            ) + &frame(
                r#"{"index":0,"delta":{"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]}}"#,
            ) + &frame(
                r#"{"index":0,"delta":{"tool_calls":[{"index":7,"id":"","type":"function","function":{"name":"g","arguments":{"y":[2]}}}]}}"#,
            ) + &frame(r#"{"index":0,"delta":{},"finish_reason":"tool_use"}"#),
            shown(
                r#"{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"type":"function","id":"a","function":{"name":"f","arguments":""}}]}}"#,
            ) + &shown(
                r#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]}}"#,
            ) + &shown(
                r#"{"index":0,"delta":{"tool_calls":[{"index":1,"id":"ID","type":"function","function":{"name":"g","arguments":"{\"y\":[2]}"}}]}}"#,
            ) + &shown(r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#)
                + DONE,
        ),
        (
            "a call without arguments has empty ones",
            frame(
                r#"{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}"#,
            ) + &frame(r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#),
            shown(
                r#"{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}"#,
            ) + &shown(
                r#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"finish_reason":null}"#,
            ) + &shown(r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#)
                + DONE,
        ),
        (
            "also when it comes in one frame",
            frame(
                r#"{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":"tool_calls"}"#,
            ),
            shown(
                r#"{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}"#,
            ) + DONE,
        ),
        (
            "an answer that its limit cut to nothing is an answer",
            frame(r#"{"index":0,"delta":{"role":"assistant","content":""}}"#)
                + &frame(r#"{"index":0,"delta":{},"finish_reason":"length"}"#),
            shown(r#"{"index":0,"delta":{"role":"assistant","content":""}}"#)
                + &shown(r#"{"index":0,"delta":{},"finish_reason":"length"}"#)
                + DONE,
        ),
    ];
    for (what, sent, expected) in cases {
        let seen = decode_every_way(&wanted(false), sent)
            .unwrap_or_else(|failure| panic!("{what}: {failure:?}"));
        let seen = match seen.find("call_") {
            Some(at) => seen.replace(&seen[at..at + 29], "ID"),
            None => seen,
        };
        assert_eq!(&seen, expected, "{what}");
    }
}

#[test]
fn frames_that_repeat_each_other_stay_as_they_came() {
    let mut stream =
        frame(r#"{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}"#);
    let words = [
        "one",
        "",
        "\\n",
        "\\u00e9 \\\"two\\\"",
        "дом",
        "{\\\"x\\\":[1]}",
        "\\\\",
    ];
    for (i, word) in words.iter().cycle().take(15).enumerate() {
        let choice = match i % 10 {
            3 => format!(
                r#"{{"index":0,"delta":{{"reasoning_content":"{word}"}},"finish_reason":null}}"#
            ),
            7 => format!(
                r#"{{"index":0,"delta":{{"content":"{word}"}},"finish_reason":null,"x":{i}}}"#
            ),
            _ => format!(r#"{{"index":0,"delta":{{"content":"{word}"}},"finish_reason":null}}"#),
        };
        let padding = format!("],\"obfuscation\":\"{}\"}}\n", "x".repeat(i % 5));
        stream += &frame(&choice).replace("]}\n", if i % 4 == 0 { "]}\n" } else { &padding });
    }
    stream += &frame(STOP);
    let seen = decode_every_way(&wanted(false), &stream).unwrap();
    assert_eq!(seen, stream.replace("theirs", "mine") + DONE);

    // What looks like the frame before it but is no JSON is still found out.
    let broken = stream.replace("дом", "до\u{1}м");
    assert!(decode_every_way(&wanted(false), &broken).is_err());
}

#[test]
fn usage_is_sent_once_behind_the_finish_if_it_was_asked_for() {
    let usage = r#"{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}"#;
    let text = frame(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#);
    let with =
        |frame: &str, usage: &str| frame.replace("]}\n", &format!("],\"usage\":{usage}}}\n"));
    let own = format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"theirs\",\"choices\":[],\"usage\":{usage}}}\n\n"
    );
    let early = r#"{"prompt_tokens":3,"completion_tokens":null}"#;
    let streams = [
        (
            "a frame of its own",
            with(&text, "null") + &with(&frame(STOP), "null") + &own + DONE,
        ),
        ("twice", text.clone() + &frame(STOP) + &own + &own + DONE),
        (
            "on the finish",
            text.clone() + &with(&frame(STOP), usage) + DONE,
        ),
        (
            "on every frame",
            with(&text, early) + &with(&frame(STOP), usage) + DONE,
        ),
        (
            "on a frame of choices behind the finish",
            text.clone() + &frame(STOP) + &with(&frame(STOP), usage) + DONE,
        ),
    ];
    for (what, stream) in &streams {
        let text = shown(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#);
        let unasked = decode_every_way(&wanted(false), stream).unwrap();
        assert_eq!(unasked, text.clone() + &shown(STOP) + DONE, "{what}");
        let asked = decode_every_way(&wanted(true), stream).unwrap();
        assert_eq!(
            asked.replace(",\"usage\":null", ""),
            text + &shown(STOP) + &own.replace("theirs", "mine") + DONE,
            "{what}"
        );

        let mut decoder = Decoder::new(wanted(false));
        decoder.feed(stream.as_bytes()).unwrap();
        assert_eq!(
            (decoder.usage().prompt, decoder.usage().completion),
            (Some(3), Some(2)),
            "{what}"
        );
    }
}

#[test]
fn frames_without_choices_reach_only_those_who_know_them() {
    let preamble =
        "data: {\"id\":\"\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n";
    let moderation =
        "data: {\"id\":\"c1\",\"model\":\"theirs\",\"choices\":[],\"moderation\":{}}\n\n";
    let text = frame(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#);
    let stream = format!("{preamble}{text}{}{moderation}{DONE}", frame(STOP));
    let plain = decode_every_way(&wanted(false), &stream).unwrap();
    assert!(
        !plain.contains("moderation") && !plain.contains("prompt_filter"),
        "{plain}"
    );
    let asked = Wanted {
        moderation: true,
        ..wanted(false)
    };
    let seen = decode_every_way(&asked, &stream).unwrap();
    assert!(
        seen.contains("moderation") && !seen.contains("prompt_filter"),
        "{seen}"
    );
}

#[test]
fn a_tool_call_is_held_until_it_is_whole_while_text_flows() {
    let mut decoder = Decoder::new(wanted(false));
    let mut feed = |choice: &str| {
        decoder.feed(frame(choice).as_bytes()).unwrap();
        (
            decoder.arrived(),
            decoder.released(),
            String::from_utf8(decoder.output()).unwrap(),
        )
    };
    let first = r#"{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}"#;
    let part =
        r#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]}}"#;
    let text = r#"{"index":0,"delta":{"content":"so"}}"#;
    let second = r#"{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{"}}]}}"#;
    let rest = r#"{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"}"}}]}}"#;
    let end = r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#;
    assert_eq!(feed(first), (true, false, String::new()));
    assert_eq!(feed(part), (true, false, String::new()));
    assert_eq!(feed(text), (true, true, shown(text)));
    assert_eq!(feed(second), (true, true, shown(first) + &shown(part)));
    assert_eq!(feed(rest), (true, true, String::new()));
    assert_eq!(
        feed(end),
        (true, true, shown(second) + &shown(rest) + &shown(end))
    );
}

#[test]
fn completions_stream_in_their_own_shape() {
    let wanted = Wanted {
        shape: Shape::Completions,
        ..wanted(false)
    };
    let frame = |text: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"text_completion\",\"model\":\"theirs\",\"choices\":[{{\"text\":\"{text}\",\"index\":0,\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let stream = frame("Hi", "null") + &frame("", "\"stop\"");
    let seen = decode_every_way(&wanted, &stream).unwrap();
    assert_eq!(seen, stream.replace("theirs", "mine") + DONE);
    assert!(decode_every_way(&wanted, &frame("", "\"stop\"")).is_err());
}
