//! Whole streams and answers through the decoder, cut at every byte.

mod events;
mod read;
mod recordings;
mod show;
mod write;

use super::*;
use crate::chat::Surface;
use crate::outcome::{Class, Failure};

fn wanted(usage: bool) -> Wanted {
    Wanted {
        shape: Shape::Chat,
        choices: 1,
        model: Some("mine".into()),
        usage,
        moderation: false,
        seed: 1,
    }
}

/// What comes out of a stream that arrives in these chunks and then ends.
fn decode(wanted: &Wanted, chunks: &[&[u8]]) -> Result<String, Failure> {
    let mut decoder = Decoder::new(wanted.clone());
    chunks.iter().try_for_each(|chunk| decoder.feed(chunk))?;
    decoder.end()?;
    Ok(String::from_utf8(decoder.output()).unwrap())
}

/// The same, checked to be the same wherever the stream is cut.
fn decode_every_way(wanted: &Wanted, stream: &str) -> Result<String, Failure> {
    let bytes = stream.as_bytes();
    let whole = decode(wanted, &[bytes]);
    for cut in 0..=bytes.len() {
        assert_eq!(
            decode(wanted, &[&bytes[..cut], &bytes[cut..]]),
            whole,
            "cut at {cut}"
        );
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(wanted, &single), whole, "byte by byte");
    whole
}

/// A frame of one choice, as a server sends it.
fn frame(choice: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"theirs\",\"choices\":[{choice}]}}\n\n"
    )
}

/// A frame of one choice, as the caller sees it.
fn shown(choice: &str) -> String {
    frame(choice).replace("theirs", "mine")
}

