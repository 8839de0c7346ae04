//! What etcd is asked and what it answers, as JSON: bytes are base64, whole numbers are texts.
//!
//! <https://etcd.io/docs/v3.5/dev-guide/apispec/swagger/rpc.swagger.json> (read 2026-11). Pure.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Buf as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::LARGEST_ANSWER;
use super::User;
use crate::secret::Secret;

#[derive(Serialize)]
struct Transaction {
    success: Vec<Operation>,
}

#[derive(Serialize)]
struct Operation {
    request_range: Keys,
}

#[derive(Serialize)]
struct Watch {
    create_request: Created,
}

#[derive(Serialize)]
struct Created {
    #[serde(flatten)]
    keys: Keys,
    start_revision: String,
    /// So that a revision that is watched from is not compacted while nothing happens.
    progress_notify: bool,
}

#[derive(Serialize)]
struct Keys {
    key: String,
    /// The first that is no more meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    range_end: Option<String>,
}

#[derive(Serialize)]
struct Authentication<'a> {
    name: &'a str,
    password: &'a str,
}

#[derive(Deserialize)]
struct Transacted<'a> {
    header: Header<'a>,
    #[serde(borrow, default)]
    responses: Vec<Operated<'a>>,
}

#[derive(Deserialize)]
struct Operated<'a> {
    #[serde(borrow)]
    response_range: Ranged<'a>,
}

#[derive(Deserialize)]
struct Ranged<'a> {
    #[serde(borrow, default)]
    kvs: Vec<Pair<'a>>,
}

#[derive(Deserialize)]
struct Pair<'a> {
    /// Absent for a text without bytes.
    #[serde(borrow, default)]
    value: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    revision: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Authenticated<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    result: Option<Watched<'a>>,
}

#[derive(Deserialize)]
struct Watched<'a> {
    #[serde(borrow)]
    header: Option<Header<'a>>,
    #[serde(default)]
    created: bool,
    #[serde(default)]
    canceled: bool,
    #[serde(default)]
    events: Vec<serde::de::IgnoredAny>,
}

/// What was read at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) revision: u64,
    pub(super) document: Option<Bytes>,
    pub(super) signature: Option<Bytes>,
}

/// What a line of a watch says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// As of this revision nothing has changed.
    Nothing { revision: u64 },
    /// The watch has begun. The store is at this revision, and what has changed up to it comes yet.
    Begun { revision: u64 },
    /// Something has, or the watch is over, or cannot be understood.
    Change,
}

/// Reads the document, and its signature.
pub(super) fn transaction(key: &str, signed: bool) -> Bytes {
    let read = |key: String| Operation {
        request_range: Keys {
            key: BASE64_STANDARD.encode(key),
            range_end: None,
        },
    };
    let mut success = vec![read(key.to_owned())];
    if signed {
        success.push(read(signature_of(key)));
    }
    json(&Transaction { success })
}

/// Watches both from `revision` on. The signature's key is the document's and four letters more, so
/// one range has both; what else lies between them is read again for nothing, and seldom.
pub(super) fn watch(key: &str, signed: bool, revision: u64) -> Bytes {
    let end = signed.then(|| format!("{}\0", signature_of(key)));
    json(&Watch {
        create_request: Created {
            keys: Keys {
                key: BASE64_STANDARD.encode(key),
                range_end: end.map(|end| BASE64_STANDARD.encode(end)),
            },
            start_revision: revision.to_string(),
            progress_notify: true,
        },
    })
}

pub(super) fn authentication(user: &User) -> Bytes {
    json(&Authentication {
        name: &user.name,
        password: &user.password,
    })
}

fn signature_of(key: &str) -> String {
    format!("{key}.sig")
}

/// What is only text is always written.
fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

pub(super) fn range(body: &[u8]) -> Option<Range> {
    let Transacted { header, responses } = serde_json::from_slice(body).ok()?;
    let mut found = responses.into_iter().map(|it| {
        let pair = it.response_range.kvs.into_iter().next();
        pair.map(|pair| {
            BASE64_STANDARD
                .decode(pair.value.as_bytes())
                .map(Bytes::from)
        })
    });
    Some(Range {
        revision: header.revision.parse().ok()?,
        document: found.next()?.transpose().ok()?,
        signature: found.next().flatten().transpose().ok()?,
    })
}

pub(super) fn token(body: &[u8]) -> Option<Secret> {
    let answer: Authenticated<'_> = serde_json::from_slice(body).ok()?;
    Secret::try_new(answer.token.as_bytes()).ok()
}

pub(super) fn heard(line: &[u8]) -> Heard {
    let line: Option<Line<'_>> = serde_json::from_slice(line).ok();
    match line.and_then(|line| line.result) {
        Some(Watched {
            header: Some(header),
            created,
            canceled: false,
            events,
        }) if events.is_empty() => match header.revision.parse() {
            Ok(revision) if created => Heard::Begun { revision },
            Ok(revision) => Heard::Nothing { revision },
            Err(_) => Heard::Change,
        },
        Some(_) | None => Heard::Change,
    }
}

