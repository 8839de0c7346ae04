//! Streams before and behind their commit point: what is hidden, what is told, and that no end is
//! ever silent.

use serde_json::json;

use crate::support::fixture::{
    DONE, Ended, Whole, arguments, ask, ask_stream, ask_usage, call, delta, finish, frame,
    read_stream, role, streamed, streamed_calls, text, usage,
};
use crate::support::reply::{End, Framing, Pieces};
use crate::support::{Answer, Config, Gate, Gateway, Reply, Upstream};

async fn backup() -> Upstream {
    Upstream::always(Reply::sse(streamed(&["from the ", "backup"]))).await
}

#[tokio::test]
async fn the_head_waits_for_the_first_meaningful_event() {
    let gate = Gate::new();
    let body = ": hello\n\n".to_owned() + &role() + &text("Hello!") + &finish("stop") + DONE;
    let first = Upstream::always(
        Reply::sse(body)
            .pause_after(2, &gate)
            .cut_after(2, End::Fin),
    )
    .await;
    let second = backup().await;
    let gateway = Gateway::start(Config::of(&[&first, &second])).await;
    let mut client = gateway.connect().await;
    client
        .post("/v1/chat/completions", &[], ask_stream().as_bytes())
        .await;
    first.request(0).await;
    // A comment and a role have gone out; nothing has been promised to the caller.
    gate.open();
    let answer = client.answer().await.rest().await;
    assert_eq!(
        read_stream(&answer.data(), false).choices[0].text,
        "from the backup"
    );
}

/// Streams through `gateway`, and opens `gate` once the text `Hel` has come.
async fn opened_behind_the_commit_point(gateway: &Gateway, gate: &Gate) -> (Answer, Whole) {
    let mut stream = gateway.stream(&ask_stream()).await;
    assert_eq!(stream.head.status, 200);
    let mut seen = String::new();
    while !seen.contains("Hel") {
        seen += &stream.event().await.unwrap();
    }
    gate.open();
    let mut answer = stream.rest().await;
    answer.body.splice(0..0, seen.into_bytes());
    let whole = read_stream(&answer.data(), false);
    (answer, whole)
}

#[tokio::test]
async fn behind_the_commit_point_nothing_is_switched_and_the_break_is_told() {
    for end in [End::Fin, End::Rst] {
        for framing in [Framing::Chunked, Framing::Close] {
            let gate = Gate::new();
            let reply = Reply::sse(streamed(&["Hel", "lo!"])).framing(framing);
            let first = Upstream::always(reply.pause_after(2, &gate).cut_after(2, end)).await;
            let second = backup().await;
            let gateway = Gateway::start(Config::of(&[&first, &second])).await;
            let (answer, whole) = opened_behind_the_commit_point(&gateway, &gate).await;
            assert!(answer.complete, "HTTP's own end is a proper one");
            assert_eq!(whole.choices[0].text, "Hel");
            assert_eq!(whole.ended, Ended::Error("stream_broken".to_owned()));
            let record = gateway.audit(answer.id()).await;
            assert_eq!(record.outcome(), "stream_broken", "{end:?} {framing:?}");
            assert_eq!(record.targets(), ["first/model-first"]);
            let class = record.classes()[0];
            assert!(matches!(class, "reset" | "broken"), "{class}");
            assert_eq!((first.hits(), second.hits()), (1, 0));
        }
    }
}

