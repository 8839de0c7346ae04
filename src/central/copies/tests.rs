//! What is kept of documents, and what is made of copies that somebody has touched.

use std::os::unix::fs::PermissionsExt as _;
use std::thread;

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

/// As if the source had just had it.
fn keep(copies: &Copies, document: &Document, version: Option<u64>) -> io::Result<()> {
    copies.keep(document, version, SystemTime::now())
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
    keep(&copies, &one, Some(1)).unwrap();
    assert_eq!(found(&copies), [(one.clone(), Some(1))]);
    keep(&copies, &two, None).unwrap();
    // Again: that is no third generation.
    keep(&copies, &two, None).unwrap();
    assert_eq!(found(&copies), [(two.clone(), None), (one, Some(1))]);
    keep(&copies, &three, Some(3)).unwrap();
    assert_eq!(
        found(&copies),
        [(three.clone(), Some(3)), (two.clone(), None)]
    );
    // Signed anew, it is the same generation.
    let signed = document("", Some("k2 AAAA"));
    keep(&copies, &signed, Some(3)).unwrap();
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
    keep(&copies, &one, Some(1)).unwrap();
    keep(&copies, &two, Some(2)).unwrap();
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
    keep(&copies, &two, Some(2)).unwrap();
    assert_eq!(
        found(&copies),
        [(two.clone(), Some(2)), (one.clone(), Some(1))]
    );
    // As a crash between the two renames leaves it.
    fs::remove_file(folder.file(NEWEST)).unwrap();
    let left = folder.file("central.copy.unfinished.0123");
    fs::write(&left, &whole[..9]).unwrap();
    assert_eq!(found(&copies), [(one.clone(), Some(1))]);
    keep(&copies, &two, Some(2)).unwrap();
    assert_eq!(found(&copies), [(two, Some(2)), (one, Some(1))]);
    assert!(!left.exists(), "it is taken away");
}

#[test]
fn a_copy_is_as_old_as_the_source_last_had_it() {
    let folder = Folder::new();
    let copies = folder.copies();
    let (one, two) = (document("one", None), document("two", None));
    let at = |hours| UNIX_EPOCH + Duration::from_hours(hours);
    let confirmed = || {
        let copies = copies.read().0.into_iter();
        copies.map(|copy| copy.confirmed).collect::<Vec<_>>()
    };
    copies.keep(&one, None, at(1)).unwrap();
    copies.keep(&two, None, at(2)).unwrap();
    assert_eq!(confirmed(), [at(2), at(1)]);
    copies.keep(&two, None, at(5)).unwrap();
    assert_eq!(confirmed(), [at(5), at(1)]);
    // Another process was told earlier, and writes later.
    copies.keep(&two, None, at(3)).unwrap();
    assert_eq!(confirmed(), [at(5), at(1)]);
    assert_eq!(found(&copies), [(two.clone(), None), (one, None)]);
    // Nor does a clock that was far ahead keep anybody from writing.
    let last = UNIX_EPOCH + Duration::from_secs(i64::MAX.unsigned_abs());
    copies.keep(&two, None, last).unwrap();
    copies.keep(&two, None, at(6)).unwrap();
}

#[test]
fn two_that_write_to_one_folder_mix_nothing() {
    const TEXTS: [&str; 3] = ["one", "two", "three"];
    let folder = Folder::new();
    let write = |turn: usize| {
        let copies = folder.copies();
        for number in 0..60 {
            let text = document(TEXTS[(number + turn) % 3], None);
            while let Err(error) = keep(&copies, &text, None) {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                thread::yield_now();
            }
            // Whole ones, whatever the other has in hand.
            assert_eq!(copies.read().1, Vec::<String>::new());
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| write(0));
        scope.spawn(|| write(1));
    });
    let kept = found(&folder.copies());
    assert!(kept.len() == 2 && kept[0] != kept[1], "{kept:?}");
    let names = fs::read_dir(folder.file("")).unwrap().flatten();
    let mut names: Vec<_> = names.map(|entry| entry.file_name()).collect();
    names.sort();
    assert_eq!(names, [NEWEST, LOCK, PREVIOUS]);
}

#[test]
fn who_cannot_have_the_lock_writes_nothing() {
    let folder = Folder::new();
    let copies = folder.copies();
    let (one, two) = (document("one", None), document("two", None));
    keep(&copies, &one, None).unwrap();
    let other = File::open(folder.file(LOCK)).unwrap();
    other.lock().unwrap();
    let error = keep(&copies, &two, None).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(found(&copies), [(one.clone(), None)]);
    drop(other);
    keep(&copies, &two, None).unwrap();
    assert_eq!(found(&copies), [(two, None), (one, None)]);
}

#[test]
fn what_another_source_gave_is_none_of_ours() {
    let folder = Folder::new();
    keep(&folder.copies(), &document("one", None), None).unwrap();
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
    keep(&copies, &one, None).unwrap();
    // A folder cannot be opened as a file, whoever asks.
    fs::remove_file(folder.file(LOCK)).unwrap();
    fs::create_dir(folder.file(LOCK)).unwrap();
    assert!(keep(&copies, &document("two", None), None).is_err());
    assert_eq!(found(&copies), [(one, None)]);
}
