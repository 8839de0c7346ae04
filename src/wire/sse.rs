//! Server-sent events: bytes into events, whatever the chunks they arrive in.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html> (read 2026-11), and what servers
//! do beside it: an end without a blank line, a field named `error`, a JSON error without framing.
//! An event that lies whole in a chunk is read in place; only the torn tail of a chunk is kept.
//! Never here: what an event means, or when a stream is over.

use memchr::{memchr, memchr2};

/// The longest event that is read, in bytes: above what any provider sends (images come as links or
/// in pieces), small enough that a stream of rubbish cannot fill the memory.
pub const MAX_EVENT: usize = 1 << 20;

/// One event with data.
#[derive(Debug, PartialEq, Eq)]
pub struct Event<'a> {
    pub kind: Kind,
    /// The data lines, joined by line feeds.
    pub data: &'a [u8],
}

/// What the framing alone says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Message,
    /// `event: error`, llama.cpp's field `error: {…}`, or lines that are bare JSON: an object, or a
    /// list as Google's servers wrap theirs in.
    Error,
}

/// An event that is longer than [`MAX_EVENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// The state between two chunks.
#[derive(Debug, Clone, Default)]
pub struct Framer {
    /// The event that has not ended yet, as it came.
    torn: Vec<u8>,
    /// Where the last line of `torn` begins.
    line: usize,
    /// How much of `torn` has been searched for the end of that line.
    searched: usize,
    /// Whether the byte-order mark has been looked for.
    started: bool,
}

impl Framer {
    /// Reads `chunk` and hands every event that it completes to `each`, in order.
    ///
    /// # Errors
    /// The first error of `each`, or [`TooLong`]; the framer is then of no further use.
    pub fn feed<E: From<TooLong>>(
        &mut self,
        mut chunk: &[u8],
        mut each: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.started {
            const MARK: &[u8] = "\u{feff}".as_bytes();
            if self.torn.is_empty() && chunk.len() >= MARK.len() {
                chunk = chunk.strip_prefix(MARK).unwrap_or(chunk);
                self.started = true;
            } else {
                self.torn.extend_from_slice(chunk);
                if self.torn.len() < MARK.len() && MARK.starts_with(&self.torn) {
                    return Ok(());
                }
                self.started = true;
                let start = std::mem::take(&mut self.torn);
                return self.feed(start.strip_prefix(MARK).unwrap_or(&start), each);
            }
        }
        if self.torn.is_empty() {
            let rest = events(chunk, 0, 0, &mut each)?;
            self.torn.extend_from_slice(&chunk[rest.read..]);
            self.keep(&rest)?;
        } else {
            self.torn.extend_from_slice(chunk);
            let rest = events(&self.torn, self.line, self.searched, &mut each)?;
            self.torn.drain(..rest.read);
            self.keep(&rest)?;
        }
        Ok(())
    }

    /// The stream has ended: hands over an event whose blank line never came.
    ///
    /// # Errors
    /// What `each` returns.
    pub fn finish<E: From<TooLong>>(
        &mut self,
        mut each: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = std::mem::take(&mut self.torn);
        rest.extend_from_slice(b"\n\n");
        events(&rest, 0, 0, &mut each)?;
        Ok(())
    }

    fn keep(&mut self, rest: &Rest) -> Result<(), TooLong> {
        self.line = rest.line - rest.read;
        self.searched = rest.searched - rest.read;
        if self.torn.len() > MAX_EVENT {
            Err(TooLong)
        } else {
            Ok(())
        }
    }
}

/// How far the whole events of some bytes go, and where the search goes on when more have come:
/// a long line that comes byte by byte is searched once, not once for each of its bytes.
struct Rest {
    /// Where the first event begins that has not ended.
    read: usize,
    /// Where the last line begins.
    line: usize,
    /// How far that line was searched for its end.
    searched: usize,
}

