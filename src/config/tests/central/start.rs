//! What is known before there is a central document.

use super::*;

#[test]
fn the_source_is_known_before_there_is_a_document() {
    let own = "
listen: 127.0.0.1:4200
identity: { team: support }
cache_dir: /var/lib/pillion
source:
  url: https://config.internal/prod.yaml
  report: redis://:canary@redis.internal/0/pillion
  auth: { token_file: /run/token }
  ca: /etc/ca.pem
  verify:
    - { key_id: k1, public_key: d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a }
    - { key_id: k2, public_key: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= }
";
    let Bootstrap {
        source,
        report,
        cache_dir,
        process,
        identity,
        warnings,
    } = at_start(&yaml(own));
    assert_eq!(
        report.unwrap().to_string(),
        "redis://redis.internal/0/pillion"
    );
    let source = source.unwrap();
    assert_eq!(source.url.to_string(), "https://config.internal/prod.yaml");
    assert_eq!(source.refresh, Duration::from_secs(15));
    let token = Auth::Token {
        file: "/run/token".into(),
    };
    assert_eq!(source.auth, token);
    assert_eq!(source.ca, Some("/etc/ca.pem".into()));
    let key = source.verify[0].key;
    assert_eq!(key[..2], [0xd7, 0x5a]);
    let keys = ["k1", "k2"].map(|id| PublicKey { id: id.into(), key });
    assert_eq!(source.verify, keys);
    assert_eq!(cache_dir, Some("/var/lib/pillion".into()));
    assert_eq!(process.listen.port(), 4200);
    assert_eq!(identity.team.as_deref(), Some("support"));
    assert_eq!(said(&warnings), Vec::<String>::new());
    // The document itself is somebody else's to fetch.
    assert_eq!(
        refused(&yaml(own)),
        ["5:1: source: has the routes and the keys, and was not asked for them"]
    );
}

#[test]
fn variables_alone_can_name_the_source() {
    let sources = with_env(
        yaml("routes: { fast: { timeout: 5s } }\n"),
        &[
            (
                "PILLION_SOURCE__URL",
                "redis://:canary-4711@redis.internal/0/pillion",
            ),
            ("PILLION_SOURCE__REFRESH", "3s"),
            ("PILLION_SOURCE__AUTH__CERT", "/tls.crt"),
            ("PILLION_SOURCE__AUTH__KEY", "/tls.key"),
            ("PILLION_SOURCE__VERIFY__KEY_ID", "k1"),
            (
                "PILLION_SOURCE__VERIFY__PUBLIC_KEY",
                "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            ),
            ("PILLION_CACHE_DIR", "/cache"),
        ],
    );
    let started = at_start(&sources);
    let source = started.source.unwrap();
    assert_eq!(source.refresh, Duration::from_secs(3));
    let certificate = Auth::Certificate {
        chain: "/tls.crt".into(),
        key: "/tls.key".into(),
    };
    assert_eq!((source.auth, source.verify.len()), (certificate, 1));
    assert!(!format!("{:?}", source.url).contains("canary"));
    assert_eq!(started.cache_dir, Some("/cache".into()));
    assert_eq!(
        said(&started.warnings),
        ["1:1: routes: counts as far as the central document lists it in its `local_overrides`"]
    );
}

#[test]
fn what_is_wrong_with_a_source_is_told_at_the_start() {
    for (source, problem) in [
        ("{}", "source.url: is missing"),
        (
            "{ url: config.internal }",
            "source.url: does not begin with",
        ),
        (
            "{ url: \"file:/a\", auth: {} }",
            "source.auth: has neither `token_file` nor `cert` and `key`",
        ),
        (
            "{ url: \"file:/a\", auth: { cert: /a } }",
            "source.auth.key: is missing; `cert` needs it",
        ),
        (
            "{ url: \"file:/a\", auth: { key: /a } }",
            "source.auth.cert: is missing; `key` needs it",
        ),
        (
            "{ url: \"file:/a\", auth: { token_file: /a, cert: /a } }",
            "source.auth: has a certificate beside `token_file`",
        ),
        (
            "{ url: \"file:/a\", verify: { key_id: a, public_key: abc } }",
            "source.verify.public_key: is not an Ed25519 public key",
        ),
        (
            "{ url: \"file:/a\", verify: [] }",
            "source.verify: is empty",
        ),
        (
            "{ url: \"file:/a\", refresh: 0s }",
            "source.refresh: `0s` is not",
        ),
        (
            "{ url: \"file:/a\", refesh: 1s }",
            "did you mean `refresh`?",
        ),
    ] {
        let text = yaml(&format!("source: {source}\n"));
        let said = refused_at_start(&text).join("\n");
        assert!(said.contains(problem), "{source}: {said}");
        let said = refused(&text).join("\n");
        assert!(said.contains(problem), "{source}: {said}");
    }
    let key = "public_key: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let twice = format!("verify: [{{ key_id: a, {key} }}, {{ key_id: a, {key} }}]");
    let said = refused_at_start(&yaml(&format!("source: {{ url: \"file:/a\", {twice} }}\n")));
    assert!(said.join("\n").contains("`a` names both keys"), "{said:?}");
    // Who one is decides what one gets.
    let nobody = yaml(&OWN.replace("team: support", "team: $TEAM"));
    assert_eq!(
        refused_at_start(&nobody),
        [
            "3:13: identity.team: the variable `TEAM` is not set, and the keys that this sidecar gets go by it"
        ]
    );
}

#[test]
fn without_a_source_the_start_knows_what_loading_knows() {
    let started = at_start(&small_with("drain: 3s\n"));
    assert!(started.source.is_none());
    assert_eq!(started.process, loaded(&small_with("drain: 3s\n")).process);
    let wrong = small_with("drain: soon\nkeys: [{ id: a }]\nallow_anonimous: true\n");
    assert_eq!(refused_at_start(&wrong), refused(&wrong));
    assert_eq!(
        loaded(&small_with(""))
            .snapshot
            .instances
            .map(NonZeroU32::get),
        Some(1)
    );
}