const DONE: &str = "data: [DONE]\n\n";
const STOP: &str = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;

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
fn a_stream_that_is_no_answer_is_broken_and_never_ended() {
    let text = frame(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#);
    let call = frame(
        r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\""}}]}}"#,
    );
    for (what, stream) in [
        ("nothing", String::new()),
        ("only the end", DONE.into()),
        ("no finish", text.clone()),
        ("an end without a finish", text.clone() + DONE),
        (
            "a role and a finish",
            frame(r#"{"index":0,"delta":{"role":"assistant"}}"#) + &frame(STOP) + DONE,
        ),
        ("rubbish", text.clone() + "data: {\"choi\n\n" + &frame(STOP)),
        (
            "not UTF-8 would be rubbish, too",
            text.clone() + "data: \u{0}\n\n",
        ),
        (
            "an error",
            text.clone() + "data: {\"error\":{\"message\":\"no\"}}\n\n" + DONE,
        ),
        (
            "an error beside choices",
            text.clone() + &frame(STOP).replace("]}", "],\"error\":{\"code\":502}}"),
        ),
        (
            "an error field",
            text.clone() + "error: {\"code\":500}\n\n" + DONE,
        ),
        (
            "a flat error",
            text.clone() + "event: error\ndata: {\"message\":\"no\"}\n\n" + DONE,
        ),
        (
            "a finish that says error",
            text.clone() + &frame(r#"{"index":0,"delta":{},"finish_reason":"error"}"#),
        ),
        (
            "half an argument",
            call.clone() + &frame(r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#) + DONE,
        ),
        (
            "one of two choices",
            text.clone() + &frame(STOP) + &frame(r#"{"index":1,"delta":{"content":"x"}}"#) + DONE,
        ),
    ] {
        let failure = decode_every_way(&wanted(false), &stream).unwrap_err();
        assert_eq!(failure.class, Class::Broken, "{what}: {failure:?}");
        let mut decoder = Decoder::new(wanted(false));
        let _ = decoder.feed(stream.as_bytes()).and_then(|()| decoder.end());
        let out = String::from_utf8(decoder.output()).unwrap();
        assert!(
            !out.contains("[DONE]") && !out.contains("error"),
            "{what}: {out}"
        );
    }
}

#[test]
fn a_cut_behind_the_finish_of_every_choice_costs_nothing() {
    let text = frame(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#);
    for (choices, stream, whole) in [
        (1, text.clone(), false),
        (1, text.clone() + &frame(STOP), true),
        (
            1,
            text.clone() + &frame(STOP) + "data: {\"choices\":[],\"usa",
            true,
        ),
        (2, text.clone() + &frame(STOP), false),
    ] {
        let mut decoder = Decoder::new(Wanted {
            choices,
            ..wanted(false)
        });
        decoder.feed(stream.as_bytes()).unwrap();
        assert_eq!(decoder.cut().is_ok(), whole, "{choices} {stream}");
        assert_eq!(decoder.output().ends_with(DONE.as_bytes()), whole);
    }
    let mut decoder = Decoder::new(Wanted {
        shape: Shape::Completions,
        ..wanted(false)
    });
    let first = frame(r#"{"index":0,"text":"Hi","finish_reason":"stop"}"#);
    decoder.feed(first.as_bytes()).unwrap();
    assert!(decoder.cut().is_err(), "the other prompts had not begun");
}

#[test]
fn what_a_stream_may_make_us_keep_is_bounded() {
    let role = |index: u64| {
        frame(&format!(
            r#"{{"index":{index},"delta":{{"role":"assistant"}}}}"#
        ))
    };
    let words = frame(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#);
    for (what, opening, frames) in [
        ("choices without end", words, (0..2000).map(role).collect()),
        (
            "frames that say nothing",
            String::new(),
            vec![role(0).repeat(64); 1024],
        ),
    ] {
        let mut decoder = Decoder::new(wanted(false));
        decoder.feed(opening.as_bytes()).unwrap();
        let fed = frames
            .iter()
            .try_for_each(|frame: &String| decoder.feed(frame.as_bytes()));
        assert_eq!(fed.unwrap_err().class, Class::Broken, "{what}");
    }
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
fn a_whole_answer_becomes_a_stream() {
    let mut decoder = Decoder::new(wanted(true));
    let whole = r#"{"id":"c1","object":"chat.completion","created":1,"model":"theirs","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3}}"#;
    decoder.whole(whole.as_bytes()).unwrap();
    let out = String::from_utf8(decoder.output()).unwrap();
    assert!(
        out.contains(
            r#""delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a""#
        ),
        "{out}"
    );
    assert!(
        out.contains("\"object\":\"chat.completion.chunk\"") && !out.contains("message\""),
        "{out}"
    );
    assert!(
        out.ends_with(&format!(
            "\"choices\":[],\"usage\":{{\"prompt_tokens\":3}}}}\n\n{DONE}"
        )),
        "{out}"
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

#[test]
fn a_plain_answer_is_judged() {
    let judge = |surface: Surface, body: &str| {
        let shown = Shown {
            surface,
            model: Some("mine"),
            base64: false,
            seed: 1,
        };
        answer(&body.to_owned().into(), shown)
            .map(|answer| String::from_utf8(answer.body.to_vec()).unwrap())
    };
    let chat = |message: &str, finish: &str| {
        format!(
            r#"{{"id":"c","model":"theirs","choices":[{{"index":0,"message":{message},"finish_reason":"{finish}"}}],"usage":{{"prompt_tokens":3}},"x":1e400}}"#
        )
    };
    for (what, body) in [
        (
            "text",
            chat(r#"{"role":"assistant","content":"Hi"}"#, "stop"),
        ),
        (
            "white space before it",
            "\n \n".to_owned() + &chat(r#"{"role":"assistant","content":"Hi"}"#, "stop"),
        ),
        (
            "a refusal",
            chat(
                r#"{"role":"assistant","content":null,"refusal":"no"}"#,
                "stop",
            ),
        ),
        (
            "audio",
            chat(
                r#"{"role":"assistant","content":null,"audio":{"id":"a"}}"#,
                "stop",
            ),
        ),
        (
            "nothing, for the limit's sake",
            chat(r#"{"role":"assistant","content":""}"#, "length"),
        ),
        (
            "half an argument, for the limit's sake",
            chat(
                r#"{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{"}}]}"#,
                "length",
            ),
        ),
        (
            "a custom tool",
            chat(
                r#"{"role":"assistant","tool_calls":[{"id":"a","type":"custom","custom":{"name":"f","input":"x"}}]}"#,
                "tool_calls",
            ),
        ),
    ] {
        assert_eq!(
            judge(Surface::Chat, &body).unwrap(),
            body.replace("theirs", "mine"),
            "{what}"
        );
    }
    for (what, sent, expected) in [
        (
            "a message for a filtered choice",
            r#"{"model":"theirs","choices":[{"index":0,"finish_reason":"content_filter"}]}"#.into(),
            r#"{"model":"theirs","choices":[{"message":{"role":"assistant","content":null},"index":0,"finish_reason":"content_filter"}]}"#.into(),
        ),
        (
            "a role",
            chat(r#"{"content":"Hi"}"#, "eos"),
            chat(r#"{"role":"assistant","content":"Hi"}"#, "stop"),
        ),
        (
            "arguments",
            chat(
                r#"{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}},{"id":"b","type":"function","function":{"name":"g","arguments":""}}]}"#,
                "tool_calls",
            ),
            chat(
                r#"{"role":"assistant","tool_calls":[{"type":"function","id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}"#,
                "tool_calls",
            ),
        ),
    ] {
        assert_eq!(
            judge(Surface::Chat, &sent).unwrap(),
            expected.replace("theirs", "mine"),
            "{what}"
        );
    }
    for (what, body) in [
        ("nothing", String::new()),
        ("HTML", "<html>".into()),
        ("a list", "[]".into()),
        (
            "half of it",
            chat(r#"{"role":"assistant","content":"Hi"}"#, "stop")[..60].into(),
        ),
        ("an error", r#"{"error":{"message":"no"}}"#.into()),
        ("no choices", r#"{"id":"c","choices":[]}"#.into()),
        ("something else", r#"{"id":"c"}"#.into()),
        (
            "no message",
            r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#.into(),
        ),
        (
            "an empty one",
            chat(r#"{"role":"assistant","content":""}"#, "stop"),
        ),
        (
            "null",
            chat(r#"{"role":"assistant","content":null}"#, "stop"),
        ),
        (
            "arguments that are none",
            chat(
                r#"{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{x"}}]}"#,
                "tool_calls",
            ),
        ),
    ] {
        assert_eq!(
            judge(Surface::Chat, &body).unwrap_err().class,
            Class::Broken,
            "{what}"
        );
    }
}

#[test]
fn vectors_come_in_the_form_that_was_asked_for() {
    let floats = r#"{"data":[{"embedding":[1.0,-0.5],"index":0}],"model":"theirs"}"#;
    let coded = r#"{"data":[{"embedding":"AACAPwAAAL8=","index":0}],"model":"theirs"}"#;
    for (sent, base64, expected) in [
        (floats, true, coded),
        (coded, false, floats),
        (floats, false, floats),
        (coded, true, coded),
    ] {
        let shown = Shown {
            surface: Surface::Embeddings,
            model: None,
            base64,
            seed: 1,
        };
        let answer = answer(&sent.to_owned().into(), shown).unwrap();
        assert_eq!(answer.body, expected.as_bytes());
    }
    let shown = Shown {
        surface: Surface::Embeddings,
        model: None,
        base64: true,
        seed: 1,
    };
    for body in [
        r#"{"data":[]}"#,
        r#"{"data":[{"index":0}]}"#,
        r#"{"data":[{"embedding":["x"]}]}"#,
    ] {
        assert_eq!(
            answer(&body.to_owned().into(), shown).unwrap_err().class,
            Class::Broken,
            "{body}"
        );
    }
    let half = r#"{"data":[{"embedding":"AACAPwAA"}]}"#;
    let shown = Shown {
        base64: false,
        ..shown
    };
    let failure = answer(&half.to_owned().into(), shown).unwrap_err();
    assert_eq!(failure.class, Class::Broken, "half a number at the end");
}
