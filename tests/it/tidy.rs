//! What one part of the source must never know of another. Text, not types: what is checked here
//! is what a reviewer would otherwise have to remember.

use std::fs;
use std::path::{Path, PathBuf};

/// Folder or file under `src`, what it must not contain, and why.
const NEVER: &[(&[&str], &[&str], &str)] = &[
    (
        &[
            "dialect",
            "wire",
            "plan",
            "outcome",
            "proof/chain.rs",
            "proof/note.rs",
            "proof/verify",
            "central/pace.rs",
            "central/signature.rs",
            "central/standing.rs",
            "chat",
            "check/judge",
            "check/probe.rs",
            "check/read",
            "check/schema.rs",
            "drill/report.rs",
            "drill/sample.rs",
            "drill/tally.rs",
            "fleet/counters/item.rs",
            "fleet/counters/known.rs",
            "fleet/counters/scripts.rs",
            "fleet/failure.rs",
            "fleet/gate.rs",
            "fleet/name.rs",
            "fleet/words.rs",
            "redis/resp.rs",
            "once/asked.rs",
            "once/fan.rs",
            "once/store.rs",
            "once/table.rs",
            "once/tape.rs",
            "privacy",
            "error.rs",
            "limit/book",
            "limit/foreseen.rs",
            "limit/queue.rs",
            "limit/rate.rs",
            "limit/refused.rs",
            "limit/room.rs",
            "limit/shown.rs",
            "limit/terms.rs",
            "limit/window.rs",
            "kube/admission.rs",
            "kube/application.rs",
            "kube/asked.rs",
            "kube/inject.rs",
            "kube/json.rs",
            "kube/manifest",
            "kube/patch.rs",
            "kube/quantity.rs",
            "kube/settings.rs",
            "kube/sidecar.rs",
            "kube/workload.rs",
            "nearest.rs",
            "otlp.rs",
            "record/spans.rs",
            "record/used.rs",
            "price",
            "record/running.rs",
            "record/spent.rs",
            "report",
            "snapshot",
            "telemetry/lately.rs",
            "telemetry/times.rs",
            "trace/span.rs",
            "admin/activity.rs",
        ],
        &[
            "hyper",
            "tokio::net",
            "std::net",
            "std::fs",
            "std::env",
            "tracing",
            "Instant::now(",
            "SystemTime::now(",
            "Timestamp::now(",
            "Rng::new(",
            "fastrand::u64(",
            "env::var",
        ],
        "what decides or translates is pure: time and chance are arguments",
    ),
    (
        &["config/resolve"],
        &[
            "hyper",
            "tokio",
            "std::fs",
            "std::env",
            "tracing",
            "Instant::now(",
            "fastrand",
        ],
        "the configuration is resolved from what was read",
    ),
    (
        &["dialect"],
        &["http://", "https://", "crate::secret", "crate::upstream"],
        "a dialect knows no vendor, place or key",
    ),
    (
        &["listen"],
        &["crate::upstream", "hyper::client", "client::legacy"],
        "in and out meet in `serve` alone",
    ),
    (
        &["upstream"],
        &["crate::listen", "hyper::server", "hyper_util::server"],
        "in and out meet in `serve` alone",
    ),
    (
        &["wire"],
        &["crate::dialect", "crate::outcome", "crate::chat"],
        "framing knows no meaning",
    ),
    (
        &["health"],
        &[
            "hyper",
            "std::net",
            "std::fs",
            "Instant::now(",
            "SystemTime::now(",
            "Rng::new(",
            "crate::upstream",
            "crate::listen",
            "crate::record",
        ],
        "what is learned of a target depends on what it is told alone",
    ),
    (
        &["plan"],
        &["crate::upstream", "crate::listen", "crate::record"],
        "a plan is made before anything is sent",
    ),
    (
        &["privacy"],
        &[
            "crate::upstream",
            "crate::listen",
            "crate::record",
            "crate::snapshot",
            "serde_json::",
        ],
        "what is personal is found and put back in bytes, without a tree; what follows is a route's to say",
    ),
    (
        &["kube"],
        &["crate::upstream", "crate::listen", "std::fs", "fastrand"],
        "what becomes of a pod is decided from the pod; its token is an argument",
    ),
    (
        &["record", "telemetry"],
        &["crate::upstream", "crate::listen", "crate::serve"],
        "records are told, and ask nobody",
    ),
];

