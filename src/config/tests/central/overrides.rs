//! What a sidecar says beside its central document: what wins, what is dropped, and what is wrong by
//! itself.

use serde_json::json;

use super::*;
use crate::record::AuditFile;
use crate::secret::StoreKind;

fn warned(sources: &Sources) -> Vec<String> {
    said(&loaded(sources).warnings)
}

#[test]
fn what_is_not_left_is_dropped_and_told_and_the_document_is_taken() {
    let own = "
drain: 1s
allow_anonymous: true
instances: 1
providers:
routes:
  fast: { timeout: 60s, targets: [inside/qwen3, openai/gpt-5] }
  mine: { targets: [openai/gpt-5-mini] }
keys: []
";
    let sources = with_env(
        led(own, "local_overrides: [routes.fast.targets]\n"),
        &[
            ("PILLION_ALLOW_ANONYMOUS", "true"),
            ("PILLION_MODEL_FAMILIES", "/etc/families.toml"),
            ("PILLION_DRAIN", "2s"),
        ],
    );
    let Loaded {
        snapshot,
        process,
        warnings,
        ..
    } = loaded(&sources);
    let stray = |at: &str, path: &str| {
        format!(
            "{at}: {path}: is dropped: it is for the central document to say; set it there, or list `{path}` in its `local_overrides`"
        )
    };
    assert_eq!(
        said(&warnings),
        [
            stray("7:1", "allow_anonymous"),
            stray("8:1", "instances"),
            stray("11:11", "routes.fast.timeout"),
            stray("12:3", "routes.mine"),
            stray("13:1", "keys"),
            stray("PILLION_ALLOW_ANONYMOUS", "allow_anonymous"),
            stray("PILLION_MODEL_FAMILIES", "model_families"),
        ]
    );
    assert_eq!(snapshot.routes.len(), 1);
    let route = &snapshot.routes["fast"];
    assert_eq!(route.timeouts.whole, Duration::from_secs(20));
    assert_eq!(&*route.targets().next().unwrap().model, "qwen3");
    assert!(matches!(snapshot.callers, Callers::Keys(_)));
    assert_eq!(snapshot.instances, None);
    assert_eq!(process.drain, Duration::from_secs(2));
}

#[test]
fn the_central_document_is_above_variables_and_flags_but_for_the_sidecars_own() {
    let central = "
hosts: [b.example]
body_limit: 1MiB
secret_max_stale: 1h
audit: { to: [file], file: /tmp/b }
drain: 3s
shared_state: redis://central.internal
";
    let variables = [
        ("PILLION_LISTEN", "127.0.0.1:4300"),
        ("PILLION_SHARED_STATE", "redis://:canary@own.internal"),
        ("PILLION_HOSTS", "evil.example"),
        ("PILLION_BODY_LIMIT", "1GB"),
        ("PILLION_SECRET_MAX_STALE", "90h"),
        ("PILLION_AUDIT__TO", "stdout"),
        ("PILLION_AUDIT__FILE", "/tmp/a"),
        ("PILLION_QUEUE", "9"),
    ];
    let mut sources = with_env(led("", central), &variables);
    sources.flags = vec![
        ("drain".into(), "4s".into()),
        ("admin".into(), "127.0.0.1:0".into()),
    ];
    let Loaded {
        snapshot, process, ..
    } = loaded(&sources);
    assert_eq!((process.listen.port(), process.admin.port()), (4300, 0));
    assert_eq!(
        process.shared_state.unwrap().expose(),
        "redis://:canary@own.internal"
    );
    assert_eq!(Vec::from_iter(&snapshot.hosts), ["b.example"]);
    assert_eq!(snapshot.body_limit, 1 << 20);
    assert!(!process.audit.stdout);
    assert_eq!(process.audit.file, Some(audit_at("/tmp/b")));
    assert_eq!(process.queue, 9);
    assert_eq!(process.drain, Duration::from_secs(3));
    let beaten = |by: &str, path: &str, at: &str| {
        format!(
            "{by}: {path}: is dropped: the central document says it, at central:{at}; `{path}` in its `local_overrides` would leave it"
        )
    };
    assert_eq!(
        warned(&sources),
        [
            beaten("PILLION_AUDIT__FILE", "audit.file", "14:1"),
            beaten("PILLION_AUDIT__TO", "audit.to", "14:1"),
            beaten("PILLION_BODY_LIMIT", "body_limit", "12:1"),
            beaten("command line", "drain", "15:1"),
            beaten("PILLION_HOSTS", "hosts", "11:1"),
            beaten("PILLION_SECRET_MAX_STALE", "secret_max_stale", "13:1"),
        ]
    );

    let left = format!("{central}local_overrides: [hosts, audit.to, drain]\n");
    let mut sources = with_env(led("hosts: [c.example]\n", &left), &variables);
    sources.flags = vec![("drain".into(), "4s".into())];
    let Loaded {
        snapshot, process, ..
    } = loaded(&sources);
    assert_eq!(Vec::from_iter(&snapshot.hosts), ["evil.example"]);
    assert!(process.audit.stdout && process.audit.file.is_none());
    assert_eq!(process.drain, Duration::from_secs(4));

    let free = Sources {
        local: Local::Free,
        ..with_env(led("", central), &variables)
    };
    let hosts = loaded(&free).snapshot.hosts;
    assert_eq!(Vec::from_iter(&hosts), ["evil.example"]);
}

