//! Errors that are no status with its body: named in a header, inside a 200, cut anywhere.

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};

use super::{
    Auth, ContextLength, InvalidRequest, Overloaded, QuotaExhausted, RateLimited, ServerError,
    TargetMissing, Timeout, judge, judge_reported, judged, rows, with_headers,
};

#[test]
fn bedrock_names_its_errors_in_a_header() {
    let named =
        |status, name| with_headers(status, &[("x-amzn-errortype", name)], r#"{"message":"m"}"#);
    assert_eq!(
        named(400, "ServiceQuotaExceededException").class,
        QuotaExhausted
    );
    assert_eq!(
        named(429, "ThrottlingException:http://internal.example/").class,
        RateLimited
    );
    assert_eq!(
        named(429, "com.example#ModelNotReadyException").class,
        Overloaded
    );
    assert_eq!(named(408, "ModelTimeoutException").class, Timeout);
    assert_eq!(named(424, "ModelErrorException").class, ServerError);
    assert_eq!(named(403, "AccessDeniedException").class, Auth);
    assert_eq!(named(400, "ExpiredTokenException").class, Auth);
    let said = |status, message: &str| {
        let body = format!(r#"{{"message":"{message}"}}"#);
        let name = match status {
            400 => "ValidationException",
            _ => "ThrottlingException",
        };
        with_headers(status, &[("x-amzn-errortype", name)], &body).class
    };
    for (status, message, class) in [
        (400, "m", InvalidRequest),
        (400, "Input is too long for requested model.", ContextLength),
        (
            400,
            "The provided model identifier is invalid.",
            TargetMissing,
        ),
        (
            400,
            "Invocation of model ID m with on-demand throughput is not supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
            TargetMissing,
        ),
        (
            429,
            "Too many requests, please wait before trying again.",
            RateLimited,
        ),
        (
            429,
            "Too many tokens, please wait before trying again.",
            RateLimited,
        ),
        (
            429,
            "Too many tokens per day, please wait before trying again.",
            QuotaExhausted,
        ),
    ] {
        assert_eq!(said(status, message), class, "{message}");
    }
}

#[test]
fn an_error_inside_a_200_keeps_a_class_that_says_whose_fault_it_was() {
    let table = r#"
        quota_exhausted {"type":"error","sequence_number":2,"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"m"}}
        overloaded      {"type":"response.failed","response":{"error":{"code":"server_is_overloaded","message":"m"}}}
        policy          {"type":"response.failed","response":{"error":{"code":"bio_policy","message":"m"}}}
        rate_limited    {"type":"error","code":"rate_limit_exceeded","message":"m","param":null}
        rate_limited    {"error":{"code":429,"message":"m"}}
        quota_exhausted {"error":{"code":402,"message":"m"}}
        auth            {"error":{"code":401,"message":"m"}}
        auth            {"error":{"code":"invalid_api_key","message":"m"}}
        auth            {"code":"invalid-argument","error":"Incorrect API key provided."}
        overloaded      {"error":{"code":503,"message":"No provider"}}
        overloaded      {"type":"error","error":{"type":"overloaded_error","message":"m"}}
        overloaded      {"error":"The engine is currently overloaded"}
        policy          {"error":{"code":403,"message":"m","metadata":{"flagged_input":"x"}}}
        context_length  {"object":"error","message":"This model's maximum context length is 8","type":"BadRequest","code":400}
        target_missing  {"error":{"code":400,"message":"x is not a valid model ID"}}
        invalid_request {"message":"m","type":"BadRequestError","param":null,"code":400}
        broken          {"error":{"message":"m","type":"invalid_request_error","code":"tool_use_failed","status_code":400}}
        # Nothing that says whose fault it was.
        broken          {"error":{"code":400,"message":"Token limit reached"}}
        broken          {"error":{"message":"m","type":"server_error"}}
        broken          {"error":{"message":"m","type":"InternalServerError","code":500}}
        broken          {"error":{"code":502,"message":"m"}}
        broken          {"error":{"code":408,"message":"m"}}
        broken          {"error":{"code":404,"message":"m"}}
        broken          {"error":"something"}
        broken          {"code":7,"message":"m"}
        broken          {"id":"1","object":"chat.completion"}
        broken          "text"
        broken          <html>
        broken
    "#;
    for (class, body) in rows(table) {
        let failure = judge_reported(body.as_bytes());
        assert_eq!(failure.class.name(), class, "{body}: {}", failure.reason);
        assert_eq!(failure.status, Some(StatusCode::OK));
        let headers = HeaderMap::new();
        let whole = judge(
            StatusCode::OK,
            &headers,
            body.as_bytes(),
            SystemTime::UNIX_EPOCH,
        );
        assert_eq!(whole, failure);
    }
}

#[test]
fn a_body_cut_anywhere_is_judged_by_its_status() {
    let body = r#"{"error":{"message":"Ключ sk-canary: Limit 1, Requested 2. Try again in 6m0s at https://a:b@h/?q","code":"rate_limit_exceeded"}}"#;
    for end in 0..body.len() {
        let failure = judge(
            StatusCode::TOO_MANY_REQUESTS,
            &HeaderMap::new(),
            &body.as_bytes()[..end],
            SystemTime::UNIX_EPOCH,
        );
        assert_eq!(failure.class, RateLimited, "{end}");
    }
    assert_eq!(judged(429, body).class, ContextLength);
}
