//! Audit records from files and pipes, line by line, with a bar for who waits.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use memchr::{memchr_iter, memrchr};

use crate::config::{self, CentralText, Document, Format, Loaded, Problem, Sources};
use crate::proof::{COMPRESSED, plain};
use crate::report::Span;

/// What is read at once.
const PIECE: usize = 1 << 20;
/// No record is as long; what is, is no line.
const LONGEST_LINE: usize = 64 << 20;
/// Who waits for longer wants to know for how long.
const PATIENCE: Duration = Duration::from_secs(1);
const REDRAWN: Duration = Duration::from_millis(200);
const BAR: u64 = 30;

/// Shows `each` the lines of `files`, compressed or not, `-` being the standard input and a folder all that
/// it holds, and whether one is a file's last, without an end.
///
/// # Errors
/// Those of the files; the message names it.
pub(super) fn read(files: &[PathBuf], mut each: impl FnMut(&[u8], bool)) -> io::Result<()> {
    let mut files = all_of(files)?;
    // A segment stands beside its compressed self for as long as nobody has removed it.
    let compressed: Vec<PathBuf> = files.iter().filter_map(|it| uncompressed(it)).collect();
    files.retain(|file| !compressed.contains(file) && !is_beside(file));
    let sizes = files.iter().map(|file| size(file));
    let mut bar = Bar::new(sizes.sum::<Option<u64>>());
    for file in files {
        let read = if is_standard_input(&file) {
            plain(io::stdin())
        } else {
            File::open(&file).and_then(plain)
        };
        let read = read.and_then(|input| lines(input, &mut bar, &mut each));
        read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    }
    bar.clear();
    Ok(())
}

/// The files that are named, and those in the folders that are, in the order of their names.
///
/// # Errors
/// A folder cannot be read; the message names it.
pub(super) fn all_of(files: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for file in files {
        if file.is_dir() {
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", file.display()))
            };
            let held = fs::read_dir(file).map_err(named)?;
            let held = held.map(|entry| entry.map(|entry| entry.path()));
            let mut held = held.collect::<io::Result<Vec<_>>>().map_err(named)?;
            held.sort();
            all.extend(all_of(&held)?);
        } else {
            all.push(file.clone());
        }
    }
    Ok(all)
}

/// Whether it lies beside records and holds none: notes, cursors, and files that are not whole yet.
pub(super) fn is_beside(file: &Path) -> bool {
    let end = file.extension().and_then(|end| end.to_str());
    end.is_some_and(|end| ["heads", "sent", "part", "next"].contains(&end))
}

/// What a compressed segment was called before.
fn uncompressed(file: &Path) -> Option<PathBuf> {
    let name = file.to_str()?.strip_suffix(COMPRESSED)?;
    Some(name.into())
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// What it will come to, if that is known.
fn size(file: &Path) -> Option<u64> {
    if uncompressed(file).is_some() {
        return None;
    }
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file);
    metadata.map(|metadata| metadata.len())
}

fn lines(
    mut input: impl Read,
    bar: &mut Bar,
    each: &mut impl FnMut(&[u8], bool),
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            if filled >= LONGEST_LINE {
                each(&buffer[..filled], false);
                filled = 0;
            } else {
                buffer.resize(filled * 2, 0);
            }
        }
        let count = match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let new = filled;
        filled += count;
        if let Some(last) = memrchr(b'\n', &buffer[new..filled]) {
            let end = new + last;
            let mut start = 0;
            for at in memchr_iter(b'\n', &buffer[..=end]) {
                each(&buffer[start..at], false);
                start = at + 1;
            }
            buffer.copy_within(end + 1..filled, 0);
            filled -= end + 1;
        }
        bar.moved(count);
    }
    if filled > 0 {
        each(&buffer[..filled], true);
    }
    Ok(())
}

/// How far it is, on a terminal alone.
struct Bar {
    total: Option<u64>,
    done: u64,
    started: Instant,
    drawn: Option<Instant>,
    is_seen: bool,
}

impl Bar {
    fn new(total: Option<u64>) -> Self {
        Self {
            total,
            done: 0,
            started: Instant::now(),
            drawn: None,
            is_seen: io::stderr().is_terminal(),
        }
    }

    fn moved(&mut self, bytes: usize) {
        self.done += bytes as u64;
        let now = Instant::now();
        let soon = self.drawn.is_some_and(|drawn| now - drawn < REDRAWN);
        if !self.is_seen || soon || now - self.started < PATIENCE {
            return;
        }
        self.drawn = Some(now);
        // Nobody is waiting any more when that fails.
        drop(write!(io::stderr(), "\r{}", drawn(self.done, self.total)));
    }