#[test]
fn an_own_file_says_nothing_of_the_traces_where_the_document_does() {
    let own =
        "traces: { url: \"http://own:4318\", auth: { token_file: /t } }\nsecret_max_stale: 9h\n";
    let traces = |central: &str| loaded(&led(own, central)).process.traces.unwrap();
    assert!(traces("").collector.url.expose().contains("own"));
    // A token of ours is not shown to a collector of theirs.
    let of_theirs = traces("traces: { url: \"http://theirs:4318\" }\n");
    assert!(of_theirs.collector.url.expose().contains("theirs"));
    assert_eq!(of_theirs.collector.auth, Auth::None);
    let left = "traces: { url: \"http://theirs:4318\" }\nlocal_overrides: [traces]\n";
    assert!(traces(left).collector.url.expose().contains("own"));
    let sources = led("", "traces: { url: \"http://theirs:4318\", sample: 5% }\n");
    let central = loaded(&sources);
    let shown = central.effective.show(&central.snapshot);
    assert_eq!(shown["config"]["traces"]["sample"], "5%");
    assert_eq!(shown["config"]["traces"]["every"], "5s");
    assert!(
        shown["origins"]["traces.url"]
            .as_str()
            .unwrap()
            .starts_with("central:")
    );
    assert_eq!(shown["origins"]["traces.every"], "default");
}

#[test]
fn an_own_file_says_nothing_of_the_audit_where_the_document_does() {
    let own = "audit: { to: [stdout, file], file: /tmp/a }\nsecret_max_stale: 9h\n";
    let audit = |central: &str| loaded(&led(own, central)).process.audit;
    let alone = audit("");
    assert_eq!((alone.stdout, alone.file), (true, Some(audit_at("/tmp/a"))));
    // Its records go where it says, also where it says so in part.
    let sources = led(own, "audit: { file: /tmp/b }\n");
    let central = loaded(&sources);
    let audit_of = &central.process.audit;
    assert_eq!(
        (audit_of.stdout, &audit_of.file),
        (false, &Some(audit_at("/tmp/b")))
    );
    assert_eq!(
        warned(&sources),
        [
            "5:1: audit: is dropped: the central document says it, at central:10:1; `audit` in its `local_overrides` would leave it"
        ]
    );
    let shown = central.effective.show(&central.snapshot);
    assert_eq!(
        shown["dropped"],
        json!([{
            "path": "audit",
            "at": "file:<text>:5:1",
            "why": "the central document says it, at central:10:1",
        }])
    );
    assert_eq!(shown["origins"]["audit.file"], "central:central:10:10");
    let left = audit("audit: { to: [file], file: /tmp/b }\nlocal_overrides: [audit]\n");
    assert!(left.stdout);
    let left = led(
        own,
        "audit: { file: /tmp/b }\nlocal_overrides: [audit.to]\n",
    );
    let audit = loaded(&left).process.audit;
    assert_eq!((audit.stdout, audit.file), (true, Some(audit_at("/tmp/b"))));
    assert_eq!(
        warned(&left),
        [
            "5:30: audit.file: is dropped: the central document says it, at central:10:1; `audit.file` in its `local_overrides` would leave it"
        ]
    );
    // What says nothing is as what is not there, on either side.
    for unsaid in ["audit:\nhosts:\n", "audit: { file: , to: }\nhosts:\n"] {
        let said = loaded(&led(
            "audit: { file: /tmp/a }\nhosts: [a.example]\n",
            unsaid,
        ));
        assert_eq!(
            said.process.audit.file,
            Some(audit_at("/tmp/a")),
            "{unsaid}"
        );
        assert_eq!(said.snapshot.hosts.len(), 1);
        let shown = said.effective.show(&said.snapshot);
        assert_eq!(shown["origins"]["hosts"], "file:<text>:6:1");
    }
    let empty = led(
        "keys:\naudit:\n",
        "audit: { to: [file], file: /tmp/b }\nlocal_overrides: [audit, keys]\n",
    );
    assert_eq!(loaded(&empty).process.audit.file, Some(audit_at("/tmp/b")));
}

