//! A span as OTLP has it, in its JSON encoding. Pure.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding> (1.10.0, read 2026-11), and of the same
//! version `opentelemetry/proto/trace/v1/trace.proto`, which has the numbers.

use serde::Serialize;

use super::{SAMPLED, SpanId, Trace, TraceId};
use crate::otlp::{Attribute, as_text};

/// It is known whether the parent is another process's.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// `SpanKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What somebody asks of us.
    Server = 2,
    /// What we ask of somebody.
    Client = 3,
}

/// `Span`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Span<'a> {
    trace_id: TraceId,
    #[serde(rename = "spanId")]
    id: SpanId,
    #[serde(rename = "parentSpanId", skip_serializing_if = "Option::is_none")]
    parent: Option<SpanId>,
    flags: u32,
    name: String,
    kind: u8,
    #[serde(serialize_with = "as_text")]
    start_time_unix_nano: u64,
    #[serde(serialize_with = "as_text")]
    end_time_unix_nano: u64,
    attributes: Vec<Attribute<'a>>,
    /// Absent where nothing is said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
}

/// What went wrong.
#[derive(Debug, Serialize)]
struct Status<'a> {
    code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl<'a> Span<'a> {
    /// The span `own` of a request in `trace`; the times are in nanoseconds since 1970.
    pub(crate) fn of_request(trace: &Trace, own: SpanId, name: String, times: (u64, u64)) -> Self {
        let parent = trace.parent();
        let is_remote = parent.map_or(0, |_| IS_REMOTE);
        Self::new(trace, (own, parent), is_remote, Kind::Server, name, times)
    }

    /// The span `own` of an attempt, below the request's.
    pub(crate) fn of_attempt(
        trace: &Trace,
        (own, request): (SpanId, SpanId),
        name: String,
        times: (u64, u64),
    ) -> Self {
        Self::new(trace, (own, Some(request)), 0, Kind::Client, name, times)
    }

    fn new(
        trace: &Trace,
        (id, parent): (SpanId, Option<SpanId>),
        is_remote: u32,
        kind: Kind,
        name: String,
        (start_time_unix_nano, end_time_unix_nano): (u64, u64),
    ) -> Self {
        Self {
            trace_id: trace.id(),
            id,
            parent,
            flags: HAS_IS_REMOTE | is_remote | u32::from(SAMPLED),
            name,
            kind: kind as u8,
            start_time_unix_nano,
            end_time_unix_nano,
            attributes: Vec::with_capacity(20),
            status: None,
        }
    }

    pub(crate) fn add(&mut self, facts: impl IntoIterator<Item = Attribute<'a>>) {
        self.attributes.extend(facts);
    }

    pub(crate) fn fails(&mut self, message: Option<&'a str>) {
        let code = ERROR;
        self.status = Some(Status { code, message });
    }
}
