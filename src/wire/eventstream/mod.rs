//! `application/vnd.amazon.eventstream`: bytes into messages, whatever the chunks they arrive in.
//!
//! Big-endian: the message's length, its headers' length, a CRC of these two, the headers, the
//! payload, a CRC of all before it. <https://smithy.io/2.0/aws/amazon-eventstream.html> (read
//! 2026-11). A message that lies whole in a chunk is read in place; only the torn tail of a chunk is
//! kept, and no more of it than its own announced length once that has been checked.
//! Never here: what a message means, or when a stream is over.

use smallvec::SmallVec;

/// The longest message that is read, in bytes. The format allows 24 MiB; what models stream is a
/// few hundred bytes, and the largest seen, traces of guardrails, some tens of KiB.
pub const MAX_MESSAGE: usize = 4 << 20;

/// The most headers of one message, and of them the most bytes. Three are usual.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 128 << 10;

/// The lengths and their CRC.
const PRELUDE: usize = 12;
/// All that is neither header nor payload: the prelude, and the CRC at the end.
const OVERHEAD: usize = PRELUDE + 4;

/// Names, with the values that are text.
type Headers<'a> = SmallVec<[(&'a str, Option<&'a str>); 4]>;

/// One message, its CRCs checked and its headers well formed.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    headers: Headers<'a>,
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// A header's value, if it is text: all that say what a message is are.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let mut headers = self.headers.iter();
        headers.find(|(own, _)| *own == name)?.1
    }
}

/// Bytes that are no event stream, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid(pub &'static str);

/// The state between two chunks.
#[derive(Debug, Clone, Default)]
pub struct Framer {
    /// The beginning of a message whose end has not come.
    torn: Vec<u8>,
}

impl Framer {
    /// Reads `chunk` and hands every message that it completes to `each`, in order.
    ///
    /// # Errors
    /// The first error of `each`, or [`Invalid`]; the framer is then of no further use.
    pub fn feed<E: From<Invalid>>(
        &mut self,
        mut chunk: &[u8],
        mut each: impl FnMut(Message<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !self.torn.is_empty() {
            // First the lengths, so that of the rest no more is copied than this message needs.
            let wanted = if self.torn.len() < PRELUDE {
                PRELUDE
            } else {
                Lengths::read(&self.torn)?.map_or(PRELUDE, |lengths| lengths.total)
            };
            let (piece, rest) = chunk.split_at(chunk.len().min(wanted - self.torn.len()));
            self.torn.extend_from_slice(piece);
            chunk = rest;
            if self.torn.len() < wanted {
                return Ok(());
            }
            let whole = match first(&self.torn)? {
                Some((message, _)) => {
                    each(message)?;
                    true
                }
                None => false,
            };
            if whole {
                self.torn.clear();
            }
        }
        while let Some((message, length)) = first(chunk)? {
            each(message)?;
            chunk = &chunk[length..];
        }
        self.torn.extend_from_slice(chunk);
        Ok(())
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// It ended in the middle of a message.
    pub fn finish(&self) -> Result<(), Invalid> {
        if self.torn.is_empty() {
            Ok(())
        } else {
            Err(Invalid("the stream ended in the middle of a message"))
        }
    }
}

struct Lengths {
    total: usize,
    headers: usize,
}

impl Lengths {
    /// What `bytes` announce; `None` while their first twelve are not there.
    fn read(bytes: &[u8]) -> Result<Option<Self>, Invalid> {
        let Some(prelude) = bytes.first_chunk::<PRELUDE>() else {
            return Ok(None);
        };
        let number = |at: usize| {
            let bytes = [
                prelude[at],
                prelude[at + 1],
                prelude[at + 2],
                prelude[at + 3],
            ];
            u32::from_be_bytes(bytes)
        };
        if crc(&prelude[..8]) != number(8) {
            return Err(Invalid("a message's lengths do not match their checksum"));
        }
        let length = |at| usize::try_from(number(at)).unwrap_or(usize::MAX);
        let (total, headers) = (length(0), length(4));
        if total > MAX_MESSAGE || headers > MAX_HEADER_BYTES {
            return Err(Invalid("a message is too long"));
        }
        if total < OVERHEAD || headers > total - OVERHEAD {
            return Err(Invalid("a message's lengths contradict each other"));
        }
        Ok(Some(Self { total, headers }))
    }
}

/// The message that `bytes` begin with and its length; `None` while it is not whole.
fn first(bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>, Invalid> {
    let Some(Lengths { total, headers }) = Lengths::read(bytes)? else {
        return Ok(None);
    };
    let Some(message) = bytes.get(..total) else {
        return Ok(None);
    };
    let Some((checked, sum)) = message.split_last_chunk::<4>() else {
        return Ok(None);
    };
    if crc(checked) != u32::from_be_bytes(*sum) {
        return Err(Invalid("a message does not match its checksum"));
    }
    let (headers, payload) = checked[PRELUDE..].split_at(headers);
    let headers = read_headers(headers)?;
    Ok(Some((Message { headers, payload }, total)))
}

/// Values that are no text are walked over.
fn read_headers(bytes: &[u8]) -> Result<Headers<'_>, Invalid> {
    const MALFORMED: Invalid = Invalid("a message's headers are malformed");
    let mut headers = SmallVec::new();
    let mut rest = bytes;
    while let Some((&length, behind)) = rest.split_first() {
        let (name, behind) = behind.split_at_checked(length.into()).ok_or(MALFORMED)?;
        let name = std::str::from_utf8(name).map_err(|_| MALFORMED)?;
        let (&kind, behind) = behind.split_first().ok_or(MALFORMED)?;
        let (length, behind) = match kind {
            // True; false; integers of one, two, four and eight bytes, the last also for a time.
            0 | 1 => (0, behind),
            2 => (1, behind),
            3 => (2, behind),
            4 => (4, behind),
            5 | 8 => (8, behind),
            // Bytes; text.
            6 | 7 => {
                let (length, behind) = behind.split_first_chunk::<2>().ok_or(MALFORMED)?;
                (u16::from_be_bytes(*length).into(), behind)
            }
            // A UUID.
            9 => (16, behind),
            _ => return Err(MALFORMED),
        };
        let (value, behind) = behind.split_at_checked(length).ok_or(MALFORMED)?;
        let text = match kind {
            7 => Some(std::str::from_utf8(value).map_err(|_| MALFORMED)?),
            _ => None,
        };
        if name.is_empty() {
            return Err(MALFORMED);
        }
        if headers.iter().any(|(other, _)| *other == name) {
            return Err(Invalid("a message has a header twice"));
        }
        if headers.len() == MAX_HEADERS {
            return Err(Invalid("a message has too many headers"));
        }
        headers.push((name, text));
        rest = behind;
    }
    Ok(headers)
}

/// CRC-32 as of IEEE 802.3, bits reflected.
fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| (sum >> 8) ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)];
    !bytes.iter().fold(!0, step)
}

/// The remainder of each byte.
static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut number = 0_u32;
    let mut at = 0;
    while at < table.len() {
        let mut sum = number;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0xEDB8_8320 } else { 0 };
            bit += 1;
        }
        table[at] = sum;
        number += 1;
        at += 1;
    }
    table
};

#[cfg(test)]
pub(crate) mod tests;