#[test]
fn what_is_kept_of_requests_is_the_documents_to_say() {
    use crate::snapshot::Content;
    let own = "
audit: { file: /tmp/a, content: masked }
routes:
  fast: { content: masked }
";
    for (central, variables, kept, warnings) in [
        (
            "",
            &[][..],
            Content::Nothing,
            &["audit.content", "routes"][..],
        ),
        (
            "",
            &[("PILLION_AUDIT__CONTENT", "masked")],
            Content::Nothing,
            &["audit.content", "routes", "audit.content"],
        ),
        (
            "local_overrides: [audit]\n",
            &[],
            Content::Masked,
            &["routes"],
        ),
        (
            "local_overrides: [routes.*.content]\n",
            &[],
            Content::Masked,
            &["audit.content"],
        ),
    ] {
        let loaded = loaded(&with_env(led(own, central), variables));
        let said = said(&loaded.warnings);
        assert_eq!(loaded.snapshot.routes["fast"].content, kept, "{central}");
        assert_eq!(loaded.process.audit.file, Some(audit_at("/tmp/a")));
        let about = |said: &&String, path: &str| said.contains(&format!(": {path}"));
        assert_eq!(said.len(), warnings.len(), "{said:?}");
        assert!(
            said.iter()
                .zip(warnings)
                .all(|(said, path)| about(&said, path)),
            "{said:?}"
        );
    }
}

