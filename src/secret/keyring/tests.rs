use std::fs;
use std::path::PathBuf;

use super::*;

/// A secret's file, gone when dropped.
struct Scratch(Reference);

impl Scratch {
    fn holding(content: &str) -> Self {
        let unique = fastrand::u64(..);
        let path = std::env::temp_dir().join(format!("pillion-secret-{unique:016x}"));
        let scratch = Self(Reference::File(path));
        scratch.put(content);
        scratch
    }

    fn path(&self) -> &PathBuf {
        let Reference::File(path) = &self.0 else {
            panic!("it is a file");
        };
        path
    }

    /// Replaces the file whole, as a mounted secret's is.
    fn put(&self, content: &str) {
        let new = self.path().with_extension("new");
        fs::write(&new, content).unwrap();
        fs::rename(&new, self.path()).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path());
    }
}

fn value(keyring: &Keyring, reference: &Reference) -> Option<String> {
    Some(keyring.current(reference)?.expose().to_owned())
}

/// As if the last refused request was long ago.
fn forget_when(keyring: &Keyring, reference: &Reference) {
    let mut entries = keyring.entries.write();
    let asked_at = &mut entries.get_mut(reference).unwrap().asked_at;
    *asked_at = asked_at.and_then(|then| then.checked_sub(REFRESH_PAUSE));
}

#[test]
fn a_keyring_holds_what_was_named_until_it_is_not_needed_any_more() {
    let (one, two) = (Scratch::holding("sk-1\n"), Scratch::holding("sk-2"));
    let missing = Reference::File("/nowhere/secret".into());
    let variable = Reference::try_new("env:CARGO_PKG_NAME").unwrap();
    let keyring = Keyring::default();
    let problems = keyring.load(&StorePlaces::new(), [&one.0, &missing, &variable, &one.0]);
    assert_eq!(problems, [(missing.clone(), SecretError::Missing)]);
    assert_eq!(value(&keyring, &one.0).as_deref(), Some("sk-1"));
    assert_eq!(value(&keyring, &variable).as_deref(), Some("pillion"));
    assert_eq!(keyring.problem(&missing), Some(SecretError::Missing));
    assert_eq!(keyring.problem(&one.0), None);
    assert_eq!(
        (value(&keyring, &missing), keyring.age(&missing)),
        (None, None)
    );
    assert!(keyring.age(&one.0).is_some());
    assert!(keyring.load(&StorePlaces::new(), [&two.0]).is_empty());
    assert_eq!(value(&keyring, &one.0).as_deref(), Some("sk-1"));
    keyring.forget_but(&BTreeSet::from([&two.0]));
    assert_eq!(value(&keyring, &one.0), None);
    assert_eq!(value(&keyring, &two.0).as_deref(), Some("sk-2"));
}

#[test]
fn a_variable_may_be_given_otherwise_and_the_environments_own_goes_before() {
    let given = [("PILLION_GIVEN_SECRET", "sk-1"), ("CARGO_PKG_NAME", "sk-2")];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let keyring = Keyring::default().under(&given);
    let [one, two] = ["env:PILLION_GIVEN_SECRET", "env:CARGO_PKG_NAME"]
        .map(|reference| Reference::try_new(reference).unwrap());
    assert_eq!(keyring.load(&StorePlaces::new(), [&one, &two]), []);
    assert_eq!(value(&keyring, &one).as_deref(), Some("sk-1"));
    assert_eq!(value(&keyring, &two).as_deref(), Some("pillion"));
}

#[test]
fn the_last_good_value_stays_when_a_reading_fails() {
    let file = Scratch::holding("sk-1");
    let keyring = Keyring::default();
    keyring.load(&StorePlaces::new(), [&file.0]);
    file.put("");
    keyring.refresh_files();
    assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-1"));
    assert_eq!(keyring.problem(&file.0), Some(SecretError::Empty));
    assert_eq!(
        keyring.load(&StorePlaces::new(), [&file.0]),
        [(file.0.clone(), SecretError::Empty)]
    );
    assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-1"));
    file.put("sk-2");
    keyring.refresh_files();
    assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-2"));
    assert_eq!(keyring.problem(&file.0), None);
}

#[test]
fn the_value_of_a_file_that_is_gone_is_used_as_long_as_that_of_a_store() {
    let file = Scratch::holding("sk-1");
    let keyring = Keyring::default();
    keyring.hold_files_for(Duration::from_hours(1));
    keyring.load(&StorePlaces::new(), [&file.0]);
    fs::remove_file(file.path()).unwrap();
    for _ in 0..2 {
        keyring.refresh_files();
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-1"));
    }
    keyring.hold_files_for(Duration::ZERO);
    keyring.refresh_files();
    assert_eq!(value(&keyring, &file.0), None);
    assert_eq!(keyring.problem(&file.0), Some(SecretError::Missing));
    file.put("sk-1");
    keyring.refresh_files();
    assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-1"));
}