#[tokio::test]
async fn rubbish_and_errors_behind_the_commit_point_are_told_and_not_passed_on() {
    let rows = [
        "data: oops\n\n".to_owned(),
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\n\n".to_owned(),
        "data: {\"error\":{\"message\":\"secret detail\",\"type\":\"server_error\"}}\n\n"
            .to_owned(),
        "event: error\ndata: {\"message\":\"secret detail\",\"code\":500}\n\n".to_owned(),
        "{\"error\":{\"message\":\"secret detail\"}}\n".to_owned(),
        delta(&json!({}), Some("error")),
        DONE.to_owned(),
        String::new(),
    ];
    for rest in rows {
        let gate = Gate::new();
        let reply = Reply::sse(role() + &text("Hel") + &rest).pause_after(2, &gate);
        let first = Upstream::always(reply.clone()).await;
        let second = backup().await;
        let gateway = Gateway::start(Config::of(&[&first, &second])).await;
        let (answer, whole) = opened_behind_the_commit_point(&gateway, &gate).await;
        assert_eq!(whole.choices[0].text, "Hel", "{rest}");
        assert_eq!(
            whole.ended,
            Ended::Error("stream_broken".to_owned()),
            "{rest}"
        );
        assert!(
            !answer.text().contains("secret detail"),
            "{}",
            answer.text()
        );
        assert_eq!(gateway.audit(answer.id()).await.outcome(), "stream_broken");
        assert_eq!(second.hits(), 0);
    }
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_call_is_hidden() {
    let pieces: &[&str] = &["{\"city\"", ":\"Alm", "aty\"}"];
    let body = streamed_calls(&[("call_1", "weather", pieces)]);
    for (events, end) in [(2, End::Fin), (3, End::Rst), (4, End::Fin), (5, End::Fin)] {
        let first = Upstream::always(Reply::sse(body.clone()).cut_after(events, end)).await;
        let second =
            Upstream::always(Reply::sse(streamed_calls(&[("call_2", "weather", pieces)]))).await;
        let gateway = Gateway::start(Config::of(&[&first, &second])).await;
        let whole = read_stream(&gateway.chat(&ask_stream()).await.data(), false);
        assert_eq!(whole.ended, Ended::Done);
        let calls = &whole.choices[0].calls;
        assert_eq!(calls.len(), 1, "{events}: {calls:?}");
        assert_eq!(calls[0].0, "call_2", "of the backup alone");
    }
}

#[tokio::test]
async fn a_call_whose_arguments_never_become_json_is_hidden() {
    let body =
        role() + &call(0, "call_1", "f") + &arguments(0, "{\"a\":") + &finish("tool_calls") + DONE;
    let first = Upstream::always(Reply::sse(body)).await;
    let second = backup().await;
    let gateway = Gateway::start(Config::of(&[&first, &second])).await;
    let answer = gateway.chat(&ask_stream()).await;
    assert_eq!(
        read_stream(&answer.data(), false).choices[0].text,
        "from the backup"
    );
    assert_eq!(gateway.audit(answer.id()).await.classes(), ["broken", "ok"]);
}

#[tokio::test]
async fn the_second_of_two_calls_is_cut_behind_the_first_and_never_seen() {
    let body = streamed_calls(&[
        ("call_1", "weather", &["{\"city\":", "\"Almaty\"}"]),
        ("call_2", "time", &["{\"zone\":", "5}"]),
    ]);
    // Role, call_1, two pieces, call_2 begun: here the first is whole.
    let first = Upstream::always(Reply::sse(body).cut_after(6, End::Rst)).await;
    let second = backup().await;
    let gateway = Gateway::start(Config::of(&[&first, &second])).await;
    let answer = gateway.chat(&ask_stream()).await;
    let whole = read_stream(&answer.data(), false);
    let calls = &whole.choices[0].calls;
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0].2, "{\"city\":\"Almaty\"}");
    assert!(!answer.text().contains("call_2"));
    assert_eq!(whole.ended, Ended::Error("stream_broken".to_owned()));
    assert_eq!(second.hits(), 0, "a released call is never sent again");
}

#[tokio::test]
async fn text_flows_while_a_call_is_held_back() {
    let gate = Gate::new();
    let body = role() + &call(0, "call_1", "f") + &arguments(0, "{\"a\":") + &text("Let me see");
    let rest = arguments(0, "1}") + &finish("tool_calls") + &usage() + DONE;
    let at = body.len();
    let first = Upstream::always(Reply::sse(body + &rest).pause_at(at, &gate)).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let mut stream = gateway.stream(&ask_stream()).await;
    let mut seen = String::new();
    while !seen.contains("Let me see") {
        let event = stream.event().await.unwrap();
        assert!(!event.contains("tool_calls\":["), "held back: {event}");
        seen += &event;
    }
    gate.open();
    let answer = stream.rest().await;
    let rest = answer.text();
    assert!(rest.contains("call_1") && rest.ends_with(DONE), "{rest}");
    let all = seen + rest;
    let data: Vec<&str> = all
        .split_terminator("\n\n")
        .map(|e| &e["data: ".len()..])
        .collect();
    assert_eq!(read_stream(&data, false).choices[0].calls[0].2, "{\"a\":1}");
}

#[tokio::test]
async fn events_leave_as_they_come() {
    let (one, two) = (Gate::new(), Gate::new());
    let body = streamed(&["Hel", "lo!"]);
    let reply = Reply::sse(body).pause_after(2, &one).pause_after(3, &two);
    let first = Upstream::always(reply).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let mut stream = gateway.stream(&ask_stream()).await;
    assert!(stream.event().await.unwrap().contains("assistant"));
    assert!(stream.event().await.unwrap().contains("Hel"));
    one.open();
    assert!(stream.event().await.unwrap().contains("lo!"));
    two.open();
    assert!(stream.rest().await.text().ends_with(DONE));
}

