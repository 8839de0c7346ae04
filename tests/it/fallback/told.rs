//! Failures that the caller is told, as no other target could mend them, or there is none.

use super::backup;
use crate::support::fixture::{ask, ask_both};
use crate::support::{Config, Gateway, Reply, Upstream};

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
