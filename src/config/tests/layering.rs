//! Which layer has the last word.

use super::*;

fn with_env(text: &str, env: &[(&str, &str)]) -> Sources {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Sources {
        env: env.iter().map(owned).collect(),
        ..small_with(text)
    }
}

#[test]
fn the_environment_is_above_the_text_and_flags_above_both() {
    let mut sources = with_env(
        "listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\nidentity: { team: a, service: b }\n",
        &[
            ("PILLION_ADMIN", "127.0.0.1:3"),
            ("PILLION_LISTEN", "127.0.0.1:4"),
            ("PILLION_IDENTITY__TEAM", "007"),
            ("PILLION_BODY_LIMIT", "1MiB"),
            ("PILLION_WORKERS", "2"),
            ("PILLION_H2C", "true"),
            ("PILLION_HOSTS", "a.example, b.example"),
            ("PILLION_AUDIT__FILE", "/tmp/audit.jsonl"),
            ("PILLION_DRAIN", ""),
        ],
    );
    sources.flags = vec![("listen".into(), "127.0.0.1:5".into())];
    let Loaded {
        snapshot,
        process,
        warnings,
        ..
    } = loaded(&sources);
    assert_eq!(process.listen.port(), 5);
    assert_eq!(process.admin.port(), 3);
    assert_eq!(snapshot.identity.team.as_deref(), Some("007"));
    assert_eq!(snapshot.identity.service.as_deref(), Some("b"));
    assert_eq!(snapshot.body_limit, 1 << 20);
    assert_eq!(process.workers, 2);
    assert!(process.h2c);
    assert_eq!(Vec::from_iter(snapshot.hosts), ["a.example", "b.example"]);
    let audit = process.audit.file.map(|file| file.path);
    assert_eq!(audit, Some("/tmp/audit.jsonl".into()));
    assert_eq!(process.drain, Duration::from_secs(25));
    assert_eq!(warnings, []);
}

#[test]
fn a_bad_value_is_told_by_the_name_of_what_set_it() {
    let mut sources = with_env(
        "listen: here\nworkers: 1\n",
        &[
            ("PILLION_LISTEN", "localhost:4100"),
            ("PILLION_WORKERS", "many"),
        ],
    );
    sources.flags = vec![
        ("drain".into(), "soon".into()),
        ("routes.fast".into(), "x".into()),
    ];
    assert_eq!(
        refused(&sources),
        [
            "command line: `routes.fast` cannot be set here",
            "PILLION_LISTEN: listen: `localhost:4100` is not an IP address and a port such as `127.0.0.1:4100`",
            "command line: drain: `soon` is not a duration such as `300ms`, `8s`, `5m`, `1h`",
            "PILLION_WORKERS: workers: is text, not a whole number from 1 to 256",
        ]
    );
}

#[test]
fn a_variable_that_is_not_ours_is_a_warning() {
    let sources = with_env(
        "",
        &[
            ("PILLION_PORT", "tcp://10.0.0.1:4100"),
            ("PILLION_LISTN", "127.0.0.1:1"),
            ("PILLION_ROUTES__FAST__TIMEOUT", "1s"),
            ("PILLION_LOG", "debug"),
            ("PILLION_LOG_FORMAT", "json"),
            ("PILLION_CONFIG", "/etc/pillion.yaml"),
            ("HOME", "/root"),
        ],
    );
    assert_eq!(
        said(&loaded(&sources).warnings),
        [
            "PILLION_PORT: is not a variable that Pillion reads",
            "PILLION_LISTN: is not a variable that Pillion reads; did you mean `PILLION_LISTEN`?",
            "PILLION_ROUTES__FAST__TIMEOUT: is not a variable that Pillion reads",
        ]
    );
}

#[test]
fn maps_merge_by_entry_and_lists_replace() {
    let sources = with_env(
        "hosts: [a.example]\nprofiles: { interactive: { idle: 1s } }\n",
        &[("PILLION_HOSTS", "b.example")],
    );
    let snapshot = loaded(&sources).snapshot;
    assert_eq!(Vec::from_iter(&snapshot.hosts), ["b.example"]);
    let timeouts = snapshot.routes["fast"].timeouts;
    assert_eq!(timeouts.idle, Duration::from_secs(1));
    assert_eq!(timeouts.whole, Duration::from_secs(30));
}

#[test]
fn inside_kubernetes_probes_come_from_outside_the_pod() {
    let mut sources = small_with("");
    assert_eq!(loaded(&sources).process.admin.to_string(), "127.0.0.1:4101");
    sources.in_kubernetes = true;
    assert_eq!(loaded(&sources).process.admin.to_string(), "[::]:4101");
    let mut sources = small_with("admin: 127.0.0.1:9\n");
    sources.in_kubernetes = true;
    assert_eq!(loaded(&sources).process.admin.to_string(), "127.0.0.1:9");
}

#[test]
fn only_identity_names_variables() {
    let sources = with_env(
        "identity: { instance: $POD_NAME, service: \"${APP}-chat\", team: $NOBODY }\n",
        &[("POD_NAME", "chat-0"), ("APP", "support")],
    );
    let Loaded {
        snapshot, warnings, ..
    } = loaded(&sources);
    assert_eq!(snapshot.identity.instance.as_deref(), Some("chat-0"));
    assert_eq!(snapshot.identity.service.as_deref(), Some("support-chat"));
    assert_eq!(snapshot.identity.team, None);
    assert_eq!(
        said(&warnings),
        ["8:58: identity.team: the variable `NOBODY` is not set: this fact stays unknown"]
    );
}
