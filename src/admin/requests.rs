//! The newest requests, as their records tell of them. Pure.

use std::sync::Arc;

use serde_json::{Map, Value};

/// What a list tells of each; the rest is told of one alone.
const LISTED: [&str; 17] = [
    "time",
    "id",
    "key",
    "team",
    "service",
    "environment",
    "route",
    "rule",
    "surface",
    "stream",
    "status",
    "outcome",
    "reason",
    "target",
    "total_ms",
    "cost",
    "currency",
];

/// A JSON list of what `records` say in short.
pub(super) fn list(records: &[Arc<[u8]>]) -> String {
    let records = records.iter().filter_map(|record| read(record));
    Value::Array(records.map(short).collect()).to_string()
}

fn short(mut record: Map<String, Value>) -> Value {
    let attempts = record.get("attempts").and_then(Value::as_array);
    let attempts = attempts.map_or(0, Vec::len);
    let listed = LISTED.into_iter();
    let mut short: Map<String, Value> = listed
        .filter_map(|key| Some((key.to_owned(), record.get_mut(key)?.take())))
        .collect();
    short.insert("attempts".into(), attempts.into());
    Value::Object(short)
}

/// The record of one, whole.
pub(super) fn one(records: &[Arc<[u8]>], id: &str) -> Option<Vec<u8>> {
    let is_it = |record: &&Arc<[u8]>| {
        let record = read(record);
        record.is_some_and(|record| record.get("id").and_then(Value::as_str) == Some(id))
    };
    records.iter().find(is_it).map(|record| record.to_vec())
}

fn read(record: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(record).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_short_and_one_is_whole() {
        let first = r#"{"kind":"pillion.audit","id":"a","route":"chat","plan":["x/y"],"attempts":[{"target":"x/y"}]}"#;
        let records: Vec<Arc<[u8]>> = [first, r#"{"id":"b"}"#, "no JSON"]
            .map(|text| Arc::from(text.as_bytes()))
            .into();
        let expected = r#"[{"id":"a","route":"chat","attempts":1},{"id":"b","attempts":0}]"#;
        assert_eq!(list(&records), expected);
        assert_eq!(one(&records, "a").unwrap(), first.as_bytes());
        assert_eq!(one(&records, "c"), None);
    }
}
