//! A provider's error body, whatever its shape, brought to one.
//!
//! Seven shapes are in use: an error object; an error string with its code beside it; a flat object;
//! a `detail` that is a string or a list; a list whose first element is one of these; the
//! `response.failed` event; and text that is no JSON at all. The content type is not asked: `OpenAI`
//! has sent errors as `text/plain`, and `DeepSeek` sends them as bytes.
//! Never here: what an error means ([`super::judge`](super::judge())), and what of it may be shown
//! ([`super::scrub`]). The text of a page that is not JSON is dropped, so that it is never passed on.
//! Shapes: <https://platform.openai.com/docs/guides/error-codes> and the providers' own error pages,
//! read 2026-11-22.

use serde_json::{Map, Value};

use super::Said;

/// The longest body that is read as an error, in bytes. Longer ones quote the request, and their
/// tree would take many times as much.
const LONGEST: usize = 1 << 20;

/// An error as its provider wrote it: nothing in it has been scrubbed.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) said: Said,
    /// Further machine words, where a provider has more places for them than `code` and `type`.
    also: Vec<String>,
    /// The HTTP status that the body itself names: all that an error inside a 200 has.
    pub(super) status: Option<u16>,
    /// Google: how long to wait, as a duration in text.
    pub(super) retry_delay: Option<String>,
    /// Google: whether a quota of a whole day is used up.
    pub(super) daily: bool,
    /// `OpenRouter`: which of its limits this was.
    pub(super) limit_source: Option<String>,
    /// `OpenRouter`: the reasons of its moderation are given.
    pub(super) moderated: bool,
    /// `OpenRouter`: the error came from the provider behind it.
    pub(super) relayed: bool,
}

impl Envelope {
    /// Reads a body. One that cannot be read is an empty envelope: then only the status speaks.
    pub(super) fn read(body: &[u8]) -> Self {
        let body = body.trim_ascii();
        if body.len() > LONGEST {
            return Self::default();
        }
        // Two streaming servers answer a refusal in the frame of the stream it would have been.
        let body = [b"data:".as_slice(), b"error:"]
            .iter()
            .find_map(|field| body.strip_prefix(*field))
            .unwrap_or(body);
        serde_json::from_slice(body)
            .map(|value| Self::of(&value))
            .unwrap_or_default()
    }

    fn of(value: &Value) -> Self {
        let value = match value {
            Value::Array(list) => list.first().unwrap_or(value),
            other => other,
        };
        let Some(top) = value.as_object() else {
            return Self::of_text(value);
        };
        let failed = top
            .get("response")
            .and_then(|response| response.get("error"));
        match (top.get("error"), failed) {
            (Some(Value::Object(error)), _) | (_, Some(Value::Object(error))) => Self::flat(error),
            (Some(Value::String(text)), _) => {
                let mut error = Self::flat(top);
                error.said.message.clone_from(text);
                error
            }
            _ => Self::flat(top),
        }
    }

    fn of_text(value: &Value) -> Self {
        let message = text(value).unwrap_or_default();
        Self {
            said: Said {
                message,
                ..Said::default()
            },
            ..Self::default()
        }
    }

    fn flat(error: &Map<String, Value>) -> Self {
        let field = |name: &str| error.get(name).and_then(word);
        let metadata = error.get("metadata");
        let metadatum = |name: &str| metadata.and_then(|m| m.get(name)).filter(|v| !v.is_null());
        let (kind, error_type) = (field("type"), field("error_type"));
        Self {
            said: Said {
                message: ["message", "Message", "detail", "msg"]
                    .iter()
                    .find_map(|name| error.get(*name).and_then(text))
                    .unwrap_or_default(),
                kind: kind.or_else(|| error_type.clone()),
                param: field("param"),
                code: field("code"),
            },
            also: error_type
                .into_iter()
                .chain(field("status"))
                // AWS, where the header is lost: `com.amazonaws.service#ThrottlingException`.
                .chain(field("__type").and_then(|name| name.rsplit('#').next().map(str::to_owned)))
                .chain(
                    error
                        .get("innererror")
                        .and_then(|inner| word(inner.get("code")?)),
                )
                .chain(reasons(error))
                .collect(),
            status: ["code", "status", "status_code", "raw_status_code"]
                .iter()
                .find_map(|name| error.get(*name).and_then(status)),
            retry_delay: details(error).find_map(|detail| word(detail.get("retryDelay")?)),
            daily: details(error).any(is_daily),
            limit_source: metadatum("limit_source").and_then(word),
            moderated: metadatum("reasons")
                .or(metadatum("flagged_input"))
                .is_some(),
            relayed: metadatum("provider_name").is_some(),
        }
    }

