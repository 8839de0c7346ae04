//! The last good documents on disk: what a start without the source goes on with.
//!
//! Two generations, each a file of its own: a line of JSON about the document, then its bytes as they
//! came. A write that is cut short leaves what was there: the new file is whole on disk before it
//! takes the name. What is damaged, or of another source, is as if it were not there.
//! Never here: a secret. A document names them, and one that held a password was not taken.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use crate::config::Format;
use crate::source::{Document, LARGEST, SourceUrl};

const NEWEST: &str = "central.copy";
const PREVIOUS: &str = "central.copy.previous";
const UNFINISHED: &str = "central.copy.unfinished";
/// The line before the document: a signature and a few names.
const LONGEST_HEAD: usize = 16 << 10;

/// The folder `cache_dir`, as far as documents of one source are kept there.
#[derive(Debug, Clone)]
pub(super) struct Copies {
    folder: PathBuf,
    /// Whose documents they are: its address without what may be secret, and the digest of all of it but
    /// a password. Another query is another document.
    source: String,
}

/// A document that was live here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) name: String,
    pub(super) document: Document,
    pub(super) version: Option<u64>,
    /// How long ago it was written.
    pub(super) age: Duration,
}

#[derive(Serialize, Deserialize)]
struct Head {
    source: String,
    format: String,
    version: Option<u64>,
    signature: Option<String>,
    /// In seconds since 1970.
    written: u64,
    digest: String,
}

impl Copies {
    pub(super) fn new(folder: PathBuf, url: &SourceUrl) -> Self {
        let source = format!("{url} {}", Digest::of(url.without_user().as_bytes()));
        Self { folder, source }
    }

    /// Those that are whole, the newest first; beside them, why another is of no use. Blocks.
    pub(super) fn read(&self) -> (Vec<Copy>, Vec<String>) {
        let mut copies = Vec::new();
        let mut problems = Vec::new();
        for name in [NEWEST, PREVIOUS] {
            let path = self.folder.join(name);
            match self.read_one(&path) {
                Ok(copy) => copies.push(copy),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => problems.push(format!("{}: {error}", path.display())),
            }
        }
        (copies, problems)
    }

    fn read_one(&self, path: &Path) -> io::Result<Copy> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take((LONGEST_HEAD + LARGEST + 1) as u64)
            .read_to_end(&mut bytes)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
        let end = memchr::memchr(b'\n', &bytes).ok_or_else(damaged)?;
        let head: Head = serde_json::from_slice(&bytes[..end]).map_err(|_| damaged())?;
        let text = Bytes::from(bytes).slice(end + 1..);
        let format = Format::of(Path::new(&format!("central.{}", head.format)));
        let format = format.ok_or_else(damaged)?;
        if Digest::of(&text).to_string() != head.digest {
            return Err(damaged());
        }
        if head.source != self.source {
            return Err(io::Error::other(format!("it is of {}", head.source)));
        }
        Ok(Copy {
            name: path.display().to_string(),
            document: Document {
                text,
                format,
                signature: head.signature.map(Bytes::from),
            },
            version: head.version,
            age: now().saturating_sub(Duration::from_secs(head.written)),
        })
    }

    /// Keeps `document`, and the one before it. Blocks until both are on disk; one at a time.
    ///
    /// # Errors
    /// It could not be written; what was there is there still.
    pub(super) fn keep(&self, document: &Document, version: Option<u64>) -> io::Result<()> {
        let newest = self.folder.join(NEWEST);
        let known = self.read_one(&newest).ok();
        if known
            .as_ref()
            .is_some_and(|known| known.document == *document)
        {
            return Ok(());
        }
        let mut head = serde_json::to_vec(&Head {
            source: self.source.clone(),
            format: extension(document.format).to_owned(),
            version,
            signature: (document.signature.as_ref())
                .and_then(|signature| String::from_utf8(signature.to_vec()).ok()),
            written: now().as_secs(),
            digest: Digest::of(&document.text).to_string(),
        })?;
        head.push(b'\n');
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let unfinished = self.folder.join(UNFINISHED);
        // Left by a process that ended while it wrote.
        let _ = fs::remove_file(&unfinished);
        let written = write(&unfinished, &[&head, &document.text]);
        if written.is_err() {
            // On a full disk it would only be in the way.
            let _ = fs::remove_file(&unfinished);
        }
        written?;
        // What was only signed anew is the same generation, and one that is damaged is none. Between
        // the two names, a start finds the previous one.
        if known.is_some_and(|known| known.document.text != document.text) {
            fs::rename(&newest, self.folder.join(PREVIOUS))?;
        }
        fs::rename(&unfinished, &newest)?;
        File::open(&self.folder)?.sync_all()
    }
}

