//! A file, and a mounted `ConfigMap`.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pillion::config::Format;
use pillion::secret::Ambient;
use pillion::source::{Auth, SourceError};
use tokio::time::timeout;

use super::followed::Keeper;
use super::{error, is_signed, keeps_up, new, open, place, same, signed, too_large, with_token};
use crate::support::Folder;

fn url(folder: &Folder, name: &str) -> String {
    format!("file:{}", folder.file(name).display())
}

pub(super) struct Written(Folder);

impl Written {
    pub(super) fn new() -> Self {
        Self(Folder::new())
    }
}

/// Puts it there whole, in place of what was there.
fn put(file: &Path, text: impl AsRef<[u8]>) {
    let whole = file.with_extension("whole");
    fs::write(&whole, text).unwrap();
    fs::rename(whole, file).unwrap();
}

impl Keeper for Written {
    const SILENT: &str = "has no document there";

    fn keys(&self) -> String {
        format!("url: \"{}\"", url(&self.0, "prod.yaml"))
    }

    async fn put(&mut self, text: &str) {
        put(&self.0.file("prod.yaml"), text);
    }

    fn stop(&mut self) {
        fs::remove_file(self.0.file("prod.yaml")).unwrap();
    }

    fn kill(&mut self) {}

    async fn again(&mut self) {}
}

#[tokio::test]
async fn a_file_is_followed() {
    let folder = Folder::new();
    let mut source = open(&place(&url(&folder, "central.yaml")));
    let file = folder.file("central.yaml");
    keeps_up(&mut *source, async |text| match text {
        Some(text) => put(&file, text),
        None => fs::remove_file(&file).unwrap(),
    })
    .await;
    put(&file, too_large());
    let error = error(&mut *source).await;
    assert!(matches!(error, SourceError::Unusable(_)), "{error:?}");
    put(&file, "back: true\n");
    assert_eq!(new(&mut *source).await.text, "back: true\n");
}

#[tokio::test]
async fn a_file_that_is_written_in_place_is_read_when_it_rests() {
    let folder = Folder::new();
    let mut source = open(&signed(place(&url(&folder, "central.yaml"))));
    let file = folder.file("central.yaml");
    let rests = |name: &str| {
        let long_ago = SystemTime::now() - Duration::from_secs(10);
        let file = File::options().append(true).open(folder.file(name));
        file.unwrap().set_modified(long_ago).unwrap();
    };
    put(&file, "a: 1\n");
    put(&folder.file("central.yaml.sig"), "one");
    assert_eq!(new(&mut *source).await.text, "a: 1\n");
    // Its first half, which is a document, too.
    for (name, text) in [("central.yaml", "a: 2\n"), ("central.yaml.sig", "two")] {
        fs::write(folder.file(name), text).unwrap();
        let early = timeout(Duration::from_millis(300), source.fetch(Duration::ZERO)).await;
        assert!(early.is_err(), "{early:?}");
        rests(name);
    }
    let found = new(&mut *source).await;
    assert_eq!(
        (found.text, found.signature),
        ("a: 2\n".into(), Some("two".into()))
    );
    same(&mut *source).await;
    // Nobody need ask for it again.
    fs::write(&file, "a: 3\nb: 4\n").unwrap();
    assert_eq!(new(&mut *source).await.text, "a: 3\nb: 4\n");
}

#[tokio::test]
async fn a_mounted_config_map_is_followed_through_its_swaps() {
    let folder = Folder::new();
    let version = |number: usize, text: &str| {
        let name = format!("..2026_{number}");
        fs::create_dir(folder.file(&name)).unwrap();
        fs::write(folder.file(&name).join("central.toml"), text).unwrap();
        let staged = folder.file("..data_tmp");
        symlink(&name, &staged).unwrap();
        // As the kubelet does it: the link is replaced, and then the folder behind it goes.
        fs::rename(&staged, folder.file("..data")).unwrap();
        if number > 1 {
            fs::remove_dir_all(folder.file(&format!("..2026_{}", number - 1))).unwrap();
        }
    };
    version(1, "a = 1\n");
    symlink("..data/central.toml", folder.file("central.toml")).unwrap();
    let mut source = open(&place(&url(&folder, "central.toml")));
    let first = new(&mut *source).await;
    assert_eq!((first.text, first.format), ("a = 1\n".into(), Format::Toml));
    same(&mut *source).await;
    version(2, "a = 2\n");
    assert_eq!(new(&mut *source).await.text, "a = 2\n");
    version(3, "a = 2\n");
    same(&mut *source).await;
}

#[tokio::test]
async fn a_files_signature_lies_beside_it() {
    let folder = Folder::new();
    let mut source = open(&signed(place(&url(&folder, "central.yaml"))));
    is_signed(&mut *source, async |end, text| {
        put(&folder.file(&format!("central.yaml{end}")), text);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_file_is_not_read_and_needs_no_token() {
    let folder = Folder::new();
    fs::create_dir(folder.file("central.yaml")).unwrap();
    let mut source = open(&place(&url(&folder, "central.yaml")));
    let error = error(&mut *source).await;
    assert!(matches!(error, SourceError::Unusable(_)), "{error:?}");
    let place = with_token(place(&url(&folder, "central.yaml")), "/run/token".into());
    assert!(matches!(place.auth, Auth::Token { .. }));
    let opened = pillion::source::open(&place, &super::clients(), &Ambient::default());
    assert_eq!(opened.err(), Some("needs no `auth`"));
}
