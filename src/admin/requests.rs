//! The newest requests, as their records tell of them. Pure.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::wire::edit::{Edits, Object};
use crate::wire::json::Cursor;

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
    let mut short = part(&mut record, &LISTED);
    short.insert("attempts".into(), attempts.into());
    Value::Object(short)
}

/// The record of one, whole, or whole but for what was asked and answered.
pub(super) fn one(records: &[Arc<[u8]>], id: &str, with_content: bool) -> Option<Vec<u8>> {
    let is_it = |record: &&Arc<[u8]>| {
        let record = read(record);
        record.is_some_and(|record| record.get("id").and_then(Value::as_str) == Some(id))
    };
    let record = records.iter().find(is_it)?;
    if with_content {
        return Some(record.to_vec());
    }
    let text = str::from_utf8(record).ok()?;
    let top = Object::read(&mut Cursor::new(text)).ok()?;
    let mut edits = Edits::default();
    if let Some(content) = top.get("content") {
        edits.replace(content, "null");
    }
    let mut out = String::with_capacity(text.len());
    edits.apply(text, |piece| out.push_str(piece));
    Some(out.into())
}

/// Those members of an object that are named, in the order of the names.
pub(super) fn part(whole: &mut Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let taken = |name: &&str| Some(((*name).to_owned(), whole.get_mut(*name)?.take()));
    names.iter().filter_map(taken).collect()
}

/// A record as an object; `None` where it is none.
pub(super) fn read(record: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(record).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_short_and_one_is_whole() {
        let first = r#"{"kind":"pillion.audit","id":"a","route":"chat","plan":["x/y"],"attempts":[{"target":"x/y"}],"content":{"request":"{}","answer":null,"cut":false},"config_version":null}"#;
        let records: Vec<Arc<[u8]>> = [first, r#"{"id":"b"}"#, "no JSON"]
            .map(|text| Arc::from(text.as_bytes()))
            .into();
        let expected = r#"[{"id":"a","route":"chat","attempts":1},{"id":"b","attempts":0}]"#;
        assert_eq!(list(&records), expected);
        assert_eq!(one(&records, "a", true).unwrap(), first.as_bytes());
        let content = r#"{"request":"{}","answer":null,"cut":false}"#;
        let without = first.replace(content, "null");
        assert_eq!(one(&records, "a", false).unwrap(), without.as_bytes());
        assert_eq!(one(&records, "b", false).unwrap(), br#"{"id":"b"}"#);
        assert_eq!(one(&records, "c", true), None);
    }
}