fn write(path: &Path, pieces: &[&[u8]]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    for piece in pieces {
        file.write_all(piece)?;
    }
    file.sync_all()
}

fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

fn extension(format: Format) -> &'static str {
    match format {
        Format::Yaml => "yaml",
        Format::Toml => "toml",
        Format::Json => "json",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Goes with its owner.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("pillion-copies-{:016x}", fastrand::u64(..));
            Self(std::env::temp_dir().join(name))
        }

        fn copies(&self) -> Copies {
            self.copies_of("https://centre/a.yaml?env=prod")
        }

        fn copies_of(&self, url: &str) -> Copies {
            Copies::new(self.0.join("below"), &SourceUrl::try_new(url).unwrap())
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.join("below").join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn document(text: &'static str, signature: Option<&'static str>) -> Document {
        Document {
            text: text.into(),
            format: Format::Toml,
            signature: signature.map(Bytes::from),
        }
    }

    fn found(copies: &Copies) -> Vec<(Document, Option<u64>)> {
        let copies = copies.read().0.into_iter();
        copies.map(|copy| (copy.document, copy.version)).collect()
    }

    #[test]
    fn two_generations_are_kept_as_they_came() {
        let folder = Folder::new();
        let copies = folder.copies();
        assert_eq!(copies.read(), (vec![], vec![]));
        let one = document("a = 1\n", Some("k1 AAAA\n"));
        let two = document("\n{ two", None);
        let three = document("", None);
        copies.keep(&one, Some(1)).unwrap();
        assert_eq!(found(&copies), [(one.clone(), Some(1))]);
        copies.keep(&two, None).unwrap();
        // Again: that is no third generation.
        copies.keep(&two, None).unwrap();
        assert_eq!(found(&copies), [(two.clone(), None), (one, Some(1))]);
        copies.keep(&three, Some(3)).unwrap();
        assert_eq!(
            found(&copies),
            [(three.clone(), Some(3)), (two.clone(), None)]
        );
        // Signed anew, it is the same generation.
        let signed = document("", Some("k2 AAAA"));
        copies.keep(&signed, Some(3)).unwrap();
        assert_eq!(found(&copies), [(signed, Some(3)), (two, None)]);
        for name in [NEWEST, PREVIOUS] {
            let mode = fs::metadata(folder.file(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let folder = fs::metadata(folder.file("")).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_damaged_one_is_passed_over_wherever_it_is_damaged() {
        let folder = Folder::new();
        let copies = folder.copies();
        let (one, two) = (document("one", None), document("two", None));
        copies.keep(&one, Some(1)).unwrap();
        copies.keep(&two, Some(2)).unwrap();
        let whole = fs::read(folder.file(NEWEST)).unwrap();
        for end in 0..whole.len() {
            fs::write(folder.file(NEWEST), &whole[..end]).unwrap();
            assert_eq!(found(&copies), [(one.clone(), Some(1))], "cut at {end}");
            assert_eq!(copies.read().1.len(), 1);
        }
        let mut other = whole.clone();
        *other.last_mut().unwrap() ^= 1;
        fs::write(folder.file(NEWEST), &other).unwrap();
        assert_eq!(found(&copies), [(one.clone(), Some(1))]);
        // It does not take the place of the one that is whole.
        copies.keep(&two, Some(2)).unwrap();
        assert_eq!(
            found(&copies),
            [(two.clone(), Some(2)), (one.clone(), Some(1))]
        );
        // As a crash between the two renames leaves it.
        fs::remove_file(folder.file(NEWEST)).unwrap();
        fs::write(folder.file(UNFINISHED), &whole[..9]).unwrap();
        assert_eq!(found(&copies), [(one.clone(), Some(1))]);
        copies.keep(&two, Some(2)).unwrap();
        assert_eq!(found(&copies), [(two, Some(2)), (one, Some(1))]);
    }

    #[test]
    fn what_another_source_gave_is_none_of_ours() {
        let folder = Folder::new();
        folder.copies().keep(&document("one", None), None).unwrap();
        for other in ["https://other/", "https://centre/a.yaml?env=staging"] {
            let (copies, problems) = folder.copies_of(other).read();
            assert_eq!(copies, [], "{other}");
            assert!(problems[0].contains("it is of https://centre/a.yaml"));
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_leaves_what_was_there() {
        let folder = Folder::new();
        let copies = folder.copies();
        let one = document("one", None);
        copies.keep(&one, None).unwrap();
        // A folder cannot be replaced by a file, whoever asks.
        fs::create_dir(folder.file(UNFINISHED)).unwrap();
        assert!(copies.keep(&document("two", None), None).is_err());
        assert_eq!(found(&copies), [(one, None)]);
    }
}
