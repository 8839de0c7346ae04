//! What a failure tells beside its class: a wait, a reason, what a caller may see.

use std::time::Duration;

use super::{ContextLength, RateLimited, judge_reported, judged, with_headers};

#[test]
fn a_wait_is_kept_where_waiting_helps() {
    let seconds = |n| Some(Duration::from_secs(n));
    let rate = r#"{"error":{"message":"Please try again in 6m0s.","code":"rate_limit_exceeded"}}"#;
    assert_eq!(judged(429, rate).wait, seconds(360));
    assert_eq!(judge_reported(rate.as_bytes()).wait, seconds(360));
    assert_eq!(
        with_headers(429, &[("retry-after", "3")], "").wait,
        seconds(3)
    );
    assert_eq!(
        with_headers(429, &[("retry-after", "1"), ("retry-after-ms", "0")], "").wait,
        seconds(1)
    );
    let bucket = [("x-ratelimit-reset-tokens", "9s")];
    assert_eq!(with_headers(429, &bucket, "").wait, seconds(9));
    // A bucket's reset comes with every answer: it asks for nothing beside a fault.
    assert_eq!(with_headers(503, &bucket, "").wait, None);
    assert_eq!(
        with_headers(503, &[("retry-after", "3")], "").wait,
        seconds(3)
    );
    assert_eq!(
        with_headers(500, &[("retry-after", "3")], "").wait,
        seconds(3)
    );
    assert_eq!(with_headers(400, &[("retry-after", "3")], "").wait, None);
    // Google says it in the details; where the message says it too, the longer is the exact one.
    let detailed = r#"{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34.4s"}]}}"#;
    assert_eq!(
        judged(429, detailed).wait,
        Some(Duration::from_millis(34_400))
    );
    let both = detailed.replace("\"m\"", "\"Please retry in 34.5s.\"");
    assert_eq!(judged(429, &both).wait, Some(Duration::from_millis(34_500)));
    let nonsense = detailed.replace("34.4s", "-1s");
    assert_eq!(judged(429, &nonsense).wait, None);
    // Money does not come back in a second.
    let quota = r#"{"error":{"code":"insufficient_quota"}}"#;
    assert_eq!(with_headers(429, &[("retry-after", "1")], quota).wait, None);
}

#[test]
fn one_oversized_request_benches_no_deployment_for_a_day() {
    let body = r#"{"error":{"code":"429","message":"The token rate limit of your S0 pricing tier. Please retry after 86400 seconds."}}"#;
    let failure = with_headers(429, &[("retry-after", "86400")], body);
    assert_eq!((failure.class, failure.wait), (RateLimited, None));
    let body = r#"{"error":{"message":"Request too large: Limit 10, Requested 11. Please try again in 6s","code":"rate_limit_exceeded"}}"#;
    let failure = with_headers(429, &[("retry-after", "60")], body);
    assert_eq!((failure.class, failure.wait), (ContextLength, None));
}

#[test]
fn a_reason_is_our_own_words() {
    let reason = |status, body| judged(status, body).reason;
    let limited = r#"{"error":{"message":"secret","code":"RATE_LIMIT_EXCEEDED"}}"#;
    assert_eq!(reason(429, limited), "429 rate_limit_exceeded");
    assert_eq!(
        reason(429, r#"{"error":{"code":"their own words"}}"#),
        "429 Too Many Requests"
    );
    assert_eq!(
        reason(400, r#"{"error":{"code":"unsupported_value"}}"#),
        "400 unsupported_value"
    );
    let busy = r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    assert_eq!(reason(529, busy), "529 overloaded_error");
    assert_eq!(reason(302, ""), "302 a redirect, which is never followed");
    assert_eq!(reason(599, ""), "599 of no known meaning");
    let reported = |body: &str| judge_reported(body.as_bytes()).reason;
    assert_eq!(
        reported(r#"{"error":{"code":429}}"#),
        "200 with an error: 429"
    );
    assert_eq!(
        reported(r#"{"error":{"code":"slow_down"}}"#),
        "200 with an error: slow_down"
    );
    assert_eq!(reported(r#"{"error":"m"}"#), "200 with an error");
    assert_eq!(reported("{}"), "200 with a body that is no answer");
}

#[test]
fn what_the_caller_may_see_is_scrubbed_and_whole() {
    let body = r#"{"error":{"message":"Bad 'n' for org-AbC123 with sk-canary at https://a:b@h/","type":"invalid_request_error","param":"n","code":"invalid_value"}}"#;
    let said = judged(400, body).said.unwrap();
    assert_eq!(
        said.message,
        "Bad 'n' for [redacted] with [redacted] at https://[redacted]"
    );
    assert_eq!(said.kind.as_deref(), Some("invalid_request_error"));
    assert_eq!(
        (said.param.as_deref(), said.code.as_deref()),
        (Some("n"), Some("invalid_value"))
    );
}

#[test]
fn no_failure_carries_a_key() {
    const CANARY: &str = "sk-canary-4f9a0b7c6d5e4f3a2b1c";
    let shapes = [
        r#"{"error":{"message":"Incorrect API key provided: KEY.","type":"KEY","param":"KEY","code":"KEY"}}"#,
        r#"{"error":{"message":"maximum context length; Bearer KEY","code":"context_length_exceeded","param":"aKEY KEY"}}"#,
        r#"{"error":{"message":"https://user:KEY@host/?k=KEY","code":"content_filter"}}"#,
        r#"{"error":"KEY","code":"KEY"}"#,
        r#"{"object":"error","message":"(KEY)","type":"KEY"}"#,
        r#"{"detail":[{"loc":["KEY"],"msg":"KEY"}]}"#,
        r#"[{"error":{"message":"'KEY'","status":"KEY","details":[{"reason":"KEY"}]}}]"#,
        r#"{"error":{"message":"x","metadata":{"limit_source":"KEY","raw":"KEY","provider_name":"KEY"}}}"#,
        "<html>KEY</html>",
        "KEY",
        r#""KEY""#,
        "error: {\"message\":\"KEY\"}",
    ];
    for shape in shapes {
        let body = shape.replace("aKEY", "").replace("KEY", CANARY);
        let all = (300..600).map(|status| judged(status, &body));
        for failure in all.chain([judge_reported(body.as_bytes())]) {
            let shown = format!("{failure:?}");
            assert!(
                !shown.contains("canary") && !shown.contains("4f9a0b7c"),
                "{shown}"
            );
        }
    }
}
