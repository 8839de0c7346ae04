//! Which failures are hidden by the next target, which are not, and what the record says of them.

use serde_json::json;

use crate::support::fixture::{
    DONE, ask, ask_both, ask_stream, delta, finish, plain, read_plain, read_stream, role, streamed,
    text,
};
use crate::support::reply::{End, Framing};
use crate::support::{Config, Gateway, Record, Refusing, Reply, Upstream};

async fn backup() -> Upstream {
    Upstream::choosing(|seen| {
        if seen.json()["stream"] == true {
            Reply::sse(streamed(&["from the ", "backup"]))
        } else {
            Reply::json(plain("from the backup"))
        }
    })
    .await
}

/// Both kinds of request, or one.
#[derive(Clone, Copy, PartialEq)]
enum For {
    Both,
    Plain,
    Stream,
}

/// What a first target does, the class that this is, the status that the record shows, and how
/// often that target is tried.
type Row = (&'static str, For, Reply, &'static str, Option<u64>, usize);

#[expect(clippy::too_many_lines, reason = "a table")]
fn hidden() -> Vec<Row> {
    use For::{Both, Plain, Stream};
    let error = Reply::error;
    let limited = || {
        error(
            429,
            "requests",
            Some("rate_limit_exceeded"),
            "Rate limit reached",
        )
    };
    let hello = plain("Hello!");
    let stream = streamed(&["Hel", "lo!"]);
    let html = "<html><body>502 Bad Gateway</body></html>";
    let empty =
        |content: &str| hello.replace("\"content\":\"Hello!\"", &format!("\"content\":{content}"));
    vec![
        ("reset", Both, Reply::nothing(End::Rst), "reset", None, 2),
        ("closed", Both, Reply::nothing(End::Fin), "reset", None, 2),
        (
            "a rate",
            Both,
            limited().header("retry-after", 1),
            "rate_limited",
            Some(429),
            1,
        ),
        (
            "a rate for an hour",
            Both,
            limited().header("retry-after", 3600),
            "rate_limited",
            Some(429),
            1,
        ),
        (
            "a quota",
            Both,
            error(
                429,
                "insufficient_quota",
                Some("insufficient_quota"),
                "You exceeded your current quota",
            ),
            "quota_exhausted",
            Some(429),
            1,
        ),
        (
            "no credit",
            Both,
            error(402, "x", None, "Insufficient credits"),
            "quota_exhausted",
            Some(402),
            1,
        ),
        (
            "500",
            Both,
            error(500, "server_error", None, "oops"),
            "server_error",
            Some(500),
            1,
        ),
        (
            "502",
            Both,
            error(502, "server_error", None, "oops"),
            "server_error",
            Some(502),
            1,
        ),
        (
            "503",
            Both,
            error(503, "server_error", None, "oops"),
            "overloaded",
            Some(503),
            1,
        ),
        (
            "504",
            Both,
            error(504, "server_error", None, "oops"),
            "server_error",
            Some(504),
            1,
        ),
        (
            "529",
            Both,
            error(529, "overloaded_error", None, "Overloaded"),
            "overloaded",
            Some(529),
            1,
        ),
        (
            "409",
            Both,
            error(409, "x", None, "conflict"),
            "server_error",
            Some(409),
            1,
        ),
        (
            "an HTML error",
            Both,
            Reply::status(503)
                .header("content-type", "text/html")
                .body(html),
            "overloaded",
            Some(503),
            1,
        ),
        (
            "no such model",
            Both,
            error(
                404,
                "invalid_request_error",
                Some("model_not_found"),
                "The model `m` does not exist",
            ),
            "target_missing",
            Some(404),
            1,
        ),
        (
            "an error in a 200",
            Both,
            Reply::json(json!({"error": {"message": "x", "type": "server_error"}}).to_string()),
            "broken",
            Some(200),
            1,
        ),
        (
            "no choices",
            Both,
            Reply::json(r#"{"id":"x"}"#),
            "broken",
            Some(200),
            1,
        ),
        (
            "choices: []",
            Both,
            Reply::json(r#"{"id":"x","object":"chat.completion","choices":[]}"#),
            "broken",
            Some(200),
            1,
        ),
        (
            "no message",
            Plain,
            Reply::json(r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#),
            "broken",
            Some(200),
            1,
        ),
        (
            "an empty text",
            Both,
            Reply::json(empty("\"\"")),
            "broken",
            Some(200),
            1,
        ),
        (
            "no text",
            Both,
            Reply::json(empty("null")),
            "broken",
            Some(200),
            1,
        ),
        (
            "an empty body",
            Plain,
            Reply::json(""),
            "broken",
            Some(200),
            1,
        ),
        (
            "an empty stream",
            Stream,
            Reply::sse(""),
            "broken",
            Some(200),
            1,
        ),
        (
            "HTML as an answer",
            Plain,
            Reply::json(html).header("content-type", "text/html"),
            "broken",
            Some(200),
            1,
        ),
        (
            "HTML as a stream",
            Stream,
            Reply::json(html).header("content-type", "text/html"),
            "broken",
            Some(200),
            1,
        ),
        (
            "half of the JSON",
            Plain,
            Reply::json(&hello[..hello.len() / 2]),
            "broken",
            Some(200),
            1,
        ),
        (
            "a short body",
            Plain,
            Reply::json(&*hello).cut_at(hello.len() / 2, End::Fin),
            "reset",
            Some(200),
            2,
        ),
        (
            "a body cut between chunks",
            Plain,
            Reply::json(&*hello)
                .framing(Framing::Chunked)
                .cut_at(40, End::Rst),
            "reset",
            Some(200),
            2,
        ),
        (
            "arguments that are not JSON",
            Plain,
            Reply::json(crate::support::fixture::plain_calls(&[(
                "c", "f", "{\"a\":",
            )])),
            "broken",
            Some(200),
            1,
        ),
        (
            "[DONE] alone",
            Stream,
            Reply::sse(DONE),
            "broken",
            Some(200),
            1,
        ),
        (
            "a role and no more",
            Stream,
            Reply::sse(role()),
            "broken",
            Some(200),
            1,
        ),
        (
            "a role, cut",
            Stream,
            Reply::sse(stream.clone()).cut_after(1, End::Rst),
            "reset",
            Some(200),
            2,
        ),
        (
            "a finish without an answer",
            Stream,
            Reply::sse(role() + &finish("stop") + DONE),
            "broken",
            Some(200),
            1,
        ),
        (
            "an error first",
            Stream,
            Reply::sse(
                "data: {\"error\":{\"message\":\"x\",\"type\":\"server_error\",\"code\":500}}\n\n",
            ),
            "broken",
            Some(200),
            1,
        ),
        (
            "an overload first",
            Stream,
            Reply::sse(
                role()
                    + "event: error\ndata: {\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
            ),
            "overloaded",
            Some(200),
            1,
        ),
        (
            "not JSON first",
            Stream,
            Reply::sse("data: oops\n\n"),
            "broken",
            Some(200),
            1,
        ),
        (
            "a redirect",
            Both,
            Reply::status(302).header("location", "http://127.0.0.1:9/v1/elsewhere"),
            "broken",
            Some(302),
            1,
        ),
        (
            "another protocol",
            Both,
            Reply::raw("SSH-2.0-OpenSSH_9.6\r\n"),
            "broken",
            None,
            1,
        ),
    ]
}

async fn replay(rows: Vec<Row>) {
    for (what, whose, reply, class, status, tries) in rows {
        let first = Upstream::always(reply).await;
        let second = backup().await;
        let gateway = Gateway::start(Config::both(&[&first, &second])).await;
        let mut failed = vec![class; tries];
        failed.push("ok");
        let mut asked = 0;
        for (route, body) in ask_both() {
            let streamed = route == "streamed";
            let other = if streamed { For::Plain } else { For::Stream };
            if whose == other {
                continue;
            }
            let what = format!("{what}, {route}");
            let answer = gateway.chat(&body).await;
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            let said = if streamed {
                read_stream(&answer.data(), false).choices
            } else {
                read_plain(&answer.json())
            };
            assert_eq!(said[0].text, "from the backup", "{what}");
            let target = format!("{route}-second/m");
            assert_eq!(answer.header("x-pillion-target"), Some(&*target), "{what}");
            assert_eq!(answer.header("x-pillion-reason"), Some(class), "{what}");
            let attempts = (tries + 1).to_string();
            assert_eq!(
                answer.header("x-pillion-attempts"),
                Some(&*attempts),
                "{what}"
            );
            let record = gateway.audit(answer.id()).await;
            check(&record, route, &what, &failed, status);
            asked += tries;
        }
        assert_eq!(first.hits(), asked, "{what}");
    }
}

/// What no well-meaning server sends.
fn hostile() -> Vec<Row> {
    use For::{Both, Plain, Stream};
    let long = plain(&"x".repeat(17 << 20));
    let raw = |head: &str| Reply::raw(format!("HTTP/1.1 {head}\r\n\r\n"));
    vec![
        (
            "a head without end",
            Both,
            Reply::json(plain("x")).header("x-long", "x".repeat(1_000_000)),
            "broken",
            None,
            1,
        ),
        (
            "two lengths",
            Both,
            raw("200 OK\r\ncontent-length: 5\r\ncontent-length: 7"),
            "broken",
            None,
            1,
        ),
        (
            "another protocol, politely",
            Both,
            raw("101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade"),
            "broken",
            Some(101),
            1,
        ),
        ("17 MiB", Plain, Reply::json(long), "broken", Some(200), 1),
        (
            "an event of 2 MiB",
            Stream,
            Reply::sse(role() + &text(&"x".repeat(2 << 20))),
            "broken",
            Some(200),
            1,
        ),
        (
            "a line without end",
            Stream,
            Reply::sse("x".repeat(2 << 20)),
            "broken",
            Some(200),
            1,
        ),
        (
            "bytes that are no text",
            Plain,
            Reply::json(b"{\"choices\":[{\"message\":\"\xff\"}]}"),
            "broken",
            Some(200),
            1,
        ),
        (
            "an event that is no text",
            Stream,
            Reply::sse(b"data: {\"choices\":[\"\xff\"]}\n\n"),
            "broken",
            Some(200),
            1,
        ),
        (
            "a compressed answer, unasked",
            Plain,
            Reply::json([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
            "broken",
            Some(200),
            1,
        ),
    ]
}

#[tokio::test]
async fn a_hostile_provider_is_left_like_a_broken_one() {
    replay(hostile()).await;
}

#[tokio::test]
async fn the_next_target_hides_a_failure_and_the_record_tells_it() {
    replay(hidden()).await;
}

fn check(record: &Record, route: &str, what: &str, failed: &[&str], status: Option<u64>) {
    let (first, second) = (format!("{route}-first/m"), format!("{route}-second/m"));
    assert_eq!(record.classes(), failed, "{what}");
    assert_eq!(
        record.0["attempts"][0]["status"].as_u64(),
        status,
        "{what}: {}",
        record.0
    );
    let reasons = record.reasons();
    assert!(!reasons[0].is_empty(), "{what}: a reason");
    assert_eq!(record.targets()[0], first);
    assert_eq!(record.targets().last(), Some(&&*second));
    assert_eq!(record.outcome(), "ok");
    assert_eq!(record.text("target"), second);
    assert_eq!(record.text("provider"), format!("{route}-second"));
    assert_eq!(record.0["plan"], json!([first, second]));
}

#[tokio::test]
async fn a_provider_that_refuses_connections_is_tried_twice_and_left() {
    let refusing = Refusing::new();
    let second = backup().await;
    for body in [ask(), ask_stream()] {
        let config =
            Config::new()
                .refusing("first", &refusing)
                .provider("second", &second.base_url(), "");
        let gateway = Gateway::start(config).await;
        let answer = gateway.chat(&body).await;
        assert_eq!(answer.status, 200);
        let record = gateway.audit(answer.id()).await;
        assert_eq!(record.classes(), ["connect", "connect", "ok"]);
        assert_eq!(
            record.0["attempts"][0]["billed"], false,
            "it never had the request"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let elsewhere = backup().await;
    let to = elsewhere.base_url() + "/chat/completions";
    for status in [301, 302, 303, 307, 308] {
        let first = Upstream::always(Reply::status(status).header("location", &to)).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let answer = gateway.chat(&ask()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (502, "upstream_failed")
        );
        assert_eq!(answer.header("location"), None);
    }
    assert_eq!(elsewhere.connections().len(), 0);
}

#[tokio::test]
async fn a_connection_that_went_stale_in_the_pool_costs_nothing() {
    // The provider closes after its first answer without having said so.
    let quiet = plain("Hello!");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{quiet}",
        quiet.len()
    );
    let first = Upstream::always(Reply::raw(head)).await;
    let gateway = Gateway::start(Config::of(&[&first]).knob("max_attempts: 1")).await;
    for number in 0..10 {
        let answer = gateway.chat(&ask()).await;
        assert_eq!(answer.status, 200, "{number}: {}", answer.text());
    }
}

#[tokio::test]
async fn what_another_target_cannot_mend_is_not_sent_to_one() {
    let error = Reply::error;
    let rows = [
        (
            "a wrong key",
            error(
                401,
                "invalid_request_error",
                Some("invalid_api_key"),
                "Incorrect API key provided: sk-abc",
            ),
            (502, "upstream_authentication_error"),
            "auth",
        ),
        (
            "a region",
            error(
                403,
                "request_forbidden",
                Some("unsupported_country_region_territory"),
                "Country not supported",
            ),
            (502, "upstream_authentication_error"),
            "auth",
        ),
        (
            "a mistake",
            error(
                400,
                "invalid_request_error",
                Some("invalid_value"),
                "Invalid value: 'x'.",
            ),
            (400, "invalid_value"),
            "invalid_request",
        ),
        (
            "an unprocessable request",
            error(
                422,
                "invalid_request_error",
                None,
                "temperature must be below 2",
            ),
            (422, "invalid_request"),
            "invalid_request",
        ),
        (
            "too many bytes",
            error(413, "invalid_request_error", None, "Payload too large"),
            (413, "invalid_request"),
            "invalid_request",
        ),
        (
            "a file that is not there",
            error(
                404,
                "invalid_request_error",
                None,
                "No such File object: file-1",
            ),
            (404, "invalid_request"),
            "invalid_request",
        ),
        (
            "a policy",
            error(
                400,
                "invalid_request_error",
                Some("content_policy_violation"),
                "Your request was rejected by the safety system",
            ),
            (400, "content_policy_violation"),
            "policy",
        ),
    ];
    for (what, reply, (status, code), class) in rows {
        let first = Upstream::always(reply).await;
        let second = backup().await;
        let gateway = Gateway::start(Config::both(&[&first, &second])).await;
        for (_, body) in ask_both() {
            let answer = gateway.chat(&body).await;
            assert_eq!((answer.status, &*answer.code()), (status, code), "{what}");
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{what}");
            assert!(!answer.text().contains("sk-abc"), "{}", answer.text());
            assert_eq!(
                gateway.audit(answer.id()).await.classes(),
                [class],
                "{what}"
            );
        }
        assert_eq!(second.hits(), 0, "{what}");
    }
}

#[tokio::test]
async fn too_long_a_request_goes_only_to_a_larger_model() {
    let long = Reply::error(
        400,
        "invalid_request_error",
        Some("context_length_exceeded"),
        "This model's maximum context length is 8192 tokens.",
    );
    let first = Upstream::always(long.clone()).await;
    let (smaller, larger) = (backup().await, backup().await);
    let config = Config::of(&[&first, &smaller, &larger]).root(
        "models:\n  first/model-first: { context: 8192 }\n  second/model-second: { context: 4096 }\n  third/model-third: { context: 128000 }",
    );
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 200);
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.targets(), ["first/model-first", "third/model-third"]);
    assert_eq!(record.classes(), ["context_length", "ok"]);

    // Where no larger one is declared, the provider's own words are the answer.
    let gateway = Gateway::start(Config::of(&[&first, &smaller])).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(
        (answer.status, &*answer.code()),
        (400, "context_length_exceeded")
    );
    assert_eq!(smaller.hits(), 0);
}

#[tokio::test]
async fn an_account_without_credit_is_not_asked_for_another_model() {
    let empty = Reply::error(
        429,
        "insufficient_quota",
        Some("insufficient_quota"),
        "quota",
    );
    let first = Upstream::always(empty).await;
    let second = backup().await;
    let config = Config::new()
        .provider("first", &first.base_url(), "")
        .target("first/another-model")
        .provider("second", &second.base_url(), "");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    let record = gateway.audit(answer.id()).await;
    assert_eq!(
        record.targets(),
        ["first/model-first", "second/model-second"]
    );
}

#[tokio::test]
async fn attempts_are_counted_and_end_at_max_attempts() {
    let broken = || Upstream::always(Reply::error(500, "server_error", None, "oops"));
    let all = [broken().await, broken().await, broken().await];
    let config = Config::of(&[&all[0], &all[1], &all[2]]).knob("max_attempts: 2");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!((answer.status, &*answer.code()), (502, "upstream_failed"));
    assert_eq!(answer.header("x-pillion-attempts"), Some("2"));
    let hits: Vec<usize> = all.iter().map(Upstream::hits).collect();
    assert_eq!(hits, [1, 1, 0]);
}

#[tokio::test]
async fn traffic_is_shared_by_weight_and_the_rest_of_the_group_is_a_backup() {
    let (heavy, light) = (backup().await, backup().await);
    let never = backup().await;
    let config = Config::new()
        .provider_alone("heavy", &heavy.base_url(), "")
        .provider_alone("light", &light.base_url(), "")
        .provider_alone("never", &never.base_url(), "")
        .target("{ any: [ { to: heavy/m, weight: 9 }, { to: light/m, weight: 1 }, { to: never/m, weight: 0 } ] }");
    let gateway = Gateway::start(config).await;
    let mut client = gateway.connect().await;
    let mut targets = Vec::new();
    // Each conversation is asked about twice: it stays where it began.
    for number in 0..400 {
        let conversation = (number % 200).to_string();
        let headers = [("x-pillion-tag-conversation", &*conversation)];
        client
            .post("/v1/chat/completions", &headers, ask().as_bytes())
            .await;
        let (answer, same) = client.answer().await.rest_and_client().await;
        assert_eq!(answer.status, 200);
        targets.push(answer.header("x-pillion-target").unwrap().to_owned());
        client = same;
    }
    assert_eq!(targets[..200], targets[200..]);
    let lights = targets[..200].iter().filter(|target| *target == "light/m");
    let to_light = lights.count();
    // Of 200 with p = 0.1, fewer than 3 or more than 50 come once in 10^6 runs.
    assert!((3..=50).contains(&to_light), "{to_light} of 200");
    assert_eq!(heavy.hits() + light.hits(), 400);
    assert_eq!(never.hits(), 0);
}

#[tokio::test]
async fn dirt_of_a_server_does_not_cost_the_answer() {
    // Role in every delta, no index, no usage, an unknown finish, no [DONE].
    let frames: String = ["Hel", "lo!"]
        .iter()
        .map(|piece| delta(&json!({ "role": "assistant", "content": piece }), None))
        .collect();
    let dirty = frames.replace("\"index\":0,", "") + ": ping\n\n" + &finish("eos");
    let first = Upstream::always(Reply::sse(dirty)).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let whole = read_stream(&gateway.chat(&ask_stream()).await.data(), false);
    assert_eq!(whole.choices[0].text, "Hello!");
    assert_eq!(whole.choices[0].finish, "stop");
}