/// What only these may contain.
const ONLY: &[(&[&str], &[&str], &str)] = &[
    (
        &["listen", "simulate"],
        &["hyper::server", "hyper_util::server"],
        "HTTP in",
    ),
    (
        &["upstream"],
        &["hyper::client", "hyper_util::client"],
        "HTTP out",
    ),
    (
        // A document is exposed to be read: what it holds is asked a token for, and never sent on.
        // A URL that may hold a password is exposed where its user is told from its place, and a
        // store's token where the store is asked.
        &[
            "upstream/sign",
            "upstream/credentials/google",
            "secret",
            "app/mod.rs",
            "redis/place.rs",
            "source/url.rs",
            "stores/vault/login.rs",
        ],
        &[".expose()"],
        "a secret is exposed where it is used",
    ),
    (
        &["listen/respond.rs", "simulate"],
        &["{\"error\":", "{{\"error\":", "{ \"error\":"],
        "one writer of error bodies",
    ),
    (
        &["tasks.rs"],
        &["tokio::spawn("],
        "drain waits for what `tasks` holds",
    ),
    (
        // The admin port shows it; where a document is, is a source's to know, and what format it has.
        &[
            "admin/status.rs",
            "app",
            "central",
            "cli",
            "config",
            "source",
        ],
        &["crate::config"],
        "the process runs on the snapshot",
    ),
    (
        &["cli", "config", "secret"],
        &["std::env", "env::var"],
        "the environment is read at the edge",
    ),
    (
        &["listen/respond.rs"],
        &["x-should-retry"],
        "one place that says when to retry",
    ),
    (
        &["telemetry/log.rs"],
        &["set_hook("],
        "a panic's own message may quote content, and is told by its place",
    ),
];

/// What nobody may contain, tests included.
const NOWHERE: &[&str] = &[
    "todo!(",
    "dbg!(",
    "unimplemented!(",
    "#[ignore",
    "unbounded_channel",
    "process::exit",
    "danger",
];

/// A file's code, without comments and without the tests at its end.
fn code(text: &str) -> String {
    let end = text
        .find("#[cfg(test)]\nmod tests {")
        .or_else(|| text.find("#[cfg(test)]\npub(super) mod tests {"));
    let code = &text[..end.unwrap_or(text.len())];
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines
        .filter(|line| !line.trim().is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

/// The source files by their path under `src`, without those that hold tests alone.
fn source() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let named = paths.iter().map(|path| {
        let name = path
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    let tests = |name: &str| {
        name.contains("/tests/")
            || name.ends_with("/tests.rs")
            || ["recordings.rs", "outcome/recordings.rs"].contains(&name)
    };
    let mut named: Vec<_> = named.filter(|(name, _)| !tests(name)).collect();
    named.sort();
    assert!(named.len() > 50, "the source was not found");
    named
}

fn in_room(name: &str, room: &str) -> bool {
    name == room
        || name
            .strip_prefix(room)
            .is_some_and(|rest| rest.starts_with('/'))
}

#[test]
fn rooms_keep_to_what_is_theirs() {
    let mut found = Vec::new();
    for (name, text) in source() {
        let code = code(&text);
        let mut look = |texts: &[&str], why: &str| {
            for text in texts.iter().filter(|text| code.contains(**text)) {
                found.push(format!("src/{name} contains `{text}`: {why}"));
            }
        };
        for (rooms, texts, why) in NEVER {
            if rooms.iter().any(|room| in_room(&name, room)) {
                look(texts, why);
            }
        }
        for (rooms, texts, why) in ONLY {
            if !rooms.iter().any(|room| in_room(&name, room)) {
                look(texts, why);
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    // A rule whose words are nowhere at all has been outlived by what it was about.
    for (rooms, texts, why) in ONLY {
        let own = source()
            .into_iter()
            .filter(|(name, _)| rooms.iter().any(|r| in_room(name, r)));
        let mut own = own.map(|(_, text)| code(&text));
        assert!(
            own.any(|code| texts.iter().any(|text| code.contains(text))),
            "{why}: {texts:?}"
        );
    }
}

#[test]
fn nothing_is_left_undone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(&root.join("src"), &mut paths);
    files(&root.join("tests"), &mut paths);
    for path in paths.iter().filter(|path| !path.ends_with("it/tidy.rs")) {
        let text = code(&fs::read_to_string(path).unwrap());
        for word in NOWHERE {
            assert!(!text.contains(word), "{} contains `{word}`", path.display());
        }
    }
}

#[test]
fn a_file_is_one_idea() {
    /// Lines of code, without blank lines, comments and tests.
    const LONGEST: usize = 400;
    for (name, text) in source() {
        let lines = code(&text).lines().count();
        assert!(lines <= LONGEST, "src/{name} has {lines} lines of code");
    }
}

#[test]
fn every_module_says_what_it_is() {
    for (name, text) in source() {
        let first = text.lines().next().unwrap_or_default();
        let says = first.starts_with("//!") || first.starts_with("#![doc");
        assert!(says, "src/{name} opens with no word of what it is");
    }
}
