use std::fmt::Write as _;

use super::{frames_of, spliced};
use crate::chat::Usage;
use crate::dialect::responses::Splicer;
use crate::outcome::Class;

/// A stream of frames, numbered, `event` lines and all.
fn stream(events: &[(&str, &str)]) -> String {
    let mut stream = String::new();
    for (number, (kind, members)) in events.iter().enumerate() {
        writeln!(
            stream,
            "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number},{members}}}\n"
        )
        .unwrap();
    }
    stream
}

const CREATED: (&str, &str) = (
    "response.created",
    "\"response\":{\"id\":\"resp_1\",\"model\":\"gpt\",\"status\":\"in_progress\",\"output\":[],\"n\":1e400}",
);
const MESSAGE: (&str, &str) = (
    "response.output_item.added",
    "\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"msg_1\",\"content\":[]}",
);
const DELTA: (&str, &str) = (
    "response.output_text.delta",
    "\"output_index\":0,\"item_id\":\"msg_1\",\"delta\":\"h\\u00e4\",\"logprobs\":[]",
);
const COMPLETED: (&str, &str) = (
    "response.completed",
    "\"response\":{\"id\":\"resp_1\",\"model\":\"gpt\",\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"hä\"}]}],\
     \"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4,\"cache_write_tokens\":null},\"output_tokens\":2,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":11}}",
);
const EMPTY: (&str, &str) = (
    "response.completed",
    "\"response\":{\"id\":\"resp_1\",\"model\":\"gpt\",\"status\":\"completed\",\"output\":[]}",
);
const INCOMPLETE: (&str, &str) = (
    "response.incomplete",
    "\"response\":{\"id\":\"resp_1\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"output\":[]}",
);
const CALL: (&str, &str) = (
    "response.output_item.added",
    "\"output_index\":1,\"item\":{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"\"}",
);
const ARGUMENTS: (&str, &str) = (
    "response.function_call_arguments.delta",
    "\"output_index\":1,\"item_id\":\"other\",\"delta\":\"{\\\"x\\\":1}\"",
);

fn call_done(arguments: &str, status: &str) -> String {
    format!(
        "\"output_index\":1,\"item\":{{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":{arguments},\"status\":\"{status}\"}}"
    )
}

