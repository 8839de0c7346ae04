//! The whole: its defaults, its warnings, and the same text read again.

use super::*;
use crate::snapshot::{Callers, Timeouts};

#[test]
fn defaults_are_those_of_the_contract() {
    let Loaded {
        snapshot,
        process,
        warnings,
        ..
    } = loaded(&small_with(""));
    assert_eq!(process.listen.to_string(), "127.0.0.1:4100");
    assert_eq!(process.workers, 1);
    assert_eq!(process.drain, Duration::from_secs(25));
    assert_eq!(process.lame_duck, Duration::from_secs(2));
    assert!(!process.h2c);
    assert!(process.audit.stdout && process.audit.file.is_none());
    assert_eq!(snapshot.body_limit, 32 << 20);
    let route = &snapshot.routes["fast"];
    assert_eq!(route.timeouts, Timeouts::INTERACTIVE);
    assert_eq!(route.max_attempts, 4);
    assert_eq!(
        route.reserve.of(Duration::from_secs(10)),
        Duration::from_secs(4)
    );
    assert!(!route.expose_model && !route.warm);
    assert_eq!(
        snapshot.providers["openai"].base_url.to_string(),
        "https://api.openai.com/v1"
    );
    assert!(matches!(&snapshot.callers, Callers::Anyone(key) if key.expires.is_none()));
    assert_eq!(snapshot.version.len(), 12);
    assert_eq!(warnings, []);
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let text = SMALL.replace(
        "routes:",
        "  far: { kind: openai-compatible, base_url: http://llm.internal/v1, secret: env:K }
routes:
  alone: { targets: [openai/x] }
  twice: { targets: [openai/x, openai/x, far/y] }",
    );
    assert_eq!(
        said(&loaded(&yaml(&text)).warnings),
        [
            "6:35: providers.far.base_url: the secret is sent to `llm.internal` in clear text",
            "8:12: routes.alone.targets: `openai/x` is the only target: there is nothing to fall back to",
            "9:12: routes.twice.targets: `openai/x` is listed twice",
        ]
    );
}

#[test]
fn a_reload_is_a_restart() {
    let text = include_str!("../../../../examples/support-chat.yaml");
    let once = loaded(&yaml(text)).snapshot;
    let again = loaded(&yaml(text)).snapshot;
    assert_eq!(told(&once), told(&again));
    let changed = loaded(&yaml(&format!("{text}\n# more\n"))).snapshot;
    assert_ne!(once.version, changed.version);
}

/// A snapshot in an order that repeats.
fn told(snapshot: &Snapshot) -> String {
    let mut aliases: Vec<_> = snapshot.aliases.iter().map(|a| format!("{a:?}")).collect();
    aliases.sort();
    let mut callers = match &snapshot.callers {
        Callers::Anyone(key) => vec![format!("{key:?}")],
        Callers::Keys(keys) => keys.iter().map(|key| format!("{key:?}")).collect(),
    };
    callers.sort();
    format!(
        "{} {:?} {:?} {:?} {} {:?} {aliases:?} {callers:?}",
        snapshot.version,
        snapshot.identity,
        snapshot.routes,
        snapshot.providers,
        snapshot.body_limit,
        snapshot.hosts,
    )
}
