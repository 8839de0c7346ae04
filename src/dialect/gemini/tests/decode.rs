//! Bytes into events.

use crate::chat::{Call, Event, Finish, Reason, Thought, Usage};
use crate::dialect::gemini::Decoder;
use crate::outcome::{Class, Failure};

/// A frame with one candidate: its parts, and what stands behind its content.
fn frame(parts: &str, behind: &str) -> String {
    format!(
        "data: {{\"candidates\": [{{\"content\": {{\"parts\": [{parts}],\"role\": \"model\"}}{behind}}}],\"usageMetadata\": {{\"promptTokenCount\": 12,\"candidatesTokenCount\": 3,\"totalTokenCount\": 40,\"thoughtsTokenCount\": 25}},\"modelVersion\": \"gemini-3.5-flash\",\"responseId\": \"r1\"}}\r\n\r\n"
    )
}

const STOP: &str = ",\"finishReason\": \"STOP\",\"index\": 0";

fn read(chunks: &[&[u8]]) -> Result<Vec<Event>, Failure> {
    let mut decoder = Decoder::new(1);
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk, &mut events)?;
    }
    decoder.end(&mut events)?;
    assert!(decoder.done());
    Ok(events)
}

fn text(text: &str) -> Event {
    Event::Text(text.into())
}

fn id() -> Event {
    Event::Id("r1".into())
}

fn call(id: &str, name: &str, arguments: &str, signature: Option<&str>) -> Event {
    Event::Call(Call {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        whole: true,
        signature: signature.map(Into::into),
    })
}

fn thought(text: &str, signature: &str) -> Event {
    Event::Thought(Thought {
        text: text.into(),
        signature: Some(signature.into()),
        redacted: None,
    })
}

/// What every stream of [`frame`]s ends with.
fn ending(reason: Reason) -> [Event; 2] {
    [
        Event::Usage(Usage {
            prompt: Some(12),
            cached: None,
            cache_write: None,
            reasoning: Some(25),
            completion: Some(28),
            ..Usage::default()
        }),
        Event::Finish(Finish::from(reason)),
    ]
}