/// Reads the events that are whole in `bytes`, the last line of which begins at `line` and was
/// `searched` before.
fn events<E>(
    bytes: &[u8],
    mut line: usize,
    mut searched: usize,
    each: &mut impl FnMut(Event<'_>) -> Result<(), E>,
) -> Result<Rest, E> {
    let mut read = 0;
    loop {
        // Once for each event: what was searched before is no such event.
        if searched == read
            && let Some((data, length)) = plain(&bytes[read..])
        {
            if !is_blank(data) {
                each(Event {
                    kind: Kind::Message,
                    data,
                })?;
            }
            read += length;
            (line, searched) = (read, read);
            continue;
        }
        let Some(length) = memchr2(b'\n', b'\r', &bytes[searched..]) else {
            searched = bytes.len();
            break;
        };
        let end = searched + length;
        let next = match bytes[end..] {
            [b'\r', b'\n', ..] => end + 2,
            // The line feed of this pair may still be on its way.
            [b'\r'] => {
                searched = end;
                break;
            }
            _ => end + 1,
        };
        if end == line {
            dispatch(&bytes[read..line], each)?;
            read = next;
        }
        (line, searched) = (next, next);
    }
    Ok(Rest {
        read,
        line,
        searched,
    })
}

/// The event that `bytes` begin with, if it is one line of data between line feeds, as nearly every
/// event is: its data, and its length.
fn plain(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let line = bytes.strip_prefix(b"data: ")?;
    let data = &line[..memchr(b'\n', line)?];
    let ends = line.get(data.len() + 1) == Some(&b'\n') && memchr(b'\r', data).is_none();
    ends.then_some((data, b"data: ".len() + data.len() + b"\n\n".len()))
}

/// Reads the fields of one event and hands it over if it holds data.
fn dispatch<E>(block: &[u8], each: &mut impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
    let mut kind = Kind::Message;
    let mut data: Option<&[u8]> = None;
    let mut joined = Vec::new();
    // Bare JSON may be spread over lines, none of which begins as a field does.
    let mut bare = false;
    let mut rest = block;
    while !rest.is_empty() {
        let line;
        (line, rest) = split_line(rest);
        let (name, value) = field(line);
        let value = match name {
            b"data" => value,
            b"event" => {
                if value == b"error" {
                    kind = Kind::Error;
                }
                continue;
            }
            b"error" => {
                kind = Kind::Error;
                value
            }
            _ if is_bare(line, bare) => {
                (kind, bare) = (Kind::Error, true);
                line
            }
            _ => continue,
        };
        match data {
            None => data = Some(value),
            Some(first) => {
                if joined.is_empty() {
                    joined.extend_from_slice(first);
                }
                joined.push(b'\n');
                joined.extend_from_slice(value);
            }
        }
    }
    let data = if joined.is_empty() {
        data.unwrap_or_default()
    } else {
        &joined
    };
    if is_blank(data) {
        Ok(())
    } else {
        each(Event { kind, data })
    }
}

/// Whether a line is JSON without a field's name, or goes on with what the lines before it began. A
/// `[DONE]` that lost its name is not.
fn is_bare(line: &[u8], begun: bool) -> bool {
    let goes_on = |first: &u8| !first.is_ascii_alphabetic() && *first != b':';
    line.starts_with(b"{")
        || line.starts_with(b"[{")
        || line.trim_ascii_end() == b"["
        || begun && line.first().is_some_and(goes_on)
}

fn is_blank(data: &[u8]) -> bool {
    data.iter().all(u8::is_ascii_whitespace)
}

fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr2(b'\n', b'\r', bytes) {
        None => (bytes, &[]),
        Some(end) => {
            let width = if bytes[end..].starts_with(b"\r\n") {
                2
            } else {
                1
            };
            (&bytes[..end], &bytes[end + width..])
        }
    }
}

