//! What all of OTLP has in common, in its JSON encoding: attributes, and who tells. Pure.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding> (1.10.0, read 2026-11): names in
//! lower camel case, numbers of 64 bits as text, ids of traces in hexadecimal.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::snapshot::Identity;

/// One fact.
#[derive(Debug, Serialize)]
pub(crate) struct Attribute<'a> {
    pub(crate) key: &'static str,
    pub(crate) value: Value<'a>,
}

/// `AnyValue`.
#[derive(Debug, Serialize)]
pub(crate) enum Value<'a> {
    #[serde(rename = "stringValue")]
    Text(Cow<'a, str>),
    #[serde(rename = "intValue", serialize_with = "as_text")]
    Number(u64),
    #[serde(rename = "doubleValue")]
    Double(f64),
    #[serde(rename = "boolValue")]
    Flag(bool),
}

/// This process.
#[derive(Debug, Serialize)]
pub(crate) struct Resource<'a> {
    attributes: Vec<Attribute<'a>>,
}

/// What in the process tells.
#[derive(Debug, Serialize)]
pub(crate) struct Scope {
    name: &'static str,
    version: &'static str,
}

impl<'a> Resource<'a> {
    pub(crate) fn of(identity: &'a Identity) -> Self {
        let facts = [
            ("service.name", Some("pillion")),
            ("service.version", Some(env!("CARGO_PKG_VERSION"))),
            ("service.instance.id", identity.instance.as_deref()),
            (
                "deployment.environment.name",
                identity.environment.as_deref(),
            ),
        ];
        let facts = facts.map(|(key, fact)| (key, fact.map(Cow::from)));
        Self {
            attributes: texts(facts).collect(),
        }
    }
}

impl Scope {
    pub(crate) fn named(name: &'static str) -> Self {
        Self {
            name,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Those that are known.
pub(crate) fn texts<'a, const N: usize>(
    facts: [(&'static str, Option<Cow<'a, str>>); N],
) -> impl Iterator<Item = Attribute<'a>> {
    facts.into_iter().filter_map(|(key, fact)| {
        let value = Value::Text(fact?);
        Some(Attribute { key, value })
    })
}

/// Those that are known.
pub(crate) fn numbers<'a, const N: usize>(
    facts: [(&'static str, Option<u64>); N],
) -> impl Iterator<Item = Attribute<'a>> {
    facts.into_iter().filter_map(|(key, fact)| {
        let value = Value::Number(fact?);
        Some(Attribute { key, value })
    })
}

/// Since 1970; what was before is 1970.
pub(crate) fn nanoseconds(time: Timestamp) -> u64 {
    let since = time.duration_since(Timestamp::UNIX_EPOCH);
    let since = Duration::try_from(since).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A number of 64 bits.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(crate) fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}
