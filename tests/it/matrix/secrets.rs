//! Section K: the provider's key is gone, unreadable, refused or replaced.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use crate::support::Gate;
use crate::support::surface::{Finish, SURFACES};
use crate::support::wire::{Fault, Script, Wire};

use super::asked::{BACKUP, provider};
use super::parts::{HELLO, Place, hello, stream_at};
use super::scene::{Known, Request, SECRET, Scene};
use super::words::{Asked, At, Bounds, Case, Listed, Phase, cases};

/// What is in the key's file at the start, and what is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// There is none.
    Absent,
    /// It holds this.
    Holds(&'static [u8]),
    /// It is replaced while the provider refuses the old one.
    ReplacedWhenRefused,
    /// It is taken away when it is refused.
    RemovedWhenRefused,
    /// It is replaced with what is no key when it is refused.
    SpoiltWhenRefused,
    /// It is refused, and stays as it is.
    Refused,
    /// It is taken away behind the start.
    Removed,
    /// It is replaced in the middle of the answer.
    ReplacedMeanwhile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sees {
    Own,
    Backup,
    Error(u16, &'static str),
}

#[derive(Clone, Copy)]
struct Row {
    id: &'static str,
    what: &'static str,
    phase: Phase,
    fault: Key,
    /// Whether there is a second target.
    second: bool,
    sees: Sees,
    classes: &'static [&'static str],
}

#[rustfmt::skip]
fn table() -> Vec<Row> {
    use Key::{Absent, Holds, Refused, Removed, RemovedWhenRefused, ReplacedMeanwhile, ReplacedWhenRefused, SpoiltWhenRefused};
    use Phase::{AfterIt, Connect, Head};
    let row = |id, what, phase, fault, second, sees, classes| Row { id, what, phase, fault, second, sees, classes };
    let refused = Sees::Error(502, "upstream_authentication_error");
    let nobody = Sees::Error(503, "no_eligible_target");
    vec![
        row("K2", "a key that was replaced when it is refused", Head, ReplacedWhenRefused, true, Sees::Own, &["auth", "ok"]),
        row("K2a", "a key that is refused", Head, Refused, true, refused, &["auth"]),
        row("K2b", "a key that is refused, and gone when it is looked for", Head, RemovedWhenRefused, true, refused, &["auth"]),
        row("K2c", "a key that is refused, and no key any more", Head, SpoiltWhenRefused, true, refused, &["auth"]),
        row("K1", "a key that is replaced in the middle of an answer", AfterIt, ReplacedMeanwhile, false, Sees::Own, &["ok"]),
        row("K3", "a key whose file is gone", Connect, Removed, false, Sees::Own, &["ok"]),
        row("K3a", "no key from the start", Connect, Absent, true, Sees::Backup, &["ok"]),
        row("K3b", "no key from the start, and nobody else", Connect, Absent, false, nobody, &[]),
        row("K4", "a key of two lines", Connect, Holds(b"canary-secret-c04d5533\ncanary-secret-c04d5533\n"), false, nobody, &[]),
        row("K4a", "a key with a zero in it", Connect, Holds(b"canary-secret-c04d5533\0"), false, nobody, &[]),
        row("K4b", "an empty key", Connect, Holds(b""), true, Sees::Backup, &["ok"]),
        row("K4c", "a key that is no text", Connect, Holds(b"canary-secret-c04d5533\xff\xfe"), false, nobody, &[]),
        row("K4d", "a key of a megabyte", Connect, Holds(LONG), false, nobody, &[]),
    ]
}

const LONG: &[u8] = &[b'x'; 1 << 20];

pub(super) fn listed() -> Vec<Listed> {
    let mut all = Vec::new();
    for row in table() {
        for case in cases(row.id, Asked::Both, &SURFACES) {
            all.push(Listed::of(&case, At::Secret, row.phase, row.classes));
        }
    }
    all
}

/// What the row's key is called.
fn key(case: &Case) -> String {
    format!("{}.key", case.id)
}

pub(super) async fn play() {
    let table = table();
    let scene = Scene::set(|config, upstream| {
        let mut config = config;
        for row in &table {
            for case in cases(row.id, Asked::Both, &SURFACES) {
                let (id, root) = (&case.id, upstream.root_url());
                let own = format!("file:$FOLDER/{}", key(&case));
                let first = provider(case.surface, &format!("{root}/{id}.1/v1"));
                config = config.keys_of(
                    &format!("{id}.1"),
                    &first.replace("file:$FOLDER/secret", &own),
                );
                let mut targets = format!("\"{id}.1/m\"");
                if row.second {
                    let second = provider(case.surface, &format!("{root}/{id}.2/v1"));
                    config = config.keys_of(&format!("{id}.2"), &second);
                    targets += &format!(", \"{id}.2/m\"");
                }
                config = config.route(id, &format!("{{ targets: [{targets}] }}"));
                config = match row.fault {
                    Key::Absent => config,
                    Key::Holds(bytes) => config.file_of(&key(&case), bytes),
                    Key::ReplacedWhenRefused
                    | Key::RemovedWhenRefused
                    | Key::SpoiltWhenRefused
                    | Key::Refused
                    | Key::Removed
                    | Key::ReplacedMeanwhile => {
                        config.file(&key(&case), &format!("{SECRET}-old\n"))
                    }
                };
            }
        }
        config
    })
    .await;
    for row in table {
        for case in cases(row.id, Asked::Both, &SURFACES) {
            let id = case.id.clone();
            let bounds = Bounds::of(Duration::from_secs(5));
            scene
                .row(&id, bounds, |scene, known| async move {
                    known.note(format!("{}: {}", row.phase, row.what));
                    run(&scene, &known, row, &case).await;
                })
                .await;
        }
    }
    scene.finish("secrets").await;
}

async fn run(scene: &Arc<Scene>, known: &Known, row: Row, case: &Case) {
    let id = &case.id;
    let file = scene.gateway.folder.file(&key(case));
    let gate = Gate::new();
    let (path, opened, fault) = (file.clone(), gate.clone(), row.fault);
    scene.cast(&format!("{id}.1"), move |seen| {
        let (wire, streamed) = (Wire::of(seen), Wire::streamed(seen));
        let refuses = match fault {
            Key::ReplacedWhenRefused => {
                fs::write(&path, format!("{SECRET}-new\n")).unwrap();
                seen.head.contains("-old")
            }
            Key::RemovedWhenRefused => {
                let _ = fs::remove_file(&path);
                true
            }
            Key::SpoiltWhenRefused => {
                fs::write(&path, format!("{SECRET}\n{SECRET}\n")).unwrap();
                true
            }
            Key::Refused => true,
            Key::ReplacedMeanwhile => {
                fs::write(&path, format!("{SECRET}-new\n")).unwrap();
                let reply = wire.reply(streamed, &hello());
                return if streamed {
                    let begun = stream_at(wire, &hello(), Place::FirstText);
                    reply.pause_at(begun, &opened)
                } else {
                    reply
                };
            }
            Key::Absent | Key::Holds(_) | Key::Removed => false,
        };
        if refuses {
            return Fault::Auth.reply(wire, streamed);
        }
        wire.reply(streamed, &hello())
    });
    scene.cast(&format!("{id}.2"), |seen| {
        Wire::of(seen).reply(Wire::streamed(seen), &Script::text(&BACKUP))
    });
    if row.fault == Key::Removed {
        fs::remove_file(&file).unwrap();
        // Whoever waits for a change is told that there is none to be had.
        scene.gateway.signal("HUP");
    }
    let ask = Request::new(case.surface, id, case.streamed);
    let answer = scene.ask(known, &ask, &gate).await;
    let record = scene.gateway.audit(answer.id()).await;
    let (line, text) = (&record.0, String::from_utf8_lossy(&answer.body));
    assert_eq!(record.classes(), row.classes, "{line}");
    match row.sees {
        Sees::Error(status, code) => {
            assert_eq!(answer.status, status, "{text}");
            assert_eq!(case.surface.error(&answer).0, code, "{text}");
            assert_eq!(answer.header("x-should-retry"), Some("false"));
            assert_eq!(record.outcome(), "error", "{line}");
        }
        Sees::Own | Sees::Backup => {
            let told = case.surface.read(&answer, case.streamed);
            let said = if row.sees == Sees::Own { HELLO } else { BACKUP };
            assert_eq!((told.text, told.finish), (said.concat(), Finish::Stop));
            assert_eq!(record.outcome(), "ok", "{line}");
        }
    }
    // A refused key sends nobody's request to another account.
    let second = scene.upstream.requests();
    let mark = format!("/{id}.2/");
    let asked = second
        .iter()
        .filter(|seen| seen.head.contains(&mark))
        .count();
    assert_eq!(asked, usize::from(row.sees == Sees::Backup));
}