/// A line's name and value. A comment has an empty name.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b':', line) {
        None => (line, &[]),
        Some(colon) => {
            let value = &line[colon + 1..];
            (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Vec<(Kind, String)>;

    fn read(chunks: &[&[u8]]) -> Seen {
        let mut seen = Seen::new();
        let mut framer = Framer::default();
        let mut each = |event: Event<'_>| {
            seen.push((event.kind, String::from_utf8(event.data.to_vec()).unwrap()));
            Ok::<(), TooLong>(())
        };
        for chunk in chunks {
            framer.feed(chunk, &mut each).unwrap();
        }
        framer.finish(&mut each).unwrap();
        seen
    }

    fn messages(data: &[&str]) -> Seen {
        data.iter()
            .map(|data| (Kind::Message, (*data).to_owned()))
            .collect()
    }

    #[test]
    fn an_event_is_the_same_however_it_is_cut() {
        let streams: [(&str, Seen); 11] = [
            ("data: a\n\ndata: b\n\n", messages(&["a", "b"])),
            (
                "\u{feff}data:a\r\n\r\n: ping\r\n\r\nid: 1\r\ndata: ж\r\n\r\n",
                messages(&["a", "ж"]),
            ),
            ("data: a\rdata: b\r\rdata: c\r\r", messages(&["a\nb", "c"])),
            (
                "retry: 3000\n\n\n\nevent: ping\n\ndata:\n\ndata: [DONE]\n",
                messages(&["[DONE]"]),
            ),
            (
                "event: error\ndata: {\"x\":1}\n\n",
                vec![(Kind::Error, "{\"x\":1}".into())],
            ),
            ("error: {\"code\":500}\n\ndata: [DONE]", {
                let mut seen = vec![(Kind::Error, "{\"code\":500}".into())];
                seen.extend(messages(&["[DONE]"]));
                seen
            }),
            ("data: a\n\n{\"error\":{\"code\":503}}", {
                let mut seen = messages(&["a"]);
                seen.push((Kind::Error, "{\"error\":{\"code\":503}}".into()));
                seen
            }),
            (
                "data: a\r\n\r\n{\r\n  \"error\": {\r\n    \"a:b\": 1\r\n  }\r\n}\r\n",
                {
                    let mut seen = messages(&["a"]);
                    let error = "{\n  \"error\": {\n    \"a:b\": 1\n  }\n}";
                    seen.push((Kind::Error, error.into()));
                    seen
                },
            ),
            (
                "[{\n  \"x\": 1\n}\n,\n: ping\n{\n  \"x\": 2\n}\n]",
                vec![(
                    Kind::Error,
                    "[{\n  \"x\": 1\n}\n,\n{\n  \"x\": 2\n}\n]".into(),
                )],
            ),
            ("data: a\n\n[DONE]\n\n", messages(&["a"])),
            ("", Seen::new()),
        ];
        for (stream, expected) in streams {
            let bytes = stream.as_bytes();
            assert_eq!(read(&[bytes]), expected, "{stream:?}");
            for cut in 0..=bytes.len() {
                assert_eq!(
                    read(&[&bytes[..cut], &bytes[cut..]]),
                    expected,
                    "{stream:?} cut at {cut}"
                );
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read(&single), expected, "{stream:?} byte by byte");
        }
    }

    #[test]
    fn a_torn_line_is_searched_once() {
        let mut framer = Framer::default();
        for piece in ["id: 1\ndata: {\"a", "bc", "d\r"] {
            framer
                .feed(piece.as_bytes(), |_| Ok::<(), TooLong>(()))
                .unwrap();
        }
        assert_eq!(framer.line, "id: 1\n".len());
        assert_eq!(framer.searched, framer.torn.len() - 1, "up to the `\\r`");
    }

    #[test]
    fn an_endless_line_is_given_up() {
        let mut framer = Framer::default();
        let chunk = vec![b'x'; 64 << 10];
        let result = (0..64).try_for_each(|_| framer.feed(&chunk, |_| Ok::<(), TooLong>(())));
        assert_eq!(result, Err(TooLong));
        assert!(framer.torn.len() <= MAX_EVENT + chunk.len());
    }
}
