//! Failures that the next target hides, and the record tells.

use serde_json::json;

use super::{For, Row, backup, replay};
use crate::support::fixture::{DONE, ask, ask_stream, finish, plain, plain_calls, role, streamed};
use crate::support::reply::{End, Framing};
use crate::support::{Config, Gateway, Refusing, Reply};

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
            Reply::json(plain_calls(&[("c", "f", "{\"a\":")])),
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

#[tokio::test]
async fn the_next_target_hides_a_failure_and_the_record_tells_it() {
    replay(hidden()).await;
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