/// The streams that are cut and split everywhere: text, calls, two choices, dirt.
fn everywhere() -> Vec<(&'static str, String)> {
    let choice = |index: u64, content: &str, finish: Option<&str>| {
        let delta = json!({ "role": "assistant", "content": content });
        json!({ "index": index, "delta": delta, "finish_reason": finish })
    };
    let two = frame(&json!([
        choice(0, "A", None),
        choice(1, "B\u{1f600}", Some("stop"))
    ])) + &frame(&json!([choice(0, "a", Some("length"))]))
        + &usage()
        + DONE;
    let dirty = role().replace("\"index\":0,", "").replace('\n', "\r\n")
        + ": a comment\r\n\r\n"
        + &text("\u{1f600}!").replace("data: ", "data:")
        + &finish("end_turn")
        + "data: [DONE]\n\n";
    // As short as they can be: each byte is a request.
    let short = |body: String| {
        let long = "\"created\":1795000000,";
        assert!(body.contains(long), "{body}");
        body.replace(long, "")
            .replace("\"object\":\"chat.completion.chunk\",", "")
            .replace("upstream-model", "m")
            .replace("chatcmpl-1", "c")
    };
    let calls = streamed_calls(&[("c1", "f", &["{\"a\":", "1}"]), ("c2", "g", &["{}"])]);
    vec![
        ("text", short(streamed(&["Hel", "lo \u{1f600}!"]))),
        ("calls", short(calls)),
        ("two choices", short(two)),
        ("dirt", short(dirty)),
    ]
}

#[tokio::test]
async fn a_stream_cut_at_any_byte_ends_in_a_whole_answer_or_in_an_error_event() {
    for (what, body) in everywhere() {
        let cuts = body.len();
        let script = body.clone();
        let mut at = 0;
        let first = Upstream::choosing(move |_| {
            let end = if at % 2 == 0 { End::Fin } else { End::Rst };
            let framing = if at % 4 < 2 {
                Framing::Chunked
            } else {
                Framing::Close
            };
            let reply = Reply::sse(script.clone()).framing(framing).cut_at(at, end);
            at += 1;
            reply
        })
        .await;
        let second = backup().await;
        // Each request by a route of its own: none meets what earlier cuts have taught.
        let config = (0..cuts).fold(Config::new(), |config, number| {
            config.row(&format!("cut-{number}"), &[&first, &second])
        });
        let gateway = Gateway::start(config).await;
        let (mut whole_here, mut backups, mut errors) = (0, 0, 0);
        let mut client = gateway.connect().await;
        let mut number = 0;
        while first.hits() < cuts {
            let ask = ask_usage().replace("\"chat\"", &format!("\"cut-{number}\""));
            number += 1;
            client
                .post("/v1/chat/completions", &[], ask.as_bytes())
                .await;
            let (answer, same) = client.answer().await.rest_and_client().await;
            client = same;
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            assert!(answer.complete, "{what}");
            let whole = read_stream(&answer.data(), true);
            match whole.ended {
                Ended::Error(code) => {
                    assert_eq!(code, "stream_broken");
                    errors += 1;
                }
                Ended::Done if whole.choices[0].text == "from the backup" => backups += 1,
                Ended::Done => {
                    whole_here += 1;
                    assert!(whole.choices.iter().all(|said| !said.finish.is_empty()));
                }
            }
        }
        assert!(
            backups > 0 && errors > 0,
            "{what}: {whole_here} {backups} {errors}"
        );
    }
}

#[tokio::test]
async fn however_a_stream_is_split_the_caller_gets_the_same_bytes() {
    for (what, body) in everywhere() {
        let script = body.clone();
        let mut at = 0;
        let first = Upstream::choosing(move |_| {
            let pieces = match at {
                0 => Pieces::Whole,
                1 => Pieces::Bytes(1),
                at => Pieces::SplitAt(at - 1),
            };
            at += 1;
            Reply::sse(script.clone()).pieces(pieces)
        })
        .await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let expected = gateway.chat(&ask_usage()).await.text().to_owned();
        let mut client = gateway.connect().await;
        for number in 0..=body.len() {
            client
                .post("/v1/chat/completions", &[], ask_usage().as_bytes())
                .await;
            let (answer, same) = client.answer().await.rest_and_client().await;
            client = same;
            assert_eq!(answer.text(), expected, "{what}: {number}");
        }
        let connections = first.connections().len();
        assert!(
            connections < 10,
            "{connections}: a stream's connection is used again"
        );
    }
}