/// The lines of a stream that comes in pieces.
#[derive(Default)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// Without a line's end up to here.
    looked: usize,
}

impl Lines {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    pub(super) fn next(&mut self) -> Option<Bytes> {
        loop {
            let Some(at) = memchr::memchr(b'\n', &self.buffer[self.looked..]) else {
                self.looked = self.buffer.len();
                return None;
            };
            let line = self.buffer.split_to(self.looked + at);
            self.buffer.advance(1);
            self.looked = 0;
            if !line.trim_ascii().is_empty() {
                return Some(line.freeze());
            }
        }
    }

    /// No line that is to be read is this long.
    pub(super) fn is_too_long(&self) -> bool {
        self.buffer.len() > LARGEST_ANSWER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As etcd 3.4 answers.
    const CREATED: &str =
        r#"{"result":{"header":{"cluster_id":"1","revision":"7","raft_term":"2"},"created":true}}"#;
    const PROGRESS: &str = r#"{"result":{"header":{"cluster_id":"1","revision":"9"}}}"#;
    const EVENT: &str = r#"{"result":{"header":{"revision":"10"},"events":[{"kv":{"key":"a2V5","create_revision":"2","mod_revision":"10","version":"2","value":"djI="}}]}}"#;
    const COMPACTED: &str =
        r#"{"result":{"header":{"revision":"10"},"canceled":true,"compact_revision":"3"}}"#;
    const BROKEN: &str =
        r#"{"error":{"grpc_code":14,"http_code":503,"message":"transport is closing"}}"#;

    #[test]
    fn a_line_says_that_there_is_something_or_nothing() {
        for (line, expected) in [
            (CREATED, Heard::Begun { revision: 7 }),
            (PROGRESS, Heard::Nothing { revision: 9 }),
            (EVENT, Heard::Change),
            (COMPACTED, Heard::Change),
            (BROKEN, Heard::Change),
            ("{}", Heard::Change),
            ("<html>", Heard::Change),
        ] {
            assert_eq!(heard(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let all = [CREATED, PROGRESS, EVENT, COMPACTED].join("\n") + "\n\r\n\n";
        for cut in 1..=all.len() {
            let mut lines = Lines::default();
            let mut heard_all = Vec::new();
            for piece in all.as_bytes().chunks(cut) {
                lines.push(piece);
                heard_all.extend(std::iter::from_fn(|| lines.next()).map(|line| heard(&line)));
            }
            let expected = [
                Heard::Begun { revision: 7 },
                Heard::Nothing { revision: 9 },
                Heard::Change,
                Heard::Change,
            ];
            assert_eq!(heard_all, expected, "{cut}");
            assert!(lines.buffer.is_empty());
        }
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; LARGEST_ANSWER]);
        assert!(lines.next().is_none() && !lines.is_too_long());
        lines.push(b"x");
        assert!(lines.next().is_none() && lines.is_too_long());
    }

    #[test]
    fn both_texts_are_read_of_one_answer() {
        let header = r#"{"header":{"revision":"12"},"succeeded":true"#;
        let found = r#"{"response_range":{"header":{"revision":"12"},"kvs":[{"key":"aw==","value":"cm91dGVz"}],"count":"1"}}"#;
        let empty = r#"{"response_range":{"kvs":[{"key":"aw=="}]}}"#;
        let none = r#"{"response_range":{"header":{"revision":"12"}}}"#;
        let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
        for (responses, expected) in [
            (vec![found], Some((text("routes"), None))),
            (vec![none], Some((None, None))),
            (vec![empty, none], Some((text(""), None))),
            (vec![empty, found], Some((text(""), text("routes")))),
            (vec![], None),
            (vec![r#"{"response_range":{"kvs":[{"value":"?"}]}}"#], None),
        ] {
            let body = format!("{header},\"responses\":[{}]}}", responses.join(","));
            let expected = expected.map(|(document, signature)| Range {
                revision: 12,
                document,
                signature,
            });
            assert_eq!(range(body.as_bytes()), expected, "{body}");
        }
        assert_eq!(range(b"{}"), None);
    }

    #[test]
    fn what_is_asked_is_what_the_gateway_knows() {
        assert_eq!(
            transaction("k", true),
            r#"{"success":[{"request_range":{"key":"aw=="}},{"request_range":{"key":"ay5zaWc="}}]}"#
        );
        assert_eq!(
            watch("k", false, 8),
            r#"{"create_request":{"key":"aw==","start_revision":"8","progress_notify":true}}"#
        );
        let both = watch("k", true, 8);
        assert!(String::from_utf8_lossy(&both).contains(r#""range_end":"ay5zaWcA""#));
    }
}