#[test]
fn a_value_that_did_not_change_is_the_same_one() {
    let file = Scratch::holding("sk-1");
    let keyring = Keyring::default();
    keyring.load(&StorePlaces::new(), [&file.0]);
    let before = keyring.current(&file.0).unwrap();
    file.put("sk-1\n");
    keyring.refresh_files();
    assert!(Arc::ptr_eq(&before, &keyring.current(&file.0).unwrap()));
}

#[tokio::test]
async fn a_place_that_hangs_holds_up_nobody_and_its_last_value_stays() {
    let keyring = Keyring {
        files: Aside::patient(Duration::from_secs(1)),
        ..Keyring::default()
    };
    let (file, new) = (Scratch::holding("sk-1"), Scratch::holding("sk-n"));
    let variable = Reference::try_new("env:CARGO_PKG_NAME").unwrap();
    keyring.load(&StorePlaces::new(), [&file.0]);
    let free = keyring.files.hang(file.path().parent().unwrap());
    file.put("sk-2");
    let late = SecretError::Unreadable(io::ErrorKind::TimedOut);
    for _ in 0..2 {
        let problems = keyring.load(&StorePlaces::new(), [&file.0, &new.0, &variable]);
        let mut expected = [
            (file.0.clone(), late.clone()),
            (new.0.clone(), late.clone()),
        ];
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(problems, expected);
        keyring.refresh_files();
        assert_eq!(keyring.problem(&file.0).as_ref(), Some(&late));
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-1"));
        assert_eq!(value(&keyring, &variable).as_deref(), Some("pillion"));
        assert!(!refused(&keyring, &file, "sk-1").await);
        forget_when(&keyring, &file.0);
    }
    drop(free);
    keyring.files.idle();
    keyring.refresh_files();
    for (file, expected) in [(&file, "sk-2"), (&new, "sk-n")] {
        assert_eq!(value(&keyring, &file.0).as_deref(), Some(expected));
        assert_eq!(keyring.problem(&file.0), None);
    }
}

/// As when `used` was refused.
async fn refused(keyring: &Keyring, file: &Scratch, used: &str) -> bool {
    let used = Secret::try_new(used.as_bytes()).unwrap();
    keyring.refresh(&file.0, &used).await
}

#[tokio::test]
async fn a_file_is_read_for_those_who_were_refused_at_most_once_a_second() {
    let file = Scratch::holding("sk-1");
    let keyring = Keyring::default();
    keyring.load(&StorePlaces::new(), [&file.0]);
    file.put("sk-2");
    assert!(
        refused(&keyring, &file, "sk-1").await,
        "however lately it was loaded"
    );
    assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-2"));
    file.put("sk-3");
    assert!(
        refused(&keyring, &file, "sk-1").await,
        "there is a newer one"
    );
    assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-2"));
    forget_when(&keyring, &file.0);
    assert!(refused(&keyring, &file, "sk-2").await);
    assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-3"));
    let nowhere = Reference::File("/nowhere/secret".into());
    let used = Secret::try_new(b"sk-3").unwrap();
    assert!(!keyring.refresh(&nowhere, &used).await);
}

#[tokio::test]
async fn all_who_are_refused_at_once_get_what_one_of_them_had_read() {
    let file = Scratch::holding("sk-1");
    let keyring = Keyring::default();
    keyring.load(&StorePlaces::new(), [&file.0]);
    file.put("sk-2");
    let all = (0..50).map(|_| refused(&keyring, &file, "sk-1"));
    let all = futures(all).await;
    assert!(all.into_iter().all(|another| another));
}

/// All of them, polled by turns.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        for (one, ended) in all.iter_mut().filter(|(_, ended)| ended.is_none()) {
            if let std::task::Poll::Ready(value) = one.as_mut().poll(cx) {
                *ended = Some(value);
            }
        }
        if all.iter().all(|(_, ended)| ended.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    all.into_iter().filter_map(|(_, ended)| ended).collect()
}

#[tokio::test]
async fn a_changed_value_is_told_of_once_however_it_came() {
    let file = Scratch::holding("sk-1");
    let keyring = Keyring::default();
    let nobody: [Reference; 0] = [];
    keyring.load(&StorePlaces::new(), [&file.0]);
    assert_eq!(keyring.take_changed(), nobody, "the first is no change");
    for (content, read) in [("sk-2", 0), ("sk-3", 1), ("sk-4", 2)] {
        file.put(content);
        match read {
            0 => keyring.refresh_files(),
            1 => drop(keyring.load(&StorePlaces::new(), [&file.0])),
            _ => assert!(refused(&keyring, &file, "sk-3").await),
        }
        let changed = keyring.take_changed();
        assert_eq!(changed, std::slice::from_ref(&file.0), "{content}");
        read_all_again(&keyring, &file);
        assert_eq!(keyring.take_changed(), nobody, "{content}");
    }
    file.put("");
    read_all_again(&keyring, &file);
    assert_eq!(keyring.take_changed(), nobody, "the last good one stays");
}