    /// Adds a machine word that a provider keeps in a header.
    pub(super) fn add_word(&mut self, word: &str) {
        self.also.push(word.to_owned());
    }

    /// The machine words, the most particular first: a code says more than a type.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        let said = &self.said;
        let code = said.code.as_deref().into_iter();
        let also = self.also.iter().map(String::as_str);
        code.chain(also).chain(said.kind.as_deref())
    }

    /// The message in lower case, to look for known phrases.
    pub(super) fn phrase(&self) -> String {
        self.said.message.to_lowercase()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.said == Said::default() && self.also.is_empty()
    }
}

/// `google.rpc.ErrorInfo`: the reason is in the details; Anthropic has an `error_code` in one.
fn reasons(error: &Map<String, Value>) -> Vec<String> {
    let code = error
        .get("details")
        .and_then(|details| word(details.get("error_code")?));
    let reasons = details(error).filter_map(|detail| word(detail.get("reason")?));
    code.into_iter().chain(reasons).collect()
}

/// `google.rpc.Status`: messages of several types. Some providers have a `details` string.
fn details(error: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let details = error.get("details").and_then(Value::as_array);
    details.into_iter().flatten()
}

/// `google.rpc.QuotaFailure` names the quotas that are used up; `ErrorInfo` names one.
/// The words are `GenerateRequestsPerDayPerProjectPerModel-FreeTier` and the like, and it is they
/// alone that tell a day from a minute: the message and the wait are the same.
fn is_daily(detail: &Value) -> bool {
    let violations = detail.get("violations").and_then(Value::as_array);
    let quotas = violations
        .into_iter()
        .flatten()
        .filter_map(|violation| violation.get("quotaId"));
    let limit = detail
        .get("metadata")
        .and_then(|metadata| metadata.get("quota_limit"));
    let mut quotas = quotas.chain(limit).filter_map(Value::as_str);
    quotas.any(|quota| quota.contains("PerDay"))
}

