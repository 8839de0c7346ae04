//! The names of an audit file's segments, and reading one of them, compressed or not.
//!
//! A file that is full is renamed to `FILE.20261126T151748Z-4711`: when that was, and the number of its
//! last record. Compressed, it is `FILE.20261126T151748Z-4711.gz`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What the name of a compressed segment ends with.
pub const COMPRESSED: &str = ".gz";
const TIME: &str = "%Y%m%dT%H%M%SZ";
/// <https://www.rfc-editor.org/rfc/rfc1952> (read 2026-11), section 2.3.1.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// How much is read at once.
const BLOCK: usize = 256 << 10;

/// A file that was full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub path: PathBuf,
    pub rotated: Timestamp,
    /// The number of its last record.
    pub last: u64,
    pub compressed: bool,
}

impl Segment {
    /// What `file` is to be called that is full at `now` with record number `last`.
    pub fn name(file: &Path, now: Timestamp, last: u64) -> PathBuf {
        let time = now.strftime(TIME);
        beside(file, &format!(".{time}-{last}"))
    }

    /// What a file of `file`'s folder is, by its name.
    fn of(file: &Path, path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let rest = name.strip_prefix(file.file_name()?.to_str()?)?;
        let rest = rest.strip_prefix('.')?;
        let (rest, compressed) = match rest.strip_suffix(COMPRESSED) {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (time, last) = rest.split_once('-')?;
        let time = jiff::civil::DateTime::strptime(TIME, time).ok()?;
        Some(Self {
            path: path.to_owned(),
            rotated: time.to_zoned(TimeZone::UTC).ok()?.timestamp(),
            last: last.parse().ok()?,
            compressed,
        })
    }
}

/// The segments of `file`, the oldest first; of two with one name the plain one first.
///
/// # Errors
/// Its folder cannot be read.
pub fn segments(file: &Path) -> io::Result<Vec<Segment>> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.extend(Segment::of(file, &folder.join(entry?.file_name())));
    }
    found.sort_by_key(|segment| (segment.last, segment.rotated, segment.compressed));
    Ok(found)
}

/// Where notes on `file` are.
pub fn heads_of(file: &Path) -> PathBuf {
    beside(file, ".heads")
}

/// Where it is kept how far the sinks elsewhere have come with `file`.
pub fn sent_of(file: &Path) -> PathBuf {
    beside(file, ".sent")
}

/// The lines of a file of records, compressed or not, whatever its name.
///
/// # Errors
/// It cannot be opened, or its first bytes not be read.
pub fn lines(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let plain = plain(File::open(path)?)?;
    Ok(Box::new(BufReader::with_capacity(BLOCK, plain)))
}

/// What an input of records holds, compressed or not.
///
/// # Errors
/// Its first bytes cannot be read.
pub fn plain(mut from: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::new();
    (&mut from).take(2).read_to_end(&mut magic)?;
    let compressed = magic == MAGIC;
    let from = io::Cursor::new(magic).chain(from);
    Ok(if compressed {
        let from = BufReader::with_capacity(BLOCK, from);
        Box::new(MultiGzDecoder::new(from))
    } else {
        Box::new(from)
    })
}

/// The path with more at its end.
fn beside(file: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(more);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_says_when_and_how_far() {
        let file = Path::new("/log/audit.jsonl");
        let now: Timestamp = "2026-11-26T15:17:48.9Z".parse().unwrap();
        let name = Segment::name(file, now, 4711);
        assert_eq!(name, Path::new("/log/audit.jsonl.20261126T151748Z-4711"));
        let segment = Segment::of(file, &name).unwrap();
        assert_eq!((segment.last, segment.compressed), (4711, false));
        assert_eq!(segment.rotated.to_string(), "2026-11-26T15:17:48Z");
        let compressed = Segment::of(file, &beside(&name, COMPRESSED)).unwrap();
        assert_eq!((compressed.last, compressed.compressed), (4711, true));
        for other in [
            "/log/audit.jsonl",
            "/log/audit.jsonl.1",
            "/log/audit.jsonl.heads",
            "/log/audit.jsonl.next",
            "/log/audit.jsonl.20261126T151748Z-4711.gz.part",
            "/log/other.jsonl.20261126T151748Z-4711",
            "/log/audit.jsonl.20261326T151748Z-4711",
        ] {
            assert_eq!(Segment::of(file, Path::new(other)), None, "{other}");
        }
    }
}
