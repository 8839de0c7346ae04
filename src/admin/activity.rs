//! What goes on: the requests that run, and those that have ended since somebody last looked. Pure.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::requests::{part, read};
use crate::record::Seen;

/// How many of those that run are told; of the others, that they are there.
pub(super) const RUNNING: usize = 100;

/// What is told of each that has ended: what a list shows. The rest is told of one alone.
const TOLD: [&str; 16] = [
    "time",
    "id",
    "key",
    "route",
    "rule",
    "surface",
    "stream",
    "status",
    "outcome",
    "reason",
    "target",
    "first_token_ms",
    "total_ms",
    "usage",
    "cost",
    "currency",
];

/// What is told of each attempt: no text of a provider's.
const ATTEMPT: [&str; 6] = [
    "target",
    "class",
    "status",
    "start_ms",
    "ms",
    "first_token_ms",
];

/// What `/api/activity` answers. The names within a request are those of its record.
#[derive(Debug, Serialize)]
pub(super) struct Activity {
    /// When the process was started: another one counts anew.
    pub(super) started: String,
    pub(super) now: String,
    /// Where applications connect, once they can.
    pub(super) listen: Option<String>,
    /// How many run, also those that are not told.
    pub(super) running_count: usize,
    /// The newest first.
    pub(super) running: Vec<Seen>,
    /// What to ask `?after=` next.
    pub(super) next: u64,
    /// The newest first.
    pub(super) ended: Vec<Value>,
}

/// What was asked for is what came after so many records: all that are kept, without a number.
pub(super) fn after(query: Option<&str>) -> u64 {
    let mut members = query.unwrap_or_default().split('&');
    let after = members.find_map(|member| member.strip_prefix("after="));
    after.and_then(|after| after.parse().ok()).unwrap_or(0)
}

/// What is told of these records.
pub(super) fn ended(records: &[Arc<[u8]>]) -> Vec<Value> {
    let records = records.iter().filter_map(|record| read(record));
    records.map(told).collect()
}

fn told(mut record: Map<String, Value>) -> Value {
    let mut told = part(&mut record, &TOLD);
    let attempts = record.get_mut("attempts").and_then(Value::as_array_mut);
    let attempts = attempts.into_iter().flatten();
    let attempts = attempts.filter_map(Value::as_object_mut);
    let attempts = attempts.map(|attempt| Value::Object(part(attempt, &ATTEMPT)));
    told.insert("attempts".into(), attempts.collect());
    Value::Object(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_a_number_or_nothing() {
        for (query, expected) in [
            (None, 0),
            (Some("after=12"), 12),
            (Some("x=1&after=3"), 3),
            (Some("after="), 0),
            (Some("after=-1"), 0),
            (Some("before=3"), 0),
        ] {
            assert_eq!(after(query), expected, "{query:?}");
        }
    }

    #[test]
    fn an_attempt_is_told_without_what_a_provider_said() {
        let record = r#"{"kind":"pillion.audit","id":"a","trace_id":"t","attempts":[
            {"target":"x/y","class":"ok","ms":3,"reason":"said","upstream_id":"u","start_ms":1}]}"#;
        let records: Vec<Arc<[u8]>> = [record, "no JSON"]
            .map(|text| Arc::from(text.as_bytes()))
            .into();
        let told = serde_json::to_string(&ended(&records)).unwrap();
        let expected =
            r#"[{"id":"a","attempts":[{"target":"x/y","class":"ok","start_ms":1,"ms":3}]}]"#;
        assert_eq!(told, expected);
    }
}
