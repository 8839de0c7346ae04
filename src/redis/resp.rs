//! What Redis is told and what it answers, as bytes: RESP2.
//!
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/> (read 2026-11). Pure.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memmem;

/// The longest text that is taken, and the most members of a list.
const LONGEST: usize = 8 << 20;
const MOST: usize = 1 << 16;
/// How deep lists may lie in lists.
const DEEPEST: u32 = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Nil,
    Number(i64),
    /// A status, or a value.
    Text(Bytes),
    List(Vec<Reply>),
    Error(Bytes),
}

/// It is no RESP2, or more than is taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

enum Stop {
    More,
    Broken,
}

/// A command: its name and what it is told.
pub(crate) fn encode(words: &[&[u8]]) -> Bytes {
    let size: usize = words.iter().map(|word| word.len() + 16).sum();
    let mut bytes = BytesMut::with_capacity(size + 16);
    bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.freeze()
}

/// Takes the next reply out of what has come; `None` while it is not whole.
pub(crate) fn decode(buffer: &mut BytesMut) -> Result<Option<Reply>, Broken> {
    let mut rest = &buffer[..];
    match read(&mut rest, DEEPEST) {
        Ok(reply) => {
            let length = buffer.len() - rest.len();
            buffer.advance(length);
            Ok(Some(reply))
        }
        Err(Stop::More) => Ok(None),
        Err(Stop::Broken) => Err(Broken),
    }
}

fn read(rest: &mut &[u8], deep: u32) -> Result<Reply, Stop> {
    let (kind, text) = line(rest)?.split_first().ok_or(Stop::Broken)?;
    match kind {
        b'+' => Ok(Reply::Text(Bytes::copy_from_slice(text))),
        b'-' => Ok(Reply::Error(Bytes::copy_from_slice(text))),
        b':' => Ok(Reply::Number(number(text)?)),
        b'$' => {
            let Some(length) = length(text, LONGEST)? else {
                return Ok(Reply::Nil);
            };
            let (value, after) = rest.split_at_checked(length).ok_or(Stop::More)?;
            let after_end = after.get(2..).ok_or(Stop::More)?;
            if !after.starts_with(b"\r\n") {
                return Err(Stop::Broken);
            }
            *rest = after_end;
            Ok(Reply::Text(Bytes::copy_from_slice(value)))
        }
        b'*' => {
            let Some(length) = length(text, MOST)? else {
                return Ok(Reply::Nil);
            };
            let deep = deep.checked_sub(1).ok_or(Stop::Broken)?;
            let members = std::iter::repeat_with(|| read(rest, deep)).take(length);
            Ok(Reply::List(members.collect::<Result<_, _>>()?))
        }
        _ => Err(Stop::Broken),
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Stop> {
    let end = memmem::find(rest, b"\r\n").ok_or(if rest.len() > LONGEST {
        Stop::Broken
    } else {
        Stop::More
    })?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    Ok(line)
}

fn number(text: &[u8]) -> Result<i64, Stop> {
    let text = std::str::from_utf8(text).map_err(|_| Stop::Broken)?;
    text.parse().map_err(|_| Stop::Broken)
}

/// `None` for what is not there.
fn length(text: &[u8], most: usize) -> Result<Option<usize>, Stop> {
    match number(text)? {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= most => Ok(Some(length)),
            Ok(_) | Err(_) => Err(Stop::Broken),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> Reply {
        Reply::Text(text.into())
    }

    #[test]
    fn a_command_is_a_list_of_texts() {
        assert_eq!(
            encode(&[b"GET", b"a\r\nb"]),
            "*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n"
        );
    }

    #[test]
    fn replies_are_read_however_they_are_cut() {
        let replies = [
            ("+OK\r\n", text("OK")),
            ("-ERR no\r\n", Reply::Error("ERR no".into())),
            (":-12\r\n", Reply::Number(-12)),
            ("$-1\r\n", Reply::Nil),
            ("*-1\r\n", Reply::Nil),
            ("$0\r\n\r\n", text("")),
            ("$4\r\na\r\nb\r\n", text("a\r\nb")),
            (
                "*3\r\n:1\r\n*1\r\n$1\r\nx\r\n$-1\r\n",
                Reply::List(vec![
                    Reply::Number(1),
                    Reply::List(vec![text("x")]),
                    Reply::Nil,
                ]),
            ),
        ];
        let all: String = replies.iter().map(|(bytes, _)| *bytes).collect();
        for cut in 1..all.len() {
            let mut buffer = BytesMut::new();
            let mut read = Vec::new();
            for piece in all.as_bytes().chunks(cut) {
                buffer.extend_from_slice(piece);
                while let Some(reply) = decode(&mut buffer).unwrap() {
                    read.push(reply);
                }
            }
            assert!(read.iter().eq(replies.iter().map(|(_, reply)| reply)));
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn what_is_none_is_broken() {
        for bytes in [
            "HTTP/1.1 400 Bad Request\r\n",
            "\r\n",
            ":x\r\n",
            "$-2\r\n",
            "$9000000\r\n",
            "*70000\r\n",
            "$1\r\nxyz\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ] {
            let read = decode(&mut BytesMut::from(bytes));
            assert_eq!(read, Err(Broken), "{bytes}");
        }
    }
}
