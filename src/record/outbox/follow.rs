//! An audit file that is read while it is written: its segments, then itself, line by line, and never
//! further than what is on the disk.
//!
//! Where a sink has come to is a line, known by its number and hash, not a place in a file: files are
//! renamed, compressed and removed meanwhile. What is not found again is sent from the oldest record on:
//! twice is better than never.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;

use super::cursor::Cursors;
use super::{Line, Unfetched};
use crate::proof::{Head, Sealed, Segment, lines, segments};

type Open = Box<dyn BufRead + Send>;

pub(in crate::record) struct Follow {
    path: PathBuf,
    sink: &'static str,
    cursors: Cursors,
    /// The last line that was read.
    last: Option<Head>,
    /// Behind it.
    open: Option<Open>,
    /// The segment that was opened last; of the live file there is none.
    segment: Option<(Timestamp, u64)>,
    /// Whether `last` was looked for in the files.
    is_placed: bool,
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow")
            .field("path", &self.path)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl Follow {
    pub(in crate::record) fn new(path: &Path, sink: &'static str, cursors: Cursors) -> Self {
        Self {
            path: path.to_owned(),
            sink,
            last: cursors.get(sink),
            cursors,
            open: None,
            segment: None,
            is_placed: false,
        }
    }

    pub(in crate::record) fn sent(&self) -> Option<Head> {
        self.last
    }

    /// The lines behind the last one that was read, up to the line `upto` and to the given bounds. Blocks.
    pub(super) fn read(
        &mut self,
        upto: Option<Head>,
        most: usize,
        most_bytes: usize,
    ) -> Result<Vec<Line>, Unfetched> {
        let mut found = Vec::new();
        let read = self.read_into(upto, most, most_bytes, &mut found);
        match read {
            Ok(()) => Ok(found),
            // What was read is not read again.
            Err(_) if !found.is_empty() => Ok(found),
            Err(error) => {
                self.open = None;
                let path = self.path.display();
                Err(Unfetched(format!("{path} cannot be read: {error}")))
            }
        }
    }

    /// The sink has everything up to here. Blocks.
    pub(super) fn keep(&mut self, head: Head) {
        if let Err(error) = self.cursors.set(self.sink, head) {
            let (path, sink) = (self.path.display(), self.sink);
            tracing::warn!(%path, sink, %error, "how far a sink has come cannot be kept: after a restart it is sent more again");
        }
    }

    fn read_into(
        &mut self,
        upto: Option<Head>,
        most: usize,
        most_bytes: usize,
        found: &mut Vec<Line>,
    ) -> io::Result<()> {
        if !self.is_placed {
            self.place()?;
            self.is_placed = true;
        }
        let (mut bytes, mut opened) = (0, 0);
        let mut line = Vec::new();
        while self.last != upto && found.len() < most && bytes < most_bytes {
            let Some(open) = &mut self.open else {
                // What is to come is in none of them yet.
                if opened > 2 {
                    break;
                }
                opened += 1;
                self.open = Some(self.next()?);
                continue;
            };
            line.clear();
            open.read_until(b'\n', &mut line)?;
            let Some(text) = line.strip_suffix(b"\n") else {
                self.open = None;
                continue;
            };
            opened = 0;
            // What bears no seal is no record of ours; the verifier tells of it.
            let Some(sealed) = Sealed::read(text) else {
                continue;
            };
            let before = self.last.replace(sealed.head());
            self.tell_gone(before, &sealed);
            let follows = before.is_some_and(|before| Some(before.hash) == sealed.prev);
            let lost = match before {
                Some(before) if follows => sealed.seq.saturating_sub(before.seq + 1),
                Some(_) | None => 0,
            };
            bytes += text.len();
            found.push(Line {
                head: sealed.head(),
                text: Bytes::copy_from_slice(text),
                lost,
            });
        }
        Ok(())
    }

    /// Lines that are in no file any more before they were sent: older than `retention`, or taken away.
    fn tell_gone(&self, before: Option<Head>, next: &Sealed<'_>) {
        let Some(before) = before else { return };
        let follows = Some(before.hash) == next.prev;
        if !follows && next.prev.is_some() && next.seq > before.seq + 1 {
            let (path, sink) = (self.path.display(), self.sink);
            let (after, seq) = (before.seq, next.seq);
            tracing::error!(%path, sink, after, seq, "records between these were gone before they could be sent");
        }
    }

    /// Finds the line that was sent last, so that the next one is read behind it.
    fn place(&mut self) -> io::Result<()> {
        let Some(sent) = self.last else {
            return Ok(());
        };
        // Opened before the segments are listed: it may become one meanwhile.
        let live = lines(&self.path)?;
        let all = self.segments()?;
        for segment in all.iter().filter(|segment| segment.last >= sent.seq) {
            if let Some(open) = behind(lines(&segment.path)?, sent)? {
                self.open = Some(open);
                self.segment = Some(key(segment));
                return Ok(());
            }
        }
        if let Some(open) = behind(live, sent)? {
            self.open = Some(open);
            return Ok(());
        }
        let (path, sink) = (self.path.display(), self.sink);
        tracing::warn!(%path, sink, seq = sent.seq, "the record that was sent last is gone: all that there are are sent");
        self.last = None;
        Ok(())
    }

    /// The file behind the one that was read to its end: the one that goes on with the chain, whatever the
    /// clock said when it was rotated; else, as where a chain has ended, the next by time.
    fn next(&mut self) -> io::Result<Open> {
        // As above: else a segment could be passed over.
        let (live, again) = (lines(&self.path)?, lines(&self.path)?);
        let all = self.segments()?;
        if let Some(last) = self.last {
            for segment in all.iter().filter(|segment| segment.last > last.seq) {
                if begins_behind(lines(&segment.path)?, last)? {
                    self.segment = Some(key(segment));
                    return lines(&segment.path);
                }
            }
            if begins_behind(lines(&self.path)?, last)? {
                self.segment = None;
                return Ok(again);
            }
        }
        let next = match (self.segment, self.last) {
            (Some(read), _) => all.iter().find(|segment| key(segment) > read),
            (None, None) => all.first(),
            // The live file has become a segment, or was renamed by somebody else, or is there as it was.
            (None, Some(last)) => {
                let read = all.iter().rposition(|segment| segment.last == last.seq);
                read.and_then(|read| all.get(read + 1))
            }
        };
        self.segment = next.map(key);
        match (next, self.last) {
            (Some(segment), _) => lines(&segment.path),
            (None, None) => Ok(live),
            (None, Some(last)) => match behind(live, last)? {
                Some(rest) => Ok(rest),
                None => Ok(again),
            },
        }
    }

    /// The oldest first, whatever their chains; each once.
    fn segments(&self) -> io::Result<Vec<Segment>> {
        let mut all = segments(&self.path)?;
        all.sort_by_key(|segment| (key(segment), segment.compressed));
        all.dedup_by_key(|segment| key(segment));
        Ok(all)
    }
}

fn key(segment: &Segment) -> (Timestamp, u64) {
    (segment.rotated, segment.last)
}

/// What is behind the line `sent` of a file, if it holds that.
fn behind(mut open: Open, sent: Head) -> io::Result<Option<Open>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        open.read_until(b'\n', &mut line)?;
        let Some(text) = line.strip_suffix(b"\n") else {
            return Ok(None);
        };
        if Sealed::read(text).is_some_and(|sealed| sealed.head() == sent) {
            return Ok(Some(open));
        }
    }
}

/// Whether a file goes on where the line `last` was the end.
fn begins_behind(mut open: Open, last: Head) -> io::Result<bool> {
    let mut line = Vec::new();
    open.read_until(b'\n', &mut line)?;
    let sealed = line.strip_suffix(b"\n").and_then(Sealed::read);
    Ok(sealed.is_some_and(|sealed| sealed.prev == Some(last.hash)))
}
