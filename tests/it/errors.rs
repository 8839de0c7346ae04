//! What a caller is told when there is no answer: status, code, and whether to ask again.

use std::time::Instant;

use crate::passing::key;
use crate::support::fixture::{ask, ask_both, plain, read_plain};
use crate::support::reply::End;
use crate::support::{Answer, Config, Gateway, Refusing, Reply, Upstream};

/// The shape that every error has.
fn told(answer: &Answer, status: u16, kind: &str, code: &str) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    let body = answer.json();
    let error = body["error"]
        .as_object()
        .unwrap_or_else(|| panic!("{text}"));
    let members: Vec<&String> = error.keys().collect();
    assert_eq!(members, ["message", "type", "param", "code"], "{text}");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty()),
        "{text}"
    );
    assert_eq!(error["type"], kind, "{text}");
    assert_eq!(error["code"], code, "{text}");
    assert!(
        error["param"].is_string() || error["param"].is_null(),
        "{text}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.header("x-request-id").is_some());
    for ours in ["127.0.0.1", "hyper", "Error(", "src/"] {
        assert!(!text.contains(ours), "{text}");
    }
}

#[tokio::test]
async fn what_ended_every_attempt_decides_what_the_caller_is_told() {
    let error = Reply::error;
    let failed = (502, "upstream_error", "upstream_failed");
    let rows = [
        ("reset", Reply::nothing(End::Rst), failed),
        ("500", error(500, "x", None, "oops"), failed),
        ("503", error(503, "x", None, "oops"), failed),
        ("529", error(529, "overloaded_error", None, "oops"), failed),
        ("broken", Reply::json("<html>"), failed),
        ("empty", Reply::json("{\"choices\":[]}"), failed),
        (
            "quota",
            error(
                429,
                "insufficient_quota",
                Some("insufficient_quota"),
                "quota",
            ),
            (503, "upstream_error", "upstream_quota_exhausted"),
        ),
        (
            "auth",
            error(401, "x", Some("invalid_api_key"), "key"),
            (502, "upstream_error", "upstream_authentication_error"),
        ),
        (
            "no such model",
            error(404, "x", Some("model_not_found"), "no such model"),
            (502, "upstream_error", "upstream_model_not_found"),
        ),
        (
            "invalid",
            error(400, "invalid_request_error", Some("invalid_value"), "No."),
            (400, "invalid_request_error", "invalid_value"),
        ),
        (
            "too long",
            error(400, "x", Some("context_length_exceeded"), "too long"),
            (400, "invalid_request_error", "context_length_exceeded"),
        ),
        (
            "policy",
            error(403, "x", Some("content_policy_violation"), "no"),
            (400, "invalid_request_error", "content_policy_violation"),
        ),
    ];
    for (what, reply, (status, kind, code)) in rows {
        let first = Upstream::always(reply.clone()).await;
        let second = Upstream::always(reply).await;
        let gateway = Gateway::start(Config::both(&[&first, &second])).await;
        for (_, body) in ask_both() {
            let answer = gateway.chat(&body).await;
            told(&answer, status, kind, code);
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{what}");
            assert_eq!(answer.header("retry-after"), None, "{what}");
            let record = gateway.audit(answer.id()).await;
            assert_eq!(record.outcome(), "error", "{what}");
            assert_eq!(record.number("status"), Some(u64::from(status)), "{what}");
            assert_eq!(
                record.text("reason"),
                *record.classes().last().unwrap(),
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn nobody_there_is_a_502() {
    let (first, second) = (Refusing::new(), Refusing::new());
    let config = Config::new()
        .refusing("first", &first)
        .refusing("second", &second);
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    told(&answer, 502, "upstream_error", "upstream_failed");
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.classes(), ["connect"; 4]);
}

fn limited() -> Reply {
    Reply::error(
        429,
        "requests",
        Some("rate_limit_exceeded"),
        "Rate limit reached",
    )
}

#[tokio::test]
async fn where_everybody_is_at_a_rate_limit_the_least_wait_is_told() {
    for waits in [[7, 3], [3, 7]] {
        let first = Upstream::always(limited().header("retry-after", waits[0])).await;
        let second = Upstream::always(limited().header("retry-after", waits[1])).await;
        let config = Config::of(&[&first, &second]).limits("2s", "1s", "1s");
        let gateway = Gateway::start(config).await;
        let answer = gateway.chat(&ask()).await;
        told(&answer, 429, "rate_limit_error", "rate_limit_exceeded");
        assert_eq!(answer.header("x-should-retry"), Some("true"));
        // Less what the request itself took, since it was told.
        let least: u64 = answer.header("retry-after-ms").unwrap().parse().unwrap();
        assert!((2000..=3000).contains(&least), "{least} ms");
        assert_eq!(answer.header("retry-after"), Some("3"));
        assert_eq!((first.hits(), second.hits()), (1, 1));
    }
}

#[tokio::test]
async fn a_rate_limit_without_a_known_wait_is_not_to_be_retried() {
    let first = Upstream::always(limited()).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let answer = gateway.chat(&ask()).await;
    told(&answer, 429, "rate_limit_error", "rate_limit_exceeded");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
}

#[tokio::test]
async fn a_rate_limit_that_passes_in_time_is_waited_for_where_there_is_no_other() {
    let first = Upstream::script([
        limited().header("retry-after-ms", 150),
        Reply::json(plain("Hello!")),
    ])
    .await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(read_plain(&answer.json())[0].text, "Hello!");
    let seen = first.requests();
    let waited = seen[1].at - seen[0].at;
    assert!(
        waited.as_millis() >= 150,
        "never before its time: {waited:?}"
    );
    assert_eq!(
        gateway.audit(answer.id()).await.classes(),
        ["rate_limited", "ok"]
    );
}

#[tokio::test]
async fn a_provider_without_a_readable_key_is_left_out_and_said_so() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = Config::new().provider(
        "first",
        &first.base_url(),
        "secret: \"file:$FOLDER/absent\"",
    );
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    told(&answer, 503, "server_error", "no_eligible_target");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert_eq!(first.connections().len(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_before_any_provider_hears_of_it() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = Config::of(&[&first])
        .route("other", "{ targets: [first/m] }")
        .root("body_limit: 10KB")
        .root(&key("t", ", routes: [chat]"));
    let gateway = Gateway::start(config).await;
    let good = ("authorization", "Bearer t");
    let path = "/v1/chat/completions";
    let long = ask().replace("Hi", &"x".repeat(20_000));
    let other = ask().replace("\"chat\"", "\"other\"");
    let unknown = ask().replace("\"chat\"", "\"nobody\"");
    let twice = ask().replacen('{', "{\"model\":\"other\",", 1);
    let invalid = "invalid_request_error";
    let rows = [
        (path, vec![], ask(), 401, invalid, "invalid_api_key"),
        (
            path,
            vec![("authorization", "Bearer wrong")],
            ask(),
            401,
            invalid,
            "invalid_api_key",
        ),
        (path, vec![good], other, 403, invalid, "route_not_allowed"),
        (path, vec![good], unknown, 404, invalid, "model_not_found"),
        (path, vec![good], twice, 400, invalid, "duplicate_parameter"),
        (
            path,
            vec![good],
            "{\"model\":\"chat\"".to_owned(),
            400,
            invalid,
            "invalid_json",
        ),
        (
            path,
            vec![good],
            "{\"model\":\"chat\"}".to_owned(),
            400,
            invalid,
            "missing_required_parameter",
        ),
        (path, vec![good], long, 413, invalid, "request_too_large"),
        (
            path,
            vec![good, ("content-type", "text/plain")],
            ask(),
            415,
            invalid,
            "unsupported_media_type",
        ),
        (
            path,
            vec![good, ("origin", "https://evil.example")],
            ask(),
            403,
            invalid,
            "origin_not_allowed",
        ),
        (
            "/v1/nothing",
            vec![good],
            "{}".to_owned(),
            404,
            invalid,
            "not_found",
        ),
    ];
    for (path, headers, body, status, kind, code) in rows {
        let answer = gateway.post(path, &headers, &body).await;
        assert_eq!(
            (answer.status, &*answer.code()),
            (status, code),
            "{headers:?} {body:.80}"
        );
        told(&answer, status, kind, code);
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        let record = gateway.audit(answer.id()).await;
        assert_eq!(record.outcome(), "error");
        assert_eq!(record.number("status"), Some(u64::from(status)));
        assert!(record.classes().is_empty());
    }
    assert_eq!(first.connections().len(), 0);
}

#[tokio::test]
async fn a_model_that_is_not_there_is_an_error_in_the_record_too() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let answer = gateway.get("/v1/models/nobody").await;
    told(&answer, 404, "invalid_request_error", "model_not_found");
    assert_eq!(gateway.audit(answer.id()).await.outcome(), "error");
    let answer = gateway.get("/v1/models/chat").await;
    assert_eq!((answer.status, &answer.json()["id"]), (200, &"chat".into()));
    assert_eq!(gateway.audit(answer.id()).await.outcome(), "ok");
}

#[tokio::test]
async fn errors_come_early_where_there_is_nothing_to_wait_for() {
    let first = Upstream::always(Reply::error(500, "x", None, "oops")).await;
    let gateway = Gateway::start(Config::of(&[&first]).knob("timeout: 60s")).await;
    let start = Instant::now();
    gateway.chat(&ask()).await;
    assert!(start.elapsed().as_secs() < 5);
}
