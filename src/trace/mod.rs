//! A request's place in a trace, and what waits to be told of it.
//!
//! <https://www.w3.org/TR/trace-context/> (level 1, read 2026-11): a caller's `traceparent` says which trace
//! its request is part of, which span of its own is the parent, and whether the trace is kept. A header that is
//! none is as good as no header, and what it does not know of a later version is not looked at. Where spans are
//! told to a collector, a request is a span of its own and each of its attempts another one below it, whose
//! id the provider gets in its place. Never here: what a request says, or where spans go.

mod id;
mod queue;
mod span;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::snapshot::Percent;

pub use self::id::{SpanId, TraceId};
pub use self::queue::{Batch, Bundle, Tracer, Waiting};
pub(crate) use self::span::Span;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The one flag that is known: that the trace is kept.
const SAMPLED: u8 = 1;

/// The trace that a request is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: TraceId,
    /// The caller's span, where the trace is the caller's.
    parent: Option<SpanId>,
    is_sampled: bool,
    /// The request's own span, where spans are told.
    own: Option<SpanId>,
}

impl Trace {
    /// What the caller says of its trace. `None` where it says nothing, or nothing that can be read.
    pub fn of_caller(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(TRACEPARENT).iter();
        match (all.next(), all.next()) {
            (Some(one), None) => Self::parse(one.to_str().ok()?),
            // Of two nobody knows which.
            (_, Some(_)) | (None, None) => None,
        }
    }

    /// A span of ours in the caller's trace, which the caller has decided about; else in a new one, of which
    /// `sample` are kept.
    pub fn begin(caller: Option<Self>, sample: Percent) -> Self {
        let id = TraceId::random();
        let trace = caller.unwrap_or_else(|| Self {
            id,
            parent: None,
            is_sampled: id.is_of(sample),
            own: None,
        });
        Self {
            own: Some(SpanId::random()),
            ..trace
        }
    }

    pub fn id(&self) -> TraceId {
        self.id
    }

    pub fn parent(&self) -> Option<SpanId> {
        self.parent
    }

    /// The span of the request, where it is to be told.
    pub fn kept(&self) -> Option<SpanId> {
        self.own.filter(|_| self.is_sampled)
    }

    /// For a span below the request's, where there are spans.
    pub fn child(&self) -> Option<SpanId> {
        self.own.map(|_| SpanId::random())
    }

    /// What goes on with `span` instead of the caller's headers.
    pub fn mark(&self, span: SpanId) -> Mark {
        Mark { trace: *self, span }
    }

    /// `VERSION-TRACE-PARENT-FLAGS`, and more of it in versions to come.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(5, '-');
        let version = byte(fields.next()?)?;
        let id = TraceId::try_new(fields.next()?)?;
        let parent = Some(SpanId::try_new(fields.next()?)?);
        let flags = byte(fields.next()?)?;
        let is_known = match version {
            0 => fields.next().is_none(),
            0xff => false,
            _ => true,
        };
        is_known.then_some(Self {
            id,
            parent,
            is_sampled: flags & SAMPLED != 0,
            own: None,
        })
    }
}

/// Two lower-case digits.
fn byte(text: &str) -> Option<u8> {
    let value = id::digits(text, 2)?;
    u8::try_from(value).ok()
}

/// The span that what is sent belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    trace: Trace,
    span: SpanId,
}

impl Mark {
    /// Tells it in `headers`. What the caller's tracers say beside its `traceparent` goes on with a trace of
    /// the caller's alone.
    pub fn put(self, headers: &mut HeaderMap) {
        let Trace {
            id,
            parent,
            is_sampled,
            ..
        } = self.trace;
        let text = format!("00-{id}-{}-{:02x}", self.span, u8::from(is_sampled));
        // Digits and dashes are a value.
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(TRACEPARENT, value);
        }
        if parent.is_none() {
            headers.remove(TRACESTATE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn all() -> Percent {
        Percent::try_new(100).unwrap()
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn said(traceparent: &str) -> Option<Trace> {
        Trace::of_caller(&headers(&[("traceparent", traceparent)]))
    }

    #[test]
    fn a_traceparent_is_what_the_standard_says_or_nothing() {
        for (flags, is_sampled) in [("01", true), ("00", false), ("03", true), ("fe", false)] {
            let trace = said(&format!("00-{TRACE}-00f067aa0ba902b7-{flags}")).unwrap();
            assert_eq!(trace.id().to_string(), TRACE);
            assert_eq!(trace.parent().unwrap().to_string(), "00f067aa0ba902b7");
            assert_eq!(trace.is_sampled, is_sampled, "{flags}");
            assert_eq!((trace.kept(), trace.child()), (None, None));
        }
        // Of a later version what is known of this one.
        for later in ["-01", "-01-more-of-it", "-01-"] {
            assert!(said(&format!("cc-{TRACE}-00f067aa0ba902b7{later}")).is_some());
        }
        for bad in [
            "",
            "00",
            "00-a-b-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
        ] {
            assert_eq!(said(bad), None, "{bad}");
        }
        let one = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let two = headers(&[("traceparent", &one), ("traceparent", &one)]);
        assert_eq!(Trace::of_caller(&two), None);
        assert_eq!(Trace::of_caller(&HeaderMap::new()), None);
    }

    #[test]
    fn the_caller_decides_about_its_trace_and_a_share_of_the_others_is_kept() {
        for (flags, sample, is_kept) in [("01", Percent::ZERO, true), ("00", all(), false)] {
            let caller = said(&format!("00-{TRACE}-00f067aa0ba902b7-{flags}"));
            let trace = Trace::begin(caller, sample);
            assert_eq!(trace.id().to_string(), TRACE);
            assert_eq!(trace.parent(), caller.unwrap().parent());
            assert_eq!(trace.kept().is_some(), is_kept);
            assert_ne!(trace.kept(), trace.parent());
        }
        assert!(Trace::begin(None, all()).kept().is_some());
        assert_eq!(Trace::begin(None, Percent::ZERO).kept(), None);
        let (one, other) = (Trace::begin(None, all()), Trace::begin(None, all()));
        assert_ne!(one.id(), other.id());
        assert_ne!(one.kept(), other.kept());
        assert_ne!(one.child(), one.child());
    }

    #[test]
    fn a_mark_takes_the_place_of_what_the_caller_sent() {
        let came = [("traceparent", "00-zz"), ("tracestate", "a=b")];
        let caller = said(&format!("00-{TRACE}-00f067aa0ba902b7-00"));
        let trace = Trace::begin(caller, all());
        let span = trace.child().unwrap();
        let mut sent = headers(&came);
        trace.mark(span).put(&mut sent);
        let expected = format!("00-{TRACE}-{span}-00");
        assert_eq!(sent["traceparent"], *expected);
        assert_eq!(sent["tracestate"], "a=b");
        // Whose trace is not known, and what is said of it, is not gone on with.
        let trace = Trace::begin(None, all());
        let mut sent = headers(&came);
        trace.mark(span).put(&mut sent);
        let expected = format!("00-{}-{span}-01", trace.id());
        assert_eq!(sent["traceparent"], *expected);
        assert_eq!(sent.get("tracestate"), None);
    }
}