    fn clear(&self) {
        if self.drawn.is_some() {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}

fn drawn(done: u64, total: Option<u64>) -> String {
    const MB: u64 = 1_000_000;
    match total.filter(|total| *total > 0) {
        Some(total) => {
            let done = done.min(total);
            let full = usize::try_from(done * BAR / total).unwrap_or_default();
            let empty = usize::try_from(BAR).unwrap_or_default() - full;
            format!(
                "[{}{}] {:>3}%  {} of {} MB",
                "#".repeat(full),
                " ".repeat(empty),
                done * 100 / total,
                done / MB,
                total / MB
            )
        }
        None => format!("{} MB", done / MB),
    }
}

/// A configuration as it stands, without its secrets: a whole one, or a central document.
///
/// # Errors
/// Every problem of it.
pub(super) fn configuration(file: &Path) -> Result<Loaded, Vec<Problem>> {
    let sources = Sources::from_process(file.to_owned(), Vec::new());
    let Some(central) = config::central_text(&sources.document)? else {
        return config::load(&sources);
    };
    config::load(&with_central(sources, central))
}

fn with_central(sources: Sources, central: CentralText) -> Sources {
    Sources {
        document: Document::Text {
            format: Format::Yaml,
            text: String::new(),
        },
        central: Some(central),
        ..sources
    }
}

/// The records from `since` on and before `until`: a day such as `2026-11-01`, an instant, or so long before
/// `now` as `7d`, `12h` or `30m`.
///
/// # Errors
/// What is none of these, for the operator.
pub(super) fn span(
    since: Option<&str>,
    until: Option<&str>,
    now: Timestamp,
) -> Result<Span, String> {
    let point = |text: Option<&str>| text.map(|text| point(text, now)).transpose();
    Ok(Span {
        since: point(since)?,
        until: point(until)?,
    })
}

fn point(text: &str, now: Timestamp) -> Result<String, String> {
    let none = || {
        format!(
            "`{text}` is no time: write `7d`, `12h`, `30m`, a day such as `2026-11-01`, or an instant"
        )
    };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(format!("{time:.3}"));
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return Ok(day.to_string());
    }
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(none)?;
    let (number, unit) = text.split_at(unit_at);
    let number: i64 = number.parse().map_err(|_| none())?;
    let seconds = match unit {
        "d" => 24 * 60 * 60,
        "h" => 60 * 60,
        "m" => 60,
        _ => return Err(none()),
    };
    let seconds = number.checked_mul(seconds).ok_or_else(none)?;
    let before = jiff::SignedDuration::from_secs(seconds);
    let time = now.checked_sub(before).map_err(|_| none())?;
    Ok(format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        let long = "x".repeat(3 * PIECE);
        let text = format!("one\n\ntwo\n{long}\nlast");
        for size in [1, 3, 7, PIECE, 10 * PIECE] {
            if size < 7 && text.len() > PIECE {
                // The long one takes its time byte by byte, and shows nothing more.
                continue;
            }
            let mut seen = Vec::new();
            let mut bar = Bar::new(None);
            let slow = Slow(text.as_bytes(), size);
            lines(slow, &mut bar, &mut |line, last| {
                seen.push((String::from_utf8(line.to_vec()).unwrap(), last));
            })
            .unwrap();
            let expected = ["one", "", "two", &long].map(|line| (line.to_owned(), false));
            assert_eq!(seen[..4], expected, "{size}");
            assert_eq!(seen[4..], [("last".to_owned(), true)], "{size}");
        }
    }

    #[test]
    fn folders_and_segments_are_read_once() {
        let name = format!("pillion-records-{:016x}", fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("pod-2")).unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"one\ntwo\n").unwrap();
        for (name, content) in [
            ("a.jsonl.20261126T151748Z-2.gz", packed.finish().unwrap()),
            ("a.jsonl.20261126T151748Z-2", b"one\ntwo\n".to_vec()),
            ("a.jsonl.20261126T151748Z-4.gz.part", b"tor".to_vec()),
            ("a.jsonl", b"three\n".to_vec()),
            ("a.jsonl.heads", b"{}\n".to_vec()),
            ("a.jsonl.sent", b"{}".to_vec()),
            ("pod-2/a.jsonl", b"four\n".to_vec()),
        ] {
            fs::write(folder.join(name), content).unwrap();
        }
        let mut seen = Vec::new();
        read(std::slice::from_ref(&folder), |line, _| {
            seen.push(String::from_utf8(line.to_vec()).unwrap());
        })
        .unwrap();
        assert_eq!(seen, ["three", "one", "two", "four"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_bar_fills_up() {
        assert_eq!(
            drawn(50_000_000, Some(100_000_000)),
            "[###############               ]  50%  50 of 100 MB"
        );
        assert!(drawn(7, Some(5)).contains("100%"));
        assert_eq!(drawn(5_000_000, None), "5 MB");
    }

    #[test]
    fn times_are_told_in_four_ways() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("7d", Some("2026-11-13T08:00:00.000Z")),
            ("12h", Some("2026-11-19T20:00:00.000Z")),
            ("30m", Some("2026-11-20T07:30:00.000Z")),
            ("2026-11-01", Some("2026-11-01")),
            (
                "2026-11-01T10:00:00+05:00",
                Some("2026-11-01T05:00:00.000Z"),
            ),
            ("7", None),
            ("d", None),
            ("7w", None),
            ("99999999999999999d", None),
            ("yesterday", None),
        ] {
            assert_eq!(point(text, now).ok().as_deref(), expected, "{text}");
        }
    }
}