/// A short field: numbers become strings, anything else is absent.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// A message: a string, or the complaints of a validator, each with the place it is about.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Array(list) => {
            let complaints: Vec<String> = list.iter().filter_map(text).collect();
            (!complaints.is_empty()).then(|| complaints.join("; "))
        }
        Value::Object(object) => {
            let message = ["message", "detail", "msg"]
                .iter()
                .find_map(|name| object.get(*name).and_then(text))?;
            Some(match object.get("loc").and_then(Value::as_array) {
                Some(place) => {
                    let steps: Vec<String> = place.iter().filter_map(word).collect();
                    format!("{}: {message}", steps.join("."))
                }
                None => message,
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A number, or the digits of one, that is an HTTP error's status. Mistral's "1500" is not.
fn status(value: &Value) -> Option<u16> {
    let number = match value {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok()?,
        Value::String(digits) => digits.parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (400..600).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> [String; 4] {
        let said = Envelope::read(body.as_bytes()).said;
        let shown = |field: Option<String>| field.unwrap_or_else(|| "-".to_owned());
        [
            said.message,
            shown(said.kind),
            shown(said.param),
            shown(said.code),
        ]
    }

    #[test]
    fn every_shape_becomes_the_four_fields() {
        let table = [
            // An error object.
            (
                r#"{"error":{"message":"m","type":"t","param":"p","code":"c"}}"#,
                ["m", "t", "p", "c"],
            ),
            (
                r#"{"error":{"code":"429","message":"m"}}"#,
                ["m", "-", "-", "429"],
            ),
            (
                r#"{"error":{"message":"m","type":"BadRequestError","param":null,"code":400}}"#,
                ["m", "BadRequestError", "-", "400"],
            ),
            (
                r#"{"error":{"object":"error","message":"m","type":"t","code":1}}"#,
                ["m", "t", "-", "1"],
            ),
            (
                r#"{"error":{"message":"m"},"status":401}"#,
                ["m", "-", "-", "-"],
            ),
            // An error string, alone or with its code beside it.
            (r#"{"error":"m"}"#, ["m", "-", "-", "-"]),
            (
                r#"{"code":"invalid-argument","error":"m"}"#,
                ["m", "-", "-", "invalid-argument"],
            ),
            (
                r#"{"error":"m","error_type":"validation"}"#,
                ["m", "validation", "-", "-"],
            ),
            (r#""m""#, ["m", "-", "-", "-"]),
            // Flat.
            (
                r#"{"object":"error","message":"m","type":"invalid_model","param":null,"code":"1500"}"#,
                ["m", "invalid_model", "-", "1500"],
            ),
            (r#"{"code":400,"message":"m"}"#, ["m", "-", "-", "400"]),
            (
                r#"{"error_type":"TOO_MANY_TOKENS","id":"1","message":"m"}"#,
                ["m", "TOO_MANY_TOKENS", "-", "-"],
            ),
            (r#"{"Message":"m"}"#, ["m", "-", "-", "-"]),
            // Details.
            (r#"{"detail":"m"}"#, ["m", "-", "-", "-"]),
            (
                r#"{"detail":[{"loc":["body","n",0],"msg":"m","type":"missing"},{"msg":"k"}]}"#,
                ["body.n.0: m; k", "-", "-", "-"],
            ),
            (
                r#"{"object":"error","message":{"detail":[{"msg":"m"}]},"type":"t"}"#,
                ["m", "t", "-", "-"],
            ),
            // A list.
            (
                r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#,
                ["m", "-", "-", "400"],
            ),
            // The end of a Responses stream.
            (
                r#"{"type":"response.failed","response":{"error":{"code":"c","message":"m"}}}"#,
                ["m", "-", "-", "c"],
            ),
            // In the frame of a stream, or behind the blank lines of a queue.
            (
                "\n\n  {\"error\":{\"message\":\"m\"}}\n",
                ["m", "-", "-", "-"],
            ),
            ("error: {\"message\":\"m\"}", ["m", "-", "-", "-"]),
            ("data: {\"error\":\"m\"}\n\n", ["m", "-", "-", "-"]),
            // What cannot be read is not passed on.
            ("<html><h1>502 Bad Gateway</h1></html>", ["", "-", "-", "-"]),
            ("upstream connect error", ["", "-", "-", "-"]),
            (r#"{"error":{"message":"cut o"#, ["", "-", "-", "-"]),
            ("", ["", "-", "-", "-"]),
            ("[]", ["", "-", "-", "-"]),
            ("null", ["", "-", "-", "-"]),
        ];
        for (body, expected) in table {
            assert_eq!(fields(body), expected, "{body}");
        }
    }

    #[test]
    fn a_status_is_found_wherever_a_body_names_it() {
        let table = [
            (r#"{"error":{"code":429}}"#, Some(429)),
            (r#"{"error":{"code":"429"}}"#, Some(429)),
            (
                r#"{"error":{"code":"tool_use_failed","status_code":400}}"#,
                Some(400),
            ),
            (
                r#"{"object":"error","code":"1300","raw_status_code":429}"#,
                Some(429),
            ),
            (r#"{"error":{"code":"1500"}}"#, None),
            (r#"{"error":{"code":200}}"#, None),
            (r#"{"error":{"code":-1,"status":"UNAVAILABLE"}}"#, None),
        ];
        for (body, expected) in table {
            assert_eq!(Envelope::read(body.as_bytes()).status, expected, "{body}");
        }
    }

    #[test]
    fn a_day_and_a_minute_are_told_apart_by_the_name_of_the_quota() {
        let quota = |id: &str| {
            format!(
                r#"{{"error":{{"details":[{{"violations":[{{"quotaId":"x"}},{{"quotaId":"{id}"}}]}},{{"retryDelay":"34.4s"}}]}}}}"#
            )
        };
        for (body, daily) in [
            (
                quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
                true,
            ),
            (
                quota("GenerateContentPaidTierInputTokensPerModelPerMinute"),
                false,
            ),
            (
                r#"{"details":[{"metadata":{"quota_limit":"RequestsPerDay"}}]}"#.into(),
                true,
            ),
            (r#"{"details":"PerDay"}"#.into(), false),
        ] {
            let envelope = Envelope::read(body.as_bytes());
            assert_eq!(envelope.daily, daily, "{body}");
            let waits = body.contains("retryDelay").then_some("34.4s");
            assert_eq!(envelope.retry_delay.as_deref(), waits, "{body}");
        }
    }

    #[test]
    fn a_body_that_is_too_long_is_not_read() {
        let body = |length: usize| format!(r#"{{"code":"c","x":"{}"}}"#, "y".repeat(length));
        assert!(!Envelope::read(body(64 << 10).as_bytes()).is_empty());
        assert!(Envelope::read(body(LONGEST).as_bytes()).is_empty());
    }

    #[test]
    fn the_words_are_heard_code_first() {
        let body = r#"{"error":{"type":"t","code":"c","status":"S","innererror":{"code":"I"},
            "details":[{"@type":"x","reason":"R"}]}}"#;
        let envelope = Envelope::read(body.as_bytes());
        assert_eq!(
            envelope.words().collect::<Vec<_>>(),
            ["c", "S", "I", "R", "t"]
        );
        let envelope = Envelope::read(br#"{"__type":"com.example#ThrottlingException"}"#);
        assert_eq!(
            envelope.words().collect::<Vec<_>>(),
            ["ThrottlingException"]
        );
    }
}
