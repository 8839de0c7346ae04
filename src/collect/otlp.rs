//! Records as logs of OTLP. Pure.
//!
//! One log record is one audit record: its body is the line, as text, so that it can be verified; its
//! attributes are for who searches.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::otlp::{Attribute, Resource, Scope, Value, as_text, nanoseconds, numbers, texts};
use crate::record::Line;
use crate::snapshot::Identity;

/// `SEVERITY_NUMBER_INFO`.
const INFO: u8 = 9;
/// Of a record's own kind.
const EVENT: &str = "pillion.audit";
const EVENT_GAP: &str = "pillion.audit.gap";

/// What is read of a record.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    trace_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    team: Option<Cow<'a, str>>,
    #[serde(borrow)]
    service: Option<Cow<'a, str>>,
    #[serde(borrow)]
    environment: Option<Cow<'a, str>>,
    #[serde(borrow)]
    route: Option<Cow<'a, str>>,
    #[serde(borrow)]
    rule: Option<Cow<'a, str>>,
    #[serde(borrow)]
    outcome: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    target: Option<Cow<'a, str>>,
    status: Option<u64>,
    total_ms: Option<u64>,
}

/// `ExportLogsServiceRequest`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_logs: [ResourceLogs<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'a> {
    resource: Resource<'a>,
    scope_logs: [ScopeLogs<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs<'a> {
    scope: Scope,
    log_records: Vec<LogRecord<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord<'a> {
    #[serde(serialize_with = "as_text")]
    time_unix_nano: u64,
    #[serde(serialize_with = "as_text")]
    observed_time_unix_nano: u64,
    severity_number: u8,
    severity_text: &'static str,
    event_name: &'static str,
    body: Value<'a>,
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Cow<'a, str>>,
}

/// The body of a request with these lines; `gap` notes what is missing before one.
pub(super) fn logs(
    lines: &[Line],
    identity: &Identity,
    now: Timestamp,
    gap: &dyn Fn(&Line) -> Option<Vec<u8>>,
) -> Vec<u8> {
    let mut log_records = Vec::with_capacity(lines.len());
    for line in lines {
        if let Some(note) = gap(line) {
            let note = String::from_utf8_lossy(&note).into_owned();
            log_records.push(log_record(EVENT_GAP, note.into(), now, now));
        }
        log_records.push(record(line, now));
    }
    let request = Request {
        resource_logs: [ResourceLogs {
            resource: Resource::of(identity),
            scope_logs: [ScopeLogs {
                scope: Scope::named(EVENT),
                log_records,
            }],
        }],
    };
    // What is made of texts and numbers alone can be written.
    serde_json::to_vec(&request).unwrap_or_default()
}

fn record(line: &Line, now: Timestamp) -> LogRecord<'_> {
    let said: Record<'_> = serde_json::from_slice(&line.text).unwrap_or_default();
    let time = said.time.parse().unwrap_or(now);
    let body = String::from_utf8_lossy(&line.text);
    let mut log = log_record(EVENT, body, time, now);
    let hash = line.head.hash.to_string();
    log.attributes = texts([
        ("pillion.id", said.id),
        ("pillion.key", said.key),
        ("pillion.team", said.team),
        ("pillion.service", said.service),
        ("pillion.environment", said.environment),
        ("pillion.route", said.route),
        ("pillion.rule", said.rule),
        ("pillion.target", said.target),
        ("pillion.outcome", said.outcome),
        ("pillion.reason", said.reason),
        ("pillion.hash", Some(hash.into())),
    ])
    .chain(numbers([
        ("pillion.seq", Some(line.head.seq)),
        ("pillion.total_ms", said.total_ms),
        ("http.response.status_code", said.status),
    ]))
    .collect();
    // Sixteen bytes, or none at all.
    let is_id = |id: &Cow<'_, str>| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    log.trace_id = said.trace_id.filter(is_id);
    log
}

fn log_record<'a>(
    event_name: &'static str,
    body: Cow<'a, str>,
    time: Timestamp,
    now: Timestamp,
) -> LogRecord<'a> {
    LogRecord {
        time_unix_nano: nanoseconds(time),
        observed_time_unix_nano: nanoseconds(now),
        severity_number: INFO,
        severity_text: "INFO",
        event_name,
        body: Value::Text(body),
        attributes: Vec::new(),
        trace_id: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::proof::{Digest, Head};

    #[test]
    fn a_record_is_a_log_record_with_its_line_as_the_body() {
        let text = r#"{"kind":"pillion.audit","time":"2026-11-20T08:09:10.123Z","id":"req_1","trace_id":"0af7651916cd43dd8448eb211c80319c","key":"k","team":null,"route":"chat","outcome":"ok","target":"a/m","status":200,"total_ms":12,"attempts":[{"target":"a/m"}]}"#;
        let hash = Digest::try_new(&[b'a'; 64]).unwrap();
        let line = Line {
            head: Head { seq: 7, hash },
            text: text.into(),
            lost: 2,
        };
        let identity = Identity {
            instance: Some("pod-1".into()),
            ..Identity::default()
        };
        let now = "2026-11-20T08:09:11Z".parse().unwrap();
        let body = logs(&[line], &identity, now, &|_| Some(b"{}".to_vec()));
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let resource = &body["resourceLogs"][0];
        let instance = json!({ "key": "service.instance.id", "value": { "stringValue": "pod-1" } });
        let attributes = resource["resource"]["attributes"].as_array().unwrap();
        assert!(attributes.contains(&instance), "{attributes:?}");
        let logs = resource["scopeLogs"][0]["logRecords"].as_array().unwrap();
        assert_eq!(logs[0]["eventName"], EVENT_GAP);
        let log = &logs[1];
        assert_eq!(log["body"]["stringValue"], text);
        assert_eq!(log["timeUnixNano"], "1795162150123000000");
        assert_eq!(log["traceId"], "0af7651916cd43dd8448eb211c80319c");
        let attributes = log["attributes"].as_array().unwrap();
        for (key, value) in [
            ("pillion.route", json!({ "stringValue": "chat" })),
            ("pillion.seq", json!({ "intValue": "7" })),
            ("http.response.status_code", json!({ "intValue": "200" })),
        ] {
            let one = json!({ "key": key, "value": value });
            assert!(attributes.contains(&one), "{key}: {attributes:?}");
        }
        assert!(!attributes.iter().any(|one| one["key"] == "pillion.team"));
    }
}