#[test]
fn a_store_that_the_document_says_is_its_own_whole() {
    let own = "
secret_stores:
  bank: { kind: aws-sm, region: eu-west-1, refresh: 30s }
  other: { kind: aws-sm, region: eu-west-1 }
providers: { openai: { secret: \"bank:a#b\" }, inside: { secret: \"other:a#b\" } }
";
    let regions = |sources: &Sources| {
        let stores = loaded(sources).snapshot.secret_stores;
        ["bank", "other"].map(|name| match &stores[name].kind {
            StoreKind::AwsSm(place) => place.region.as_deref().map(str::to_owned),
            kind => panic!("{kind:?}"),
        })
    };
    let secrets = "providers.openai.secret, providers.inside.secret";
    let bank = "secret_stores: { bank: { kind: aws-sm } }\n";
    let sources = led(own, &format!("{bank}local_overrides: [{secrets}]\n"));
    let west = Some("eu-west-1".to_owned());
    assert_eq!(regions(&sources), [None, west.clone()]);
    assert_eq!(
        warned(&sources),
        [
            "7:3: secret_stores.bank: is dropped: the central document says it, at central:10:18; `secret_stores.bank` in its `local_overrides` would leave it"
        ]
    );
    let left = format!("{bank}local_overrides: [secret_stores.*.region, {secrets}]\n");
    let sources = led(own, &left);
    assert_eq!(regions(&sources), [west.clone(), west.clone()]);
    assert_eq!(warned(&sources).len(), 2, "{:?}", warned(&sources));
    // One without a value is as one that is not there.
    let unsaid = format!("secret_stores: {{ bank: }}\nlocal_overrides: [{secrets}]\n");
    assert_eq!(regions(&led(own, &unsaid)), [west.clone(), west]);
}

#[test]
fn what_has_lost_its_ground_is_dropped() {
    let own = "
routes: { gone: { timeout: 19s }, fast: { timeout: 18s } }
models: { openai/x: { price: { input: 1 }, context: 5 } }
secret_stores: { bank: { refresh: 30s } }
";
    let left = "local_overrides: [routes, models.*.price.input, models.*.context]\n";
    let with_all = format!(
        "{}{left}
models: {{ openai/x: {{ price: {{ input: 2, output: 3 }} }} }}
secret_stores: {{ bank: {{ kind: aws-sm }} }}
",
        CENTRAL.replace(
            "routes:\n",
            "routes:\n  gone: { targets: [openai/x, inside/x] }\n"
        ),
    );
    let mut sources = led(own, "");
    sources.central = led_by("", &with_all).central;
    let Loaded {
        snapshot, warnings, ..
    } = loaded(&sources);
    assert_eq!(
        said(&warnings),
        [
            "8:18: secret_stores.bank: is dropped: the central document says it, at central:14:18; `secret_stores.bank` in its `local_overrides` would leave it"
        ]
    );
    let whole = |snapshot: &Snapshot, route: &str| snapshot.routes[route].timeouts.whole.as_secs();
    assert_eq!(
        (whole(&snapshot, "gone"), whole(&snapshot, "fast")),
        (19, 18)
    );

    let sources = led(own, left);
    let Loaded {
        snapshot, warnings, ..
    } = loaded(&sources);
    assert_eq!((snapshot.routes.len(), whole(&snapshot, "fast")), (1, 18));
    let groundless = |at: &str, path: &str| {
        format!(
            "{at}: {path}: is dropped: the central document has nothing here that it could be a part of"
        )
    };
    assert_eq!(
        said(&warnings),
        [
            groundless("6:11", "routes.gone"),
            groundless("7:23", "models.\"openai/x\".price"),
            groundless("8:18", "secret_stores.bank"),
        ]
    );
    // Whether there is ground for it is not known before there is a document.
    let warnings = at_start(&sources).warnings;
    let said = said(&warnings);
    assert!(
        said.iter().all(|it| it.contains("counts as far as")),
        "{said:?}"
    );
}

#[test]
fn what_is_wrong_by_itself_is_a_problem_also_where_it_would_be_dropped() {
    let own = "
routes: { fast: { timeout: soon, timout: 1s }, gone: { timeout: 0s } }
secret_stores: { bank: { refresh: soon } }
";
    let wrong = [
        "6:19: routes.fast.timeout: `soon` is not a duration above zero such as `300ms`, `8s`, `5m`, `1h`",
        "6:34: routes.fast.timout: is not a key here; did you mean `timeout`?",
        "6:56: routes.gone.timeout: `0s` is not a duration above zero such as `300ms`, `8s`, `5m`, `1h`",
        "7:26: secret_stores.bank.refresh: `soon` is not a duration above zero such as `300ms`, `8s`, `5m`, `1h`",
    ];
    let sources = led(own, "local_overrides: [routes.gone.timeout]\n");
    assert_eq!(refused(&sources), wrong);
    assert_eq!(refused_at_start(&sources), wrong);
}

#[test]
fn what_is_dropped_is_shown_and_never_told_to_be_what_counts() {
    let own = "routes: { fast: { on_break: continue } }\n";
    let central = "queue: 7\nlocal_overrides: [routes.*.timeout]\n";
    let sources = with_env(led(own, central), &[("PILLION_QUEUE", "9")]);
    let loaded = loaded(&sources);
    let shown = loaded.effective.show(&loaded.snapshot);
    assert_eq!(
        shown["dropped"],
        json!([
            {
                "path": "routes.fast.on_break",
                "at": "file:<text>:5:19",
                "why": "it is for the central document to say",
            },
            {
                "path": "queue",
                "at": "env:PILLION_QUEUE",
                "why": "the central document says it, at central:10:1",
            },
        ])
    );
    assert_eq!(shown["config"]["routes"]["fast"]["on_break"], "error");
    assert_eq!(shown["origins"]["routes.fast.on_break"], "default");
    assert_eq!(shown["origins"]["queue"], "central:central:10:1");
}

/// The audit file of this path, with what holds by default.
fn audit_at(path: &str) -> AuditFile {
    AuditFile::at(path.into())
}