#[tokio::test]
async fn a_hundred_streams_run_at_once() {
    let gate = Gate::new();
    let opened = gate.clone();
    let first = Upstream::choosing(move |seen| {
        let name = seen.json()["user"].as_str().unwrap().to_owned();
        Reply::sse(streamed(&[&name, " and", " out"])).pause_after(2, &opened)
    })
    .await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let mut streams = Vec::new();
    for number in 0..100 {
        let body =
            ask_stream().replace("\"stream\"", &format!("\"user\":\"u{number}\",\"stream\""));
        let mut stream = gateway.stream(&body).await;
        assert!(stream.event().await.unwrap().contains("assistant"));
        streams.push(stream);
    }
    assert_eq!(first.hits(), 100, "all are under way");
    gate.open();
    for (number, stream) in streams.into_iter().enumerate() {
        let answer = stream.rest().await;
        assert!(answer.text().contains(&format!("\"u{number}\"")));
        assert!(answer.text().ends_with(DONE));
    }
    assert_eq!(
        gateway
            .records(|record| record.outcome() == "ok", 100)
            .await
            .len(),
        100
    );
}

#[tokio::test]
async fn an_answer_that_is_cut_short_by_its_length_is_an_answer() {
    for reason in ["length", "content_filter"] {
        let cut =
            role() + &call(0, "call_1", "f") + &arguments(0, "{\"a\":") + &finish(reason) + DONE;
        let nothing = role() + &finish(reason) + DONE;
        for body in [cut, nothing] {
            let first = Upstream::always(Reply::sse(body)).await;
            let second = backup().await;
            let gateway = Gateway::start(Config::of(&[&first, &second])).await;
            let whole = read_stream(&gateway.chat(&ask_stream()).await.data(), false);
            assert_eq!((&*whole.choices[0].finish, second.hits()), (reason, 0));
        }
    }
}

#[tokio::test]
async fn a_stream_without_a_done_mark_is_whole_if_it_finished() {
    let body = role() + &text("Hello!") + &finish("stop");
    for body in [body.clone(), body.trim_end().to_owned()] {
        let first = Upstream::always(Reply::sse(body)).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let answer = gateway.chat(&ask_stream()).await;
        assert_eq!(read_stream(&answer.data(), false).ended, Ended::Done);
        assert_eq!(gateway.audit(answer.id()).await.outcome(), "ok");
    }
}

#[tokio::test]
async fn an_answer_is_over_at_its_done_mark_whatever_the_provider_does_then() {
    let body = streamed(&["Hello!"]);
    for end in [End::Silence, End::Rst] {
        let reply = Reply::sse(body.clone() + "data: and more\n\n");
        let first = Upstream::always(reply.cut_at(body.len(), end)).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let answer = gateway.chat(&ask_stream()).await;
        assert!(answer.complete);
        assert_eq!(read_stream(&answer.data(), false).ended, Ended::Done);
        assert_eq!(gateway.audit(answer.id()).await.outcome(), "ok");
        if end == End::Silence {
            // Whoever does not come to an end loses the connection.
            first.closed(0).await;
        }
    }
}

#[tokio::test]
async fn a_plain_request_answered_with_a_stream_is_not_answered() {
    let first = Upstream::always(Reply::sse(streamed(&["Hello!"]))).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!((answer.status, &*answer.code()), (502, "upstream_failed"));
}

#[tokio::test]
async fn a_stream_that_we_end_for_its_length_is_not_held_against_its_target() {
    let endless = |_: &_| Reply::sse(role() + &text("Hel")).cut_after(2, End::Silence);
    let first = Upstream::choosing(endless).await;
    let second = backup().await;
    let config = Config::of(&[&first, &second])
        .knob("stream: 100ms")
        .knob("breaker: { failures: 1 }");
    let gateway = Gateway::start(config).await;
    for _ in 0..3 {
        let answer = gateway.chat(&ask_stream()).await;
        assert!(answer.text().contains("stream_broken"), "{}", answer.text());
        let record = gateway.audit(answer.id()).await;
        assert_eq!(record.classes(), ["timeout"], "{}", record.0);
        assert_eq!(record.targets(), ["first/model-first"], "{}", record.0);
    }
    assert_eq!(second.hits(), 0);
}
