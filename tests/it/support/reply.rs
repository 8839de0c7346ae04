//! One answer of a scripted provider: what it says, in which pieces, and where it stops.

use std::time::Duration;

use serde_json::Value;

use super::Gate;

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length,
    Chunked,
    /// By closing the connection.
    Close,
}

/// What follows the last byte that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The proper end of the body; the connection may serve another request.
    Complete,
    /// The connection is closed (FIN).
    Fin,
    /// The connection is reset (RST).
    Rst,
    /// Nothing, until the client closes.
    Silence,
}

/// How a body is cut into writes, and with chunked framing into chunks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pieces {
    Whole,
    /// So many bytes each.
    Bytes(usize),
    /// At this byte.
    SplitAt(usize),
}

/// One answer. The builders chain.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Written in place of head and body, as it is.
    pub(super) raw: Option<Vec<u8>>,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) framing: Framing,
    pub(super) pieces: Pieces,
    /// Before each piece.
    pub(super) pace: Duration,
    /// Before the byte of the body at this place, in order.
    pub(super) pauses: Vec<(usize, Gate)>,
    /// Whether a head is sent at all.
    pub(super) head: bool,
    /// The bytes of the body that are sent, if not all.
    pub(super) cut: Option<usize>,
    pub(super) end: End,
    /// The body again and again, for as long as somebody takes it.
    pub(super) endless: bool,
}

impl Reply {
    fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>, framing: Framing) -> Self {
        Self {
            raw: None,
            status,
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: body.into(),
            framing,
            pieces: Pieces::Whole,
            pace: Duration::ZERO,
            pauses: Vec::new(),
            head: true,
            cut: None,
            end: End::Complete,
            endless: false,
        }
    }

    /// 200 with JSON.
    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "application/json", body, Framing::Length)
    }

    /// A status with an empty JSON body.
    pub(crate) fn status(status: u16) -> Self {
        Self::new(status, "application/json", "", Framing::Length)
    }

    /// A status with an error object.
    pub(crate) fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Self {
        let error = serde_json::json!({
            "error": { "message": message, "type": kind, "param": Value::Null, "code": code }
        });
        Self::status(status).body(error.to_string())
    }

    /// 200 with server-sent events, chunked.
    pub(crate) fn sse(text: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "text/event-stream", text, Framing::Chunked)
    }

    /// These bytes, and the end that is set (by default the connection closes).
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let mut reply = Self::status(200).ends(End::Fin);
        reply.raw = Some(bytes.into());
        reply
    }

    /// The request is read, and then the connection breaks off without a byte.
    pub(crate) fn nothing(end: End) -> Self {
        let mut reply = Self::status(200).ends(end);
        reply.head = false;
        reply
    }

    /// The request is read and never answered.
    pub(crate) fn silence() -> Self {
        Self::nothing(End::Silence)
    }

    pub(crate) fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    pub(crate) fn pieces(mut self, pieces: Pieces) -> Self {
        self.pieces = pieces;
        self
    }

    /// The whole body.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Takes so long over each piece.
    pub(crate) fn pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Of the body, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.body.len()
    }

    /// Waits at the gate before the body's byte at `at`.
    pub(crate) fn pause_at(mut self, at: usize, gate: &Gate) -> Self {
        self.pauses.push((at, gate.clone()));
        self.pauses.sort_by_key(|pause| pause.0);
        self
    }

    /// Waits at the gate after `events` events of the body.
    pub(crate) fn pause_after(self, events: usize, gate: &Gate) -> Self {
        let at = after_events(&self.body, events);
        self.pause_at(at, gate)
    }

    /// Sends so many bytes of the body, then `end`.
    pub(crate) fn cut_at(mut self, bytes: usize, end: End) -> Self {
        self.cut = Some(bytes);
        self.end = end;
        self
    }

    /// Sends so many events of the body, then `end`.
    pub(crate) fn cut_after(self, events: usize, end: End) -> Self {
        let at = after_events(&self.body, events);
        self.cut_at(at, end)
    }

    pub(crate) fn ends(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// The body without end.
    pub(crate) fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    pub(super) fn head_text(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        match self.framing {
            Framing::Length => head += &format!("content-length: {}\r\n", self.body.len()),
            Framing::Chunked => head += "transfer-encoding: chunked\r\n",
            Framing::Close => head += "connection: close\r\n",
        }
        head + "\r\n"
    }

    /// The body's pieces up to the cut, each with where it starts.
    pub(super) fn parts(&self) -> Vec<(usize, &[u8])> {
        let body = &self.body[..self.cut.unwrap_or(self.body.len()).min(self.body.len())];
        let mut borders: Vec<usize> = match self.pieces {
            Pieces::Whole => vec![],
            Pieces::Bytes(size) => (size..body.len()).step_by(size).collect(),
            Pieces::SplitAt(at) => vec![at],
        };
        borders.extend(self.pauses.iter().map(|pause| pause.0));
        borders.retain(|at| (1..body.len()).contains(at));
        borders.extend([0, body.len()]);
        borders.sort_unstable();
        borders.dedup();
        let parts = borders.windows(2);
        parts
            .map(|part| (part[0], &body[part[0]..part[1]]))
            .collect()
    }
}

/// Where the events after the first `events` begin.
fn after_events(body: &[u8], events: usize) -> usize {
    let ends = body.windows(2).enumerate();
    let mut ends = ends
        .filter(|(_, end)| *end == b"\n\n")
        .map(|(at, _)| at + 2);
    match events {
        0 => 0,
        count => ends.nth(count - 1).unwrap_or(body.len()),
    }
}