#[test]
fn a_stream_goes_out_as_it_came_with_the_callers_model_however_it_is_cut() {
    let done = call_done("\"{\\\"x\\\":1}\"", "completed");
    let whole = ("response.output_item.done", &*done);
    for events in [
        vec![CREATED, MESSAGE, DELTA, COMPLETED],
        vec![CREATED, CALL, ARGUMENTS, whole, EMPTY],
        vec![
            CREATED,
            ("response.queued", "\"response\":{\"model\":\"gpt\"}"),
            MESSAGE,
            DELTA,
            CALL,
            DELTA,
            ARGUMENTS,
            whole,
            ("response.new_in_2031", "\"x\":1"),
            COMPLETED,
        ],
        vec![CREATED, INCOMPLETE],
    ] {
        let came = stream(&events);
        let expected = came.replace("\"model\":\"gpt\"", "\"model\":\"alias\"");
        let bytes = came.as_bytes();
        let (out, result) = spliced(&[bytes]);
        assert_eq!(out, expected);
        let usage = result.unwrap();
        for cut in 0..=bytes.len() {
            let pieces = spliced(&[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(pieces, (out.clone(), Ok(usage)), "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(spliced(&single), (out, Ok(usage)));
        let last = frames_of(&came).pop().unwrap();
        let (_, result) = spliced(&[came.strip_suffix(last).unwrap().as_bytes()]);
        assert_eq!(result.unwrap_err().class, Class::Broken);
    }
}

#[test]
fn usage_is_read_and_unknown_is_not_zero() {
    let (_, usage) = spliced(&[stream(&[CREATED, DELTA, COMPLETED]).as_bytes()]);
    let expected = Usage {
        prompt: Some(9),
        cached: Some(4),
        cache_write: None,
        reasoning: Some(0),
        completion: Some(2),
        ..Usage::default()
    };
    assert_eq!(usage.unwrap(), expected);
}

#[test]
fn a_mark_of_the_end_goes_on_only_if_it_came_behind_one() {
    let came = stream(&[CREATED, DELTA, COMPLETED]);
    let (without, _) = spliced(&[came.as_bytes()]);
    let (with, result) = spliced(&[came.as_bytes(), b"data: [DONE]\n\n"]);
    assert!(result.is_ok());
    assert_eq!(with, without + "data: [DONE]\n\n");
    let early = stream(&[CREATED, DELTA]) + "data: [DONE]\n\n";
    assert_eq!(
        spliced(&[early.as_bytes()]).1.unwrap_err().class,
        Class::Broken
    );
}

#[test]
fn comments_and_foreign_framing_are_no_frames() {
    let came = format!(
        ": ping\n\nid: 7\nretry: 1\ndata: {{\"type\":\"response.created\",\ndata: \"response\":{{}}}}\n\n{}",
        stream(&[DELTA, COMPLETED]).replace('\n', "\r\n")
    );
    let (out, result) = spliced(&[came.as_bytes()]);
    assert!(result.is_ok());
    let first =
        "event: response.created\ndata: {\"type\":\"response.created\", \"response\":{}}\n\n";
    assert!(out.starts_with(first), "{out}");
    assert!(!out.contains('\r') && frames_of(&out).len() == 3);
}

/// Arrived, released and done after each event.
fn phases(events: &[(&str, &str)]) -> Vec<(bool, bool, bool)> {
    let mut splicer = Splicer::new(None);
    let came = stream(events);
    let each = frames_of(&came).into_iter().map(|frame| {
        splicer.feed(frame.as_bytes()).unwrap();
        (splicer.arrived(), splicer.released(), splicer.done())
    });
    each.collect()
}

#[test]
fn the_first_meaningful_event_is_the_commit_point() {
    let (silent, arrived) = ((false, false, false), (true, false, false));
    let (released, done) = ((true, true, false), (true, true, true));
    let ended = call_done("\"{}\"", "completed");
    let whole = ("response.output_item.done", &*ended);
    let nothing = ("response.output_text.delta", "\"delta\":\"\"");
    let search = (
        "response.web_search_call.searching",
        "\"output_index\":0,\"item_id\":\"ws\"",
    );
    for (events, expected) in [
        (
            vec![CREATED, MESSAGE, nothing, DELTA, COMPLETED],
            vec![silent, silent, silent, released, done],
        ),
        (
            vec![
                CREATED,
                search,
                ("response.refusal.delta", "\"delta\":\"no\""),
            ],
            vec![silent, silent, released],
        ),
        (
            vec![("response.reasoning_text.delta", "\"delta\":\"h\"")],
            vec![released],
        ),
        (
            vec![("response.reasoning_summary_text.delta", "\"delta\":\"h\"")],
            vec![released],
        ),
        (
            vec![(
                "response.image_generation_call.partial_image",
                "\"partial_image_b64\":\"aGk=\"",
            )],
            vec![released],
        ),
        // Text behind a call that is open waits with it.
        (
            vec![CREATED, CALL, ARGUMENTS, DELTA, whole, EMPTY],
            vec![silent, arrived, arrived, arrived, released, done],
        ),
        // A call that was not announced is whole all the same.
        (vec![CREATED, whole, EMPTY], vec![silent, released, done]),
    ] {
        assert_eq!(phases(&events), expected, "{events:?}");
    }
}

#[test]
fn nothing_of_a_call_goes_out_before_it_is_whole_and_what_follows_waits_behind_it() {
    let mut splicer = Splicer::new(None);
    splicer
        .feed(stream(&[CREATED, MESSAGE, DELTA]).as_bytes())
        .unwrap();
    assert!(!splicer.output().is_empty());
    splicer
        .feed(stream(&[CALL, ARGUMENTS, DELTA]).as_bytes())
        .unwrap();
    assert_eq!((splicer.ready(), splicer.output().len()), (0, 0));
    let done = call_done("\"{}\"", "completed");
    splicer
        .feed(stream(&[("response.output_item.done", &done)]).as_bytes())
        .unwrap();
    let out = String::from_utf8(splicer.output()).unwrap();
    let kinds: Vec<&str> = frames_of(&out)
        .iter()
        .map(|frame| frame.lines().next().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "event: response.output_item.added",
            "event: response.function_call_arguments.delta",
            "event: response.output_text.delta",
            "event: response.output_item.done",
        ]
    );
}

#[test]
fn half_a_call_goes_out_only_where_the_answer_was_cut() {
    let half = "\"{\\\"x\\\":\"";
    for (status, last, fine) in [
        ("completed", COMPLETED, false),
        ("completed", INCOMPLETE, true),
        ("incomplete", INCOMPLETE, true),
    ] {
        let done = call_done(half, status);
        let came = stream(&[CREATED, CALL, ("response.output_item.done", &done), last]);
        let (out, result) = spliced(&[came.as_bytes()]);
        assert_eq!(result.is_ok(), fine, "{status} {last:?}");
        assert_eq!(out.contains("function_call"), fine);
    }
    // Announced and never ended.
    for (last, fine) in [(EMPTY, false), (COMPLETED, false), (INCOMPLETE, true)] {
        let came = stream(&[CREATED, CALL, ARGUMENTS, last]);
        assert_eq!(spliced(&[came.as_bytes()]).1.is_ok(), fine, "{last:?}");
    }
}

#[test]
fn arguments_of_the_wrong_form_are_mended() {
    for (came, mended) in [
        ("\"\"", "\"arguments\":\"{}\""),
        ("null", "\"arguments\":\"{}\""),
        ("{\"x\":1}", "\"arguments\":\"{\\\"x\\\":1}\""),
    ] {
        let done = call_done(came, "completed");
        let came = stream(&[CREATED, CALL, ("response.output_item.done", &done), EMPTY]);
        let (out, result) = spliced(&[came.as_bytes()]);
        assert!(result.is_ok());
        assert!(frames_of(&out)[2].contains(mended), "{out}");
    }
}

#[test]
fn a_stream_that_is_no_answer_is_not_passed_on() {
    let nameless = "\"output_index\":1,\"item\":{\"type\":\"function_call\",\"call_id\":\"c\",\"arguments\":\"{}\"}";
    let quota = "\"error\":{\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\",\"message\":\"pay\",\"param\":null}";
    let failed = "\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"oops\"},\"output\":[]}";
    for (events, class) in [
        (vec![CREATED], Class::Broken),
        (vec![CREATED, EMPTY], Class::Broken),
        (vec![CREATED, MESSAGE, EMPTY], Class::Broken),
        (vec![CREATED, ("error", quota)], Class::QuotaExhausted),
        (
            vec![
                CREATED,
                (
                    "error",
                    "\"code\":\"insufficient_quota\",\"message\":\"pay\"",
                ),
            ],
            Class::QuotaExhausted,
        ),
        (vec![CREATED, ("response.failed", failed)], Class::Broken),
        (
            vec![CREATED, ("response.completed", "\"x\":1")],
            Class::Broken,
        ),
        (vec![CREATED, CALL, CALL], Class::Broken),
        (vec![CREATED, ARGUMENTS], Class::Broken),
        (
            vec![CREATED, ("response.output_item.done", nameless)],
            Class::Broken,
        ),
        (
            vec![CREATED, ("response.created", "\"response\":{]")],
            Class::Broken,
        ),
    ] {
        let (_, result) = spliced(&[stream(&events).as_bytes()]);
        assert_eq!(result.unwrap_err().class, class, "{events:?}");
    }
    for (came, class) in [
        ("", Class::Broken),
        (
            "data: {\"error\":{\"code\":\"insufficient_quota\",\"message\":\"pay\"}}\n\n",
            Class::QuotaExhausted,
        ),
        (
            "{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"pay\"}}",
            Class::QuotaExhausted,
        ),
        ("data: {\"choices\":[]}\n\ndata: [DONE]\n\n", Class::Broken),
    ] {
        assert_eq!(
            spliced(&[came.as_bytes()]).1.unwrap_err().class,
            class,
            "{came}"
        );
    }
}

#[test]
fn a_cut_is_an_end_only_behind_the_last_event() {
    for (events, fine) in [
        (vec![CREATED, DELTA], false),
        (vec![CREATED, DELTA, COMPLETED], true),
    ] {
        let mut splicer = Splicer::new(None);
        splicer.feed(stream(&events).as_bytes()).unwrap();
        assert_eq!(splicer.cut().is_ok(), fine);
    }
}

#[test]
fn the_next_number_is_known() {
    let mut splicer = Splicer::new(None);
    assert_eq!(splicer.sequence(), 0);
    splicer.feed(stream(&[CREATED, DELTA]).as_bytes()).unwrap();
    assert_eq!(splicer.sequence(), 2);
    splicer
        .feed(b"data: {\"type\":\"keepalive\",\"sequence_number\":9}\n\n")
        .unwrap();
    assert_eq!(splicer.sequence(), 10);
    splicer.feed(b"data: {\"type\":\"keepalive\"}\n\n").unwrap();
    assert_eq!(splicer.sequence(), 11);
}

#[test]
fn what_is_held_is_bounded() {
    let long = format!("\"output_index\":1,\"delta\":\"{}\"", "x".repeat(100 << 10));
    let mut splicer = Splicer::new(None);
    splicer.feed(stream(&[CREATED, CALL]).as_bytes()).unwrap();
    let delta = stream(&[("response.function_call_arguments.delta", &long)]);
    let taken = (0..3).try_for_each(|_| splicer.feed(delta.as_bytes()));
    assert_eq!(taken.unwrap_err().class, Class::Broken);

    let mut splicer = Splicer::new(None);
    let sign = stream(&[(
        "response.in_progress",
        &format!("\"x\":\"{}\"", "x".repeat(500 << 10)),
    )]);
    let taken = (0..20).try_for_each(|_| splicer.feed(sign.as_bytes()));
    assert_eq!(taken.unwrap_err().class, Class::Broken);
}
