//! A central document beside a sidecar's own file: who has the last word, and who may say what.

mod overrides;
mod release;
mod start;

use std::num::NonZeroU32;

use super::*;
use crate::snapshot::Callers;
use crate::source::{Auth, PublicKey};

pub(super) const OWN: &str = "
listen: 127.0.0.1:4200
identity: { team: support, service: chat, environment: prod, instance: chat-0 }
source: { url: \"https://config.internal/prod.yaml\" }
";

pub(super) const CENTRAL: &str = "
version: 7
providers:
  openai: { kind: openai, secret: env:OPENAI_API_KEY }
  inside: { kind: openai-compatible, base_url: http://127.0.0.1:8000/v1 }
routes:
  fast: { targets: [openai/gpt-5-mini, inside/qwen3], timeout: 20s }
keys:
  - { id: chat, hash: \"sha256:0000000000000000000000000000000000000000000000000000000000000000\" }
";

/// A sidecar's own file that follows `central`, which adds something to the small one.
pub(super) fn led(own: &str, central: &str) -> Sources {
    let mut sources = led_by(own, &format!("{CENTRAL}{central}"));
    sources.document = text(&format!("{OWN}{own}"));
    sources
}

pub(super) fn led_by(own: &str, central: &str) -> Sources {
    Sources {
        document: text(own),
        central: Some(CentralText {
            name: "central".into(),
            format: Format::Yaml,
            text: central.into(),
        }),
        ..yaml("")
    }
}

fn text(text: &str) -> Document {
    Document::Text {
        format: Format::Yaml,
        text: text.to_owned(),
    }
}

fn with_env(sources: Sources, env: &[(&str, &str)]) -> Sources {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Sources {
        env: env.iter().map(owned).collect(),
        ..sources
    }
}

fn at_start(sources: &Sources) -> Bootstrap {
    bootstrap(sources).unwrap_or_else(|problems| panic!("{}", said(&problems).join("\n")))
}

fn refused_at_start(sources: &Sources) -> Vec<String> {
    said(&bootstrap(sources).expect_err("there is no problem"))
}

#[test]
fn a_document_that_was_cut_short_and_has_lost_its_routes_is_refused() {
    const WHOLE: &str = "
allow_anonymous: true
providers:
  inside: { kind: openai-compatible, base_url: http://127.0.0.1:8000/v1 }
routes:
  fast: { targets: [inside/qwen3] }
";
    loaded(&led_by(OWN, WHOLE));
    for (end, _) in WHOLE.trim_end().match_indices('\n') {
        let why = refused(&led_by(OWN, &WHOLE[..end])).join("\n");
        assert!(why.contains("nobody could"), "{end}: {why}");
    }
    let passing = "
providers: { inside: { kind: openai-compatible, base_url: \"http://127.0.0.1:8000/v1\" } }
keys: [{ id: chat, hash: \"sha256:0000000000000000000000000000000000000000000000000000000000000000\", passthrough: inside }]
";
    loaded(&led_by(OWN, passing));
}

#[test]
fn the_central_document_is_above_the_own_file() {
    let own = "drain: 1s\nlame_duck: 1s\nhosts: [a.example]\n";
    let central = "lame_duck: 3s\nhosts: [b.example]\naudit: { to: [stdout] }\nqueue: 7\n";
    let Loaded {
        snapshot,
        process,
        release,
        warnings,
        ..
    } = loaded(&led(own, central));
    assert_eq!(process.listen.port(), 4200);
    assert_eq!(process.drain, Duration::from_secs(1));
    assert_eq!(process.lame_duck, Duration::from_secs(3));
    assert_eq!(process.queue, 7);
    assert!(process.audit.stdout);
    assert_eq!(Vec::from_iter(&snapshot.hosts), ["b.example"]);
    assert_eq!(
        snapshot.routes["fast"].timeouts.whole,
        Duration::from_secs(20)
    );
    assert_eq!(release.version, Some(7));
    assert_eq!(said(&warnings), Vec::<String>::new());
}

#[test]
fn what_is_left_to_the_sidecars_is_theirs_to_say() {
    let own = "
routes: { fast: { timeout: 19s } }
models: { openai/gpt-4.1: { context: 5 } }
audit: { to: [file], file: /tmp/a }
instances: 3
";
    let central = "
models: { openai/gpt-4.1: { context: 7, stream_usage: false } }
audit: { to: [stdout] }
local_overrides: [routes.*.timeout, models.\"openai/gpt-4.1\".context, audit, instances]
";
    let sources = led(own, central);
    let Loaded {
        snapshot, process, ..
    } = loaded(&sources);
    let route = &snapshot.routes["fast"];
    assert_eq!(route.timeouts.whole, Duration::from_secs(19));
    assert_eq!(route.targets().count(), 2);
    assert_eq!(snapshot.instances.map(NonZeroU32::get), Some(3));
    assert!(!process.audit.stdout);
    let without_own = loaded(&led("", central)).snapshot;
    assert_eq!(
        without_own.routes["fast"].timeouts.whole,
        Duration::from_secs(20)
    );
    assert_eq!(without_own.instances, None);
}

#[test]
fn what_is_left_is_told_at_its_own_place_when_it_is_wrong() {
    let own = "routes: { fast: { timeout: soon } }\n";
    assert_eq!(
        refused(&led(own, "local_overrides: [routes.*.timeout]\n")),
        [
            "5:19: routes.fast.timeout: `soon` is not a duration above zero such as `300ms`, `8s`, `5m`, `1h`",
        ]
    );
}

#[test]
fn the_own_file_does_not_say_what_is_a_central_documents_of_itself() {
    let own = "version: 8\nrutes: {}\nroutes: { fast: { timeout: 60s } }\n";
    assert_eq!(
        refused(&led(own, "")),
        [
            "5:1: version: is for a central document, and this file has a `source` for one",
            "6:1: rutes: is not a key here; did you mean `routes`?",
        ]
    );
}

#[test]
fn a_developers_own_file_may_say_everything() {
    let sources = Sources {
        local: Local::Free,
        ..led(
            "routes: { fast: { timeout: 60s } }\ninstances: 2\n",
            "instances: 9\n",
        )
    };
    let snapshot = loaded(&sources).snapshot;
    assert_eq!(
        snapshot.routes["fast"].timeouts.whole,
        Duration::from_mins(1)
    );
    assert_eq!(snapshot.instances.map(NonZeroU32::get), Some(2));
    let alone = Sources {
        local: Local::Free,
        ..small_with("source: { url: \"file:/etc/central.yaml\" }\n")
    };
    assert_eq!(loaded(&alone).snapshot.routes.len(), 1);
    assert_eq!(
        at_start(&alone).source.unwrap().url.to_string(),
        "file:/etc/central.yaml"
    );
}

#[test]
fn a_central_document_does_not_say_what_is_one_sidecars_own() {
    let central = "
listen: 127.0.0.1:1
identity: { team: a }
source: { url: \"file:/a.yaml\" }
cache_dir: /tmp
workers: 2
simulate: {}
shared_state: redis://:canary-4711@redis.internal
";
    let own_words = "is for a sidecar's own file: a central document is for all of them";
    let said = refused(&led("", central));
    assert_eq!(
        said,
        [
            format!("central:11:1: listen: {own_words}"),
            format!("central:12:1: identity: {own_words}"),
            format!("central:13:1: source: {own_words}"),
            format!("central:14:1: cache_dir: {own_words}"),
            format!("central:15:1: workers: {own_words}"),
            format!("central:16:1: simulate: {own_words}"),
            "central:17:1: shared_state: names a user or holds a password, which a central document must not; set `PILLION_SHARED_STATE` where the sidecars run".to_owned(),
        ]
    );
    let shared = loaded(&led("", "shared_state: redis://redis.internal\n"));
    assert!(shared.process.shared_state.is_some());
}

#[test]
fn a_central_document_says_where_secrets_are_and_holds_none() {
    let central = "
secret_max_stale: 2h
secret_stores:
  bank: { kind: vault, address: \"https://u:canary-4711@vault.internal\", auth: token, token_file: /run/token }
  params: { kind: aws-ssm, address: \"https://canary-4711@vpce.internal\" }
";
    let said = refused(&led("", central));
    assert_eq!(
        said,
        [
            "central:13:24: secret_stores.bank.address: holds credentials, which are not for a URL here",
            "central:14:28: secret_stores.params.address: holds credentials, which are not for a URL here",
        ]
    );
    let own = "secret_max_stale: 5h\nsecret_stores: { bank: { refresh: 30s } }\n";
    let central = central
        .replace("u:canary-4711@", "")
        .replace("canary-4711@", "")
        .replace("aws-ssm", "aws-sm");
    let whole = central.clone() + "local_overrides: [providers.openai.secret]\n";
    let own = format!("{own}providers: {{ openai: {{ secret: \"bank:openai#key\" }} }}\n");
    let stores = loaded(&led(&own, &whole)).snapshot.secret_stores;
    // The sidecar has no use for the other one.
    assert_eq!(stores.keys().map(|it| &**it).collect::<Vec<_>>(), ["bank"]);
    assert_eq!(stores["bank"].max_stale, Duration::from_hours(2));
    assert_eq!(stores["bank"].refresh, Duration::from_mins(5));
}

#[test]
fn problems_of_both_texts_are_told_at_once_each_at_its_place() {
    let own = "drain: soon\n";
    let central = "queue: 0\ndrain: 1s\nroutes: {}\nrutes: {}\n";
    assert_eq!(
        refused(&led(own, central)),
        [
            "central:10:1: queue: is not a whole number from 1 to 1000000",
            "central:12:1: routes: is written twice; the first is on line 6",
            "central:13:1: rutes: is not a key here; did you mean `routes`?",
        ]
    );
    assert_eq!(
        refused(&led("drain: soon\n", "queue: 0\n")),
        [
            "5:1: drain: `soon` is not a duration such as `300ms`, `8s`, `5m`, `1h`",
            "central:10:1: queue: is not a whole number from 1 to 1000000",
        ]
    );
    let unreadable = refused(&led_by("a: [", "b: ["));
    assert_eq!(unreadable.len(), 2, "{unreadable:?}");
    assert!(unreadable[0].contains("is not YAML"), "{unreadable:?}");
    assert!(unreadable[1].starts_with("central:"), "{unreadable:?}");
}

#[test]
fn only_what_can_be_left_is_left() {
    let central = "
local_overrides:
  - routes.*.timout
  - rutes
  - keys[0]
  - keys.0
  - \"routes. fast\"
  - rollout
  - listen
  - audit
";
    let sources = led("", central);
    assert_eq!(
        refused(&sources),
        [
            "central:12:5: local_overrides[0]: `routes.*.timout` is no key: there is no `timout`; did you mean `timeout`?",
            "central:13:5: local_overrides[1]: `rutes` is no key: there is no `rutes`; did you mean `routes`?",
            "central:14:5: local_overrides[2]: `keys[0]` is no key: there is no `keys[0]`",
            "central:15:5: local_overrides[3]: `keys.0` goes further than there are keys",
            "central:16:5: local_overrides[4]: `routes. fast` is not a path such as `routes.*.timeout`",
            "central:17:5: local_overrides[5]: `rollout` is a central document's own",
        ]
    );
    assert_eq!(
        said(&loaded(&led("", "local_overrides: [listen]\n")).warnings),
        ["central:10:19: local_overrides[0]: `listen` is the sidecar's own anyway"]
    );
}

#[test]
fn a_version_is_of_the_document_and_then_of_the_own_file() {
    let version = |own: &str, central: &str| loaded(&led(own, central)).snapshot.version;
    let (first, same) = (version("", ""), version("", ""));
    assert_eq!(first, same);
    let other_own = version("drain: 1s\n", "");
    let other_central = version("", "queue: 3\n");
    assert_eq!(first.len(), "0123456789ab.cdef01".len());
    assert_eq!(first[..12], other_own[..12]);
    assert_ne!(first, other_own);
    assert_ne!(first[..12], other_central[..12]);
}

#[test]
fn a_sidecar_keeps_what_is_for_it_and_no_more() {
    let hash = |digit: &str| format!("\"sha256:{}\"", digit.repeat(64));
    let central = format!(
        "
providers:
  a: {{ kind: openai, secret: env:A }}
  b: {{ kind: openai, secret: env:B }}
  c: {{ kind: openai, secret: env:C }}
  d: {{ kind: openai, secret: env:D }}
  e: {{ kind: openai, secret: env:E }}
routes:
  one: {{ accepts: [gpt-1], targets: [a/x, b/x] }}
  two: {{ accepts: [gpt-2], targets: [c/x] }}
  three: {{ targets: [d/x] }}
keys:
  - {{ id: ours, hash: {}, team: support, service: chat, environment: prod, routes: [one] }}
  - {{ id: anywhere, hash: {}, team: support, routes: [one], passthrough: e }}
  - {{ id: theirs, hash: {}, team: sales, routes: [two] }}
  - {{ id: tests, hash: {}, team: support, environment: test }}
",
        hash("1"),
        hash("2"),
        hash("3"),
        hash("4"),
    );
    let kept = |identity: &str| {
        let own = format!("identity: {identity}\nsource: {{ url: \"file:/c.yaml\" }}\n");
        let Loaded {
            snapshot, warnings, ..
        } = loaded(&led_by(&own, &central));
        let Callers::Keys(keys) = &snapshot.callers else {
            panic!("there are keys");
        };
        let mut ids: Vec<_> = keys.values().map(|key| key.id.to_string()).collect();
        ids.sort();
        let mut aliases: Vec<_> = snapshot.aliases.keys().map(ToString::to_string).collect();
        aliases.sort();
        let routes: Vec<_> = snapshot.routes.keys().map(ToString::to_string).collect();
        let providers: Vec<_> = snapshot.providers.keys().map(ToString::to_string).collect();
        let nobody = said(&warnings)
            .iter()
            .any(|w| w.contains("nobody can call"));
        (
            ids.join(" "),
            routes.join(" "),
            aliases.join(" "),
            providers.join(" "),
            nobody,
        )
    };
    for (identity, ids, routes, aliases, providers) in [
        (
            "{ team: support, service: chat, environment: prod }",
            "anywhere ours",
            "one",
            "gpt-1",
            "a b e",
        ),
        (
            "{ team: support, service: mail, environment: prod }",
            "anywhere",
            "one",
            "gpt-1",
            "a b e",
        ),
        ("{ team: sales }", "theirs", "two", "gpt-2", "c"),
        (
            "{ team: support, environment: test }",
            "anywhere tests",
            "one three two",
            "gpt-1 gpt-2",
            "a b c d e",
        ),
        (
            "{}",
            "anywhere ours tests theirs",
            "one three two",
            "gpt-1 gpt-2",
            "a b c d e",
        ),
        ("{ team: nobody }", "", "", "", ""),
    ] {
        let expected = (
            ids.to_owned(),
            routes.to_owned(),
            aliases.to_owned(),
            providers.to_owned(),
            ids.is_empty(),
        );
        assert_eq!(kept(identity), expected, "{identity}");
    }
    // What is left out must be right all the same.
    let poisoned = central.replace("targets: [c/x]", "targets: [z/x]");
    let own = "identity: { team: support, service: chat }\nsource: { url: \"file:/c.yaml\" }\n";
    assert_eq!(
        refused(&led_by(own, &poisoned)),
        ["central:10:38: routes.two.targets[0]: no provider is named `z`; did you mean `a`?"]
    );
}