fn streams() -> Vec<(&'static str, String, Vec<Event>)> {
    let with = |events: Vec<Event>, reason| {
        let mut all = vec![id()];
        all.extend(events);
        all.extend(ending(reason));
        all
    };
    vec![
        (
            "text in pieces, and an empty one at the end",
            frame(r#"{"text": "Grüß"}"#, ",\"index\": 0")
                + &frame(r#"{"text": " dich"}"#, "")
                + &frame(r#"{"text": ""}"#, STOP),
            with(vec![text("Grüß"), text(" dich")], Reason::Stop),
        ),
        (
            "a thought, an answer, and the signature on an empty part",
            frame(r#"{"text": "hm","thought": true}"#, "")
                + &frame(r#"{"text": "42"}"#, "")
                + &frame(r#"{"text": "","thoughtSignature": "S+/="}"#, STOP),
            with(
                vec![
                    Event::Reasoning("hm".into()),
                    text("42"),
                    thought("", "S+/="),
                ],
                Reason::Stop,
            ),
        ),
        (
            "a thought that is signed itself",
            frame(
                r#"{"text": "hm","thought": true,"thoughtSignature": "S"},{"text": "42"}"#,
                STOP,
            ),
            with(
                vec![
                    Event::Reasoning("hm".into()),
                    thought("hm", "S"),
                    text("42"),
                ],
                Reason::Stop,
            ),
        ),
        (
            "calls side by side, one to a chunk, and the finish after them",
            frame(
                r#"{"functionCall": {"name": "f","args": {"a": "x \" y","n": 1.50},"id": "0b3pdf3o"},"thoughtSignature": "S"}"#,
                "",
            ) + &frame(r#"{"functionCall": {"name": "g","id": "q"}}"#, "")
                + &frame(r#"{"text": ""}"#, STOP),
            with(
                vec![
                    Event::CallBegan,
                    Event::CallBegan,
                    call("0b3pdf3o", "f", r#"{"a":"x \" y","n":1.50}"#, Some("S")),
                    call("q", "g", "{}", None),
                ],
                Reason::ToolCalls,
            ),
        ),
        (
            "what is said between calls stays between them",
            frame(
                r#"{"text": "a"},{"functionCall": {"name": "f","args": {},"id": "1"}},{"text": "b"},{"functionCall": {"name": "f","args": null,"id": "2"}}"#,
                STOP,
            ),
            with(
                vec![
                    text("a"),
                    Event::CallBegan,
                    Event::CallBegan,
                    call("1", "f", "{}", None),
                    text("b"),
                    call("2", "f", "{}", None),
                ],
                Reason::ToolCalls,
            ),
        ),
        (
            "other candidates and unknown parts are not looked at",
            frame(
                r#"{"executableCode": {"code": "1"}},{"text": "a"},{"inlineData": {"mimeType": "image/png","data": "AA=="}}"#,
                r#",\"finishReason\": \"STOP\"},{"index": 1,"content": {"parts": [{"text": "z"}]}"#
                    .replace("\\\"", "\"")
                    .as_str(),
            ),
            with(vec![text("a")], Reason::Stop),
        ),
    ]
}

#[test]
fn a_stream_is_the_same_however_it_is_cut() {
    for (name, stream, expected) in streams() {
        let bytes = stream.as_bytes();
        assert_eq!(read(&[bytes]).unwrap(), expected, "{name}");
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(read(&[head, tail]).unwrap(), expected, "{name} at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single).unwrap(), expected, "{name} byte by byte");
    }
}

#[test]
fn a_stream_without_its_last_event_is_broken() {
    for (name, stream, _) in streams() {
        let end = stream.trim_end().rfind("data: ").unwrap();
        let failure = read(&[&stream.as_bytes()[..end]]).unwrap_err();
        assert_eq!(failure.class, Class::Broken, "{name}");
        // Half of it is no better.
        for cut in end..stream.trim_end().len() {
            assert!(read(&[&stream.as_bytes()[..cut]]).is_err(), "{name} {cut}");
        }
    }
}

#[test]
fn a_connection_that_breaks_behind_the_last_event_has_cut_nothing() {
    for (name, stream, expected) in streams() {
        for (cut, whole) in [(stream.len(), true), (stream.len() - 10, false)] {
            let mut decoder = Decoder::new(1);
            let mut events = Vec::new();
            decoder
                .feed(&stream.as_bytes()[..cut], &mut events)
                .unwrap();
            assert_eq!(decoder.cut(&mut events).is_ok(), whole, "{name}");
            assert_eq!(decoder.done(), whole, "{name}");
            assert_eq!(events == expected, whole, "{name}");
        }
    }
}

#[test]
fn an_answer_without_framing_is_the_same_answer() {
    for (name, stream, expected) in streams() {
        let frames = stream.split("\r\n\r\n").filter(|frame| !frame.is_empty());
        let chunks: Vec<&str> = frames.map(|frame| &frame["data: ".len()..]).collect();
        let list = format!("[{}\n]\n", chunks.join("\n,\r\n"));
        let mut decoder = Decoder::new(1);
        let mut events = Vec::new();
        decoder.whole(list.as_bytes(), &mut events).unwrap();
        assert_eq!(events, expected, "{name}");
        assert_eq!(
            read(&[list.as_bytes()]).unwrap(),
            expected,
            "{name} as a stream"
        );
        if let [whole] = chunks.as_slice() {
            let mut decoder = Decoder::new(1);
            let mut events = Vec::new();
            decoder.whole(whole.as_bytes(), &mut events).unwrap();
            assert_eq!(events, expected, "{name} alone");
            assert_eq!(read(&[whole.as_bytes()]).unwrap(), expected, "{name} alone");
        }
    }
}

#[test]
fn every_reason_to_finish_has_its_meaning() {
    use Reason::{ContentFilter, Length, Stop, ToolCalls};
    let said = r#"{"text": "a"}"#;
    let called = r#"{"functionCall": {"name": "f"}}"#;
    let none = "";
    let table: &[(&str, &str, Option<Reason>)] = &[
        ("STOP", said, Some(Stop)),
        ("STOP", called, Some(ToolCalls)),
        ("STOP", none, None),
        ("STOP", r#"{"text": ""}"#, None),
        ("OTHER", said, Some(Stop)),
        ("OTHER", none, None),
        ("NO_IMAGE", said, Some(Stop)),
        ("IMAGE_OTHER", said, Some(Stop)),
        ("FINISH_REASON_UNSPECIFIED", said, Some(Stop)),
        ("NEW_IN_2031", called, Some(ToolCalls)),
        ("MAX_TOKENS", none, Some(Length)),
        ("MAX_TOKENS", called, Some(Length)),
        ("CONTINUATION", said, Some(Length)),
        ("SAFETY", none, Some(ContentFilter)),
        ("RECITATION", said, Some(ContentFilter)),
        ("LANGUAGE", none, Some(ContentFilter)),
        ("BLOCKLIST", none, Some(ContentFilter)),
        ("PROHIBITED_CONTENT", none, Some(ContentFilter)),
        ("SPII", none, Some(ContentFilter)),
        ("MODEL_ARMOR", none, Some(ContentFilter)),
        ("ESCALATION", none, Some(ContentFilter)),
        ("IMAGE_SAFETY", none, Some(ContentFilter)),
        ("IMAGE_PROHIBITED_CONTENT", none, Some(ContentFilter)),
        ("IMAGE_RECITATION", none, Some(ContentFilter)),
        ("MALFORMED_FUNCTION_CALL", none, None),
        ("MALFORMED_FUNCTION_CALL", called, None),
        ("UNEXPECTED_TOOL_CALL", called, None),
        ("TOO_MANY_TOOL_CALLS", called, None),
        ("MISSING_THOUGHT_SIGNATURE", said, None),
        ("MALFORMED_RESPONSE", said, None),
    ];
    for (word, parts, expected) in table {
        let stream = frame(parts, "") + &frame("", &format!(",\"finishReason\":\"{word}\""));
        let mut decoder = Decoder::new(1);
        let mut events = Vec::new();
        decoder.feed(stream.as_bytes(), &mut events).unwrap();
        let ended = decoder.end(&mut events);
        if let Some(reason) = expected {
            ended.unwrap();
            let finish = Event::Finish((*reason).into());
            assert_eq!(events.last(), Some(&finish), "{word}");
        } else {
            assert_eq!(ended.unwrap_err().class, Class::Broken, "{word}");
            let whole = events.iter().any(|event| matches!(event, Event::Call(_)));
            assert!(!whole, "{word}: a call of no answer was let go");
        }
    }
}

#[test]
fn a_prompt_that_is_blocked_is_filtered() {
    let stream = "data: {\"promptFeedback\": {\"blockReason\": \"SAFETY\"}}\n\n";
    let filtered = [Event::Finish(Reason::ContentFilter.into())];
    assert_eq!(read(&[stream.as_bytes()]).unwrap(), filtered);
    let rated = "data: {\"promptFeedback\": {\"safetyRatings\": []}}\n\n";
    assert_eq!(read(&[rated.as_bytes()]).unwrap_err().class, Class::Broken);
}

#[test]
fn usage_is_the_last_that_was_counted() {
    let usage = |prompt, cached, reasoning, completion| Usage {
        prompt,
        cached,
        cache_write: None,
        reasoning,
        completion,
        ..Usage::default()
    };
    let table = [
        // Each is of all until then; one without counts says nothing.
        (
            vec![
                r#"{"promptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":6}"#,
                r#"{"promptTokenCount":7,"candidatesTokenCount":2,"thoughtsTokenCount":3,"cachedContentTokenCount":4,"toolUsePromptTokenCount":10,"totalTokenCount":22}"#,
                r#"{"trafficType":"ON_DEMAND"}"#,
            ],
            Some(usage(Some(17), Some(4), Some(3), Some(5))),
        ),
        // With a total, what is left out was zero.
        (
            vec![r#"{"promptTokenCount":9,"totalTokenCount":9}"#],
            Some(usage(Some(9), None, None, Some(0))),
        ),
        (
            vec![r#"{"promptTokenCount":9}"#],
            Some(usage(Some(9), None, None, None)),
        ),
        (vec![r#"{"trafficType":"ON_DEMAND"}"#], None),
    ];
    for (counts, expected) in table {
        let frames = counts.iter().map(|counts| {
            format!(
                "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"a\"}}]}},\"finishReason\":\"STOP\"}}],\"usageMetadata\":{counts}}}\n\n"
            )
        });
        let events = read(&[frames.collect::<String>().as_bytes()]).unwrap();
        let found = events.iter().find_map(|event| match event {
            Event::Usage(usage) => Some(*usage),
            _ => None,
        });
        assert_eq!(found, expected, "{counts:?}");
    }
}

#[test]
fn an_error_in_the_stream_is_judged_in_whatever_form_it_comes() {
    let error = "{\n  \"error\": {\n    \"code\": 429,\n    \"message\": \"Resource exhausted.\",\n    \"status\": \"RESOURCE_EXHAUSTED\"\n  }\n}\n";
    let line = error.replace('\n', "");
    let before = frame(r#"{"text": "a"}"#, STOP);
    for stream in [
        format!("{before}{error}"),
        format!("{before}[{error}]"),
        format!("{before}data: {line}\r\n\r\n"),
        error.to_owned(),
        format!("[{error}]"),
    ] {
        for cut in 0..stream.len() {
            let (head, tail) = stream.as_bytes().split_at(cut);
            let failure = read(&[head, tail]).unwrap_err();
            assert_eq!(failure.class, Class::RateLimited, "{stream} at {cut}");
        }
    }
    for body in [error.to_owned(), format!("[{error}]")] {
        let failure = Decoder::new(1)
            .whole(body.as_bytes(), &mut Vec::new())
            .unwrap_err();
        assert_eq!(failure.class, Class::RateLimited, "{body}");
    }
}

#[test]
fn what_is_no_answer_is_broken() {
    let calls: String = (0..129)
        .map(|_| frame(r#"{"functionCall": {"name": "f"}}"#, ""))
        .collect();
    let table = [
        String::new(),
        "data: {\n\n".into(),
        "data: []\n\ndata: 1\n\n".into(),
        "data: {\"candidates\":1}\n\n".into(),
        "<html></html>".into(),
        "{}".into(),
        frame(r#"{"functionCall": {"args": {}}}"#, STOP),
        frame(r#"{"functionCall": {"name": "f","args": [1]}}"#, STOP),
        frame(r#"{"functionCall": {"name": "f","args": "{}"}}"#, STOP),
        // Arguments in pieces.
        frame(
            r#"{"functionCall": {"name": "f","willContinue": true}}"#,
            "",
        ) + &frame(
            r#"{"functionCall": {"partialArgs": [{"jsonPath": "$.a","stringValue": "x"}],"willContinue": true}}"#,
            "",
        ) + &frame(r#"{"functionCall": {}}"#, STOP),
        calls + &frame("", STOP),
    ];
    for stream in table {
        let failure = read(&[stream.as_bytes()]).unwrap_err();
        assert_eq!(failure.class, Class::Broken, "{stream}");
    }
}

#[test]
fn what_stands_behind_a_call_is_held_back_within_bounds() {
    let mut decoder = Decoder::new(1);
    let mut events = Vec::new();
    let called = frame(r#"{"functionCall": {"name": "f"}}"#, "");
    decoder.feed(called.as_bytes(), &mut events).unwrap();
    assert_eq!(events, [id(), Event::CallBegan]);
    let more = frame(&format!("{{\"text\": \"{}\"}}", "x".repeat(64 << 10)), "");
    let result = (0..100).try_for_each(|_| decoder.feed(more.as_bytes(), &mut events));
    assert_eq!(result.unwrap_err().class, Class::Broken);
    assert_eq!(events.len(), 2);
}

#[test]
fn a_call_without_an_id_gets_one_that_no_other_has() {
    let stream = frame(
        r#"{"functionCall": {"name": "f"}},{"functionCall": {"name": "f","id": ""}}"#,
        STOP,
    );
    let ids = |seed| {
        let mut decoder = Decoder::new(seed);
        let mut events = Vec::new();
        decoder
            .whole(&stream.as_bytes()["data: ".len()..], &mut events)
            .unwrap();
        let calls = events.into_iter().filter_map(|event| match event {
            Event::Call(call) => Some(call.id),
            _ => None,
        });
        calls.collect::<Vec<_>>()
    };
    let (one, other) = (ids(1), ids(2));
    assert_eq!(one, ids(1));
    for id in one.iter().chain(&other) {
        let rest = id.strip_prefix("call_").unwrap();
        assert!(
            rest.len() == 24 && rest.chars().all(|c| c.is_ascii_alphanumeric()),
            "{id}"
        );
    }
    assert_ne!(one[0], one[1]);
    assert!(one.iter().all(|id| !other.contains(id)));
}

#[test]
fn a_function_that_was_renamed_is_called_by_its_own_name() {
    let stream = frame(
        r#"{"functionCall": {"name": "_1st","id": "a"}},{"functionCall": {"name": "g","id": "b"}}"#,
        STOP,
    );
    let mut decoder = Decoder::new(1).with_names(vec![("1st".into(), "_1st".into())]);
    let mut events = Vec::new();
    decoder.feed(stream.as_bytes(), &mut events).unwrap();
    decoder.end(&mut events).unwrap();
    assert!(events.contains(&call("a", "1st", "{}", None)));
    assert!(events.contains(&call("b", "g", "{}", None)));
}

#[test]
fn an_id_that_comes_late_is_none() {
    let nameless = frame("{\"text\": \"a\"}", "").replace("\"r1\"", "\"\"");
    let named = frame("{\"text\": \"b\"}", STOP);
    let events = read(&[nameless.as_bytes(), named.as_bytes()]).unwrap();
    let expected = [text("a"), text("b")]
        .into_iter()
        .chain(ending(Reason::Stop));
    assert_eq!(events, expected.collect::<Vec<_>>());
}

#[test]
fn sound_is_counted_apart() {
    let counts = r#"{"promptTokenCount":20,"candidatesTokenCount":9,"totalTokenCount":29,"promptTokensDetails":[{"modality":"TEXT","tokenCount":4},{"modality":"AUDIO","tokenCount":16}],"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":9}]}"#;
    let stream = format!(
        "data: {{\"candidates\": [{{\"content\": {{\"parts\": [{{\"text\": \"a\"}}]}}, \"finishReason\": \"STOP\"}}], \"usageMetadata\": {counts}}}\n\n"
    );
    let usage = Usage {
        prompt: Some(20),
        completion: Some(9),
        audio_input: Usage::sound(16),
        ..Usage::default()
    };
    let events = read(&[stream.as_bytes()]).unwrap();
    assert!(events.contains(&Event::Usage(usage)), "{events:?}");
}
