//! The audit file: appended to, whole lines only, patient while the disk is full.
//!
//! What could not be written waits in memory, up to a bound, and is tried again every second. A
//! line that was torn by a full disk is continued where it broke off, or written anew when the
//! file was replaced meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two tries at a file that could not be written.
const RETRY: Duration = Duration::from_secs(1);
/// How many bytes may wait for the disk: about ten thousand records.
const PENDING_LIMIT: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct FileSink {
    path: PathBuf,
    file: File,
    /// Whole lines that are not in the file yet.
    pending: Vec<u8>,
    /// How many bytes of the first pending line are in the file.
    torn: usize,
    /// Set while writing fails.
    retry_at: Option<Instant>,
}

impl FileSink {
    /// # Errors
    /// When it cannot be opened; the message names it.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = open(&path).map_err(|error| {
            let message = format!("cannot open the audit file {}: {error}", path.display());
            io::Error::new(error.kind(), message)
        })?;
        Ok(Self {
            path,
            file,
            pending: Vec::new(),
            torn: 0,
            retry_at: None,
        })
    }

    /// Adds whole lines, or none when too much waits already, and writes what may be written now.
    /// Returns how many lines were lost.
    pub(super) fn write(&mut self, lines: &[u8], now: Instant) -> u64 {
        if self.retry_at.is_some_and(|retry_at| retry_at <= now) {
            self.flush(now);
        }
        let lost = if self.pending.len() + lines.len() <= PENDING_LIMIT {
            self.pending.extend_from_slice(lines);
            0
        } else {
            count(lines)
        };
        if self.retry_at.is_none() {
            self.flush(now);
        }
        lost
    }

    /// How long until it wants to be asked to write again, though no line came.
    pub(super) fn retry_in(&self, now: Instant) -> Option<Duration> {
        Some(self.retry_at?.saturating_duration_since(now))
    }

    /// Goes on in the file that bears the name now. When there is none to be had, goes on in the
    /// old one: a record in a renamed file is better than none.
    pub(super) fn reopen(&mut self) {
        match open(&self.path) {
            Ok(file) => {
                self.file = file;
                self.torn = 0;
            }
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "the audit file cannot be reopened");
            }
        }
    }

    /// One last try. Returns how many lines were lost.
    pub(super) fn close(mut self, now: Instant) -> u64 {
        self.flush(now);
        count(&self.pending)
    }

    fn flush(&mut self, now: Instant) {
        let mut written = self.torn;
        let result = loop {
            let rest = &self.pending[written..];
            if rest.is_empty() {
                break Ok(());
            }
            match self.file.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let whole = memchr::memrchr(b'\n', &self.pending[..written]).map_or(0, |end| end + 1);
        self.pending.drain(..whole);
        self.torn = written - whole;
        self.settle(result, now);
    }

    fn settle(&mut self, result: io::Result<()>, now: Instant) {
        let path = self.path.display();
        match result {
            Ok(()) if self.retry_at.is_some() => {
                tracing::info!(%path, "the audit file can be written again");
                self.retry_at = None;
            }
            Ok(()) => {}
            Err(error) => {
                let waiting = count(&self.pending);
                tracing::error!(%path, %error, waiting, "the audit file cannot be written");
                self.retry_at = Some(now + RETRY);
            }
        }
    }
}

/// How many lines these are.
pub(super) fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn scratch() -> PathBuf {
        let unique = fastrand::u64(..);
        std::env::temp_dir().join(format!("pillion-sink-{unique:016x}.jsonl"))
    }

    #[test]
    fn after_a_rotation_lines_go_to_the_new_file_and_a_torn_one_is_written_anew() {
        let (path, rotated) = (scratch(), scratch());
        let mut sink = FileSink::open(path.clone()).unwrap();
        let now = Instant::now();
        assert_eq!(sink.write(b"{\"seq\":1}\n", now), 0);
        fs::rename(&path, &rotated).unwrap();
        assert_eq!(sink.write(b"{\"seq\":2}\n", now), 0);
        // As a full disk leaves it: half a line written, the whole of it kept.
        sink.file.write_all(b"{\"se").unwrap();
        sink.pending = b"{\"seq\":3}\n".to_vec();
        sink.torn = 4;
        sink.reopen();
        assert_eq!(sink.write(b"{\"seq\":4}\n", now), 0);
        assert_eq!(sink.close(now), 0);
        assert_eq!(
            fs::read_to_string(&rotated).unwrap(),
            "{\"seq\":1}\n{\"seq\":2}\n{\"se"
        );
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"seq\":3}\n{\"seq\":4}\n"
        );
        fs::remove_file(&path).unwrap();
        fs::remove_file(&rotated).unwrap();
    }

    #[test]
    fn a_torn_line_is_continued_where_it_broke_off() {
        let path = scratch();
        let mut sink = FileSink::open(path.clone()).unwrap();
        sink.file.write_all(b"{\"se").unwrap();
        sink.pending = b"{\"seq\":1}\n".to_vec();
        sink.torn = 4;
        assert_eq!(sink.write(b"{\"seq\":2}\n", Instant::now()), 0);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"seq\":1}\n{\"seq\":2}\n"
        );
        fs::remove_file(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_not_for_everyone() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = scratch();
        let sink = FileSink::open(path.clone()).unwrap();
        let mode = sink.file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
        fs::remove_file(&path).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_full_disk_refuses_waits_and_is_tried_every_second() {
        let path = scratch();
        let mut sink = FileSink::open("/dev/full".into()).unwrap();
        let now = Instant::now();
        assert_eq!(sink.write(b"1\n", now), 0);
        assert_eq!(sink.write(b"2\n", now), 0);
        assert_eq!(sink.retry_in(now), Some(RETRY));
        assert_eq!(
            sink.write(&vec![b'\n'; PENDING_LIMIT], now),
            PENDING_LIMIT as u64
        );
        // There is room again.
        sink.path.clone_from(&path);
        sink.reopen();
        assert_eq!(sink.write(b"3\n", now), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        assert_eq!(sink.write(b"", now + RETRY), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n3\n");
        assert_eq!(sink.retry_in(now), None);
        fs::remove_file(&path).unwrap();
    }
}