fn read_all_again(keyring: &Keyring, file: &Scratch) {
    keyring.refresh_files();
    keyring.load(&StorePlaces::new(), [&file.0]);
}

/// Counts how often it is asked; what it has is numbered by that.
#[derive(Default)]
struct Counting(std::sync::atomic::AtomicU64);

impl Store for Counting {
    fn read<'a>(&'a self, path: &'a str) -> crate::secret::Asking<'a> {
        let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let object = format!(r#"{{"a":"{path}-a-{number}","b":"{path}-b-{number}"}}"#);
        let version = number.to_string().into();
        let found = crate::secret::Found::fields(version, zeroize::Zeroizing::new(object));
        Box::pin(std::future::ready(Ok(found)))
    }
}

#[tokio::test(start_paused = true)]
async fn fields_of_one_path_are_read_together() {
    let store = Arc::new(Counting::default());
    let opened = Arc::clone(&store);
    let open = move |_: &StorePlace| Arc::<Counting>::clone(&opened) as Arc<dyn Store>;
    let keyring = Keyring::with_stores(open, Tasks::default());
    let place = StorePlace {
        kind: crate::secret::StoreKind::AwsSm(crate::secret::AwsPlace {
            region: None,
            address: None,
        }),
        ca: None,
        refresh: Duration::from_mins(5),
        max_stale: Duration::from_hours(12),
    };
    let places = StorePlaces::from([("bank".into(), Arc::new(place))]);
    let [a, b, other] =
        ["bank:p#a", "bank:p#b", "bank:q#a"].map(|it| Reference::try_new(it).unwrap());
    keyring.load(&places, [&a, &b]);
    assert_eq!(keyring.problem(&a), Some(SecretError::Unasked));
    keyring.read_once(Duration::from_secs(1)).await;
    assert_eq!(value(&keyring, &a).as_deref(), Some("p-a-1"));
    assert_eq!(value(&keyring, &b).as_deref(), Some("p-b-1"));
    // One that is named later does not wait for the next round, nor does it have others read.
    keyring.load(&places, [&a, &other]);
    keyring.read_once(Duration::from_secs(1)).await;
    assert_eq!(value(&keyring, &other).as_deref(), Some("q-a-2"));
    keyring.forget_but(&BTreeSet::from([&a, &other]));
    keyring.load(&places, [&a, &b, &other]);
    keyring.read_once(Duration::from_secs(1)).await;
    assert_eq!(value(&keyring, &b).as_deref(), Some("p-b-3"));
    assert_eq!(value(&keyring, &a).as_deref(), Some("p-a-3"));
    let used = keyring.current(&b).unwrap();
    assert!(keyring.refresh(&b, &used).await);
    assert_eq!(value(&keyring, &a).as_deref(), Some("p-a-4"));
    assert_eq!(keyring.take_changed().len(), 2);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_read() {
    let device = Reference::File("/dev/zero".into());
    let folder = Reference::File(std::env::temp_dir());
    for reference in [device, folder] {
        let problems = Keyring::default().load(&StorePlaces::new(), [&reference]);
        assert_eq!(problems, [(reference, SecretError::NotAFile)]);
    }
}

/// A store that answers until it is told not to.
#[derive(Default)]
struct Fading(std::sync::atomic::AtomicBool);

impl Store for Fading {
    fn read<'a>(&'a self, _: &'a str) -> crate::secret::Asking<'a> {
        let gone = self.0.load(std::sync::atomic::Ordering::Relaxed);
        let found = crate::secret::Found::text("1".into(), zeroize::Zeroizing::new("sk-1".into()));
        let answer = if gone {
            Err(SecretError::Away("gone".into()))
        } else {
            Ok(found)
        };
        Box::pin(std::future::ready(answer))
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_no_younger_for_a_store_that_is_asked_elsewhere() {
    let store = Arc::new(Fading::default());
    let opened = Arc::clone(&store);
    let open = move |_: &StorePlace| Arc::<Fading>::clone(&opened) as Arc<dyn Store>;
    let keyring = Keyring::with_stores(open, Tasks::default());
    let place = |region: u64| StorePlace {
        kind: crate::secret::StoreKind::AwsSm(crate::secret::AwsPlace {
            region: Some(region.to_string().into()),
            address: None,
        }),
        ca: None,
        refresh: Duration::from_mins(5),
        max_stale: Duration::from_hours(1),
    };
    let secret = Reference::try_new("bank:p").unwrap();
    for number in 0..7 {
        let places = StorePlaces::from([("bank".into(), Arc::new(place(number)))]);
        keyring.load(&places, [&secret]);
        keyring.read_once(Duration::from_secs(1)).await;
        // The last time is past the hour.
        let expected = (number < 6).then_some("sk-1");
        assert_eq!(value(&keyring, &secret).as_deref(), expected, "{number}");
        store.0.store(true, std::sync::atomic::Ordering::Relaxed);
        tokio::time::sleep(Duration::from_mins(11)).await;
    }
}
