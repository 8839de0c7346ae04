//! Stores of secrets, and the references into them.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::secret::{AwsPlace, Reference, StoreKind, StorePlace, VaultAuth, VaultPlace};

const STORES: &str = "
allow_anonymous: true
secret_max_stale: 1h
secret_stores:
  bank: { kind: vault, address: https://vault.internal/, auth: kubernetes, role: pillion, mount: llm }
  box:
    { kind: vault, address: \"https://bao.internal:8200\", auth: approle, auth_mount: roles/llm, role_id: r, secret_id_file: /run/id,
      namespace: team/a/, ca: /etc/ca.pem, refresh: 30s }
  sm: { kind: aws-sm, region: eu-central-1 }
  params: { kind: aws-ssm, address: https://vpce.internal }
providers:
  openai: { kind: openai, secret: \"bank:openai-b#key\" }
  vertex: { kind: vertex, project: p, location: global, secret: \"sm:sa\" }
routes:
  fast: { targets: [openai/gpt-5-mini, vertex/gemini] }
";

fn store(kind: StoreKind) -> Arc<StorePlace> {
    Arc::new(StorePlace {
        kind,
        ca: None,
        refresh: Duration::from_mins(5),
        max_stale: Duration::from_hours(1),
    })
}

#[test]
fn a_store_is_read_with_its_defaults() {
    let snapshot = loaded(&yaml(STORES)).snapshot;
    let bank = VaultPlace {
        address: "https://vault.internal".into(),
        mount: "llm".into(),
        namespace: None,
        auth: VaultAuth::Jwt {
            role: "pillion".into(),
            token_file: "/var/run/secrets/kubernetes.io/serviceaccount/token".into(),
        },
        auth_mount: "kubernetes".into(),
    };
    let boxed = VaultPlace {
        address: "https://bao.internal:8200".into(),
        mount: "secret".into(),
        namespace: Some("team/a".into()),
        auth: VaultAuth::AppRole {
            role_id: "r".into(),
            secret_id_file: "/run/id".into(),
        },
        auth_mount: "roles/llm".into(),
    };
    let boxed = StorePlace {
        kind: StoreKind::Vault(boxed),
        ca: Some("/etc/ca.pem".into()),
        refresh: Duration::from_secs(30),
        max_stale: Duration::from_hours(1),
    };
    let sm = StoreKind::AwsSm(AwsPlace {
        region: Some("eu-central-1".into()),
        address: None,
    });
    let params = StoreKind::AwsSsm(AwsPlace {
        region: None,
        address: Some("https://vpce.internal".into()),
    });
    for (name, expected) in [
        ("bank", store(StoreKind::Vault(bank))),
        ("box", Arc::new(boxed)),
        ("sm", store(sm)),
        ("params", store(params)),
    ] {
        assert_eq!(snapshot.secret_stores[name], expected, "{name}");
    }
    let secret = |name: &str| snapshot.providers[name].secret.clone().unwrap();
    let key = Reference::try_new("bank:openai-b#key").unwrap();
    assert_eq!(secret("openai"), key);
    let document = Reference::try_new("sm:sa").unwrap().or_document();
    assert_eq!(secret("vertex"), document);
}

#[test]
fn every_mistake_is_told_and_no_text_that_may_be_a_secret() {
    let text = "
allow_anonymous: true
secret_stores:
  aws: { kind: aws-sm, mount: kv }
  bank: { kind: vault, address: https://v, auth: approle, token_file: /t }
  b.nk: { kind: vault, auth: jwt, mount: a//b }
  sm: { kind: vaul }
providers:
  a: { kind: openai, secret: \"bnak:openai#key\" }
  b: { kind: openai, secret: \"sk-canary:4711\" }
routes:
  fast: { targets: [a/m, b/m] }
";
    let said = refused(&yaml(text));
    let expected = [
        "secret_stores.aws: has a name that means something else",
        "secret_stores.aws.mount: is for `kind: vault` only",
        "secret_stores.bank.token_file: is for `auth: token`, `kubernetes`, `jwt` only",
        "secret_stores.bank.role_id: is missing; `auth: approle` needs it",
        "secret_stores.bank.secret_id_file: is missing; `auth: approle` needs it",
        "secret_stores.\"b.nk\": has a name with more in it",
        "secret_stores.\"b.nk\".address: is missing; `kind: vault` needs it",
        "secret_stores.\"b.nk\".role: is missing; `auth: jwt` needs it",
        "secret_stores.\"b.nk\".token_file: is missing; `auth: jwt` needs it",
        "secret_stores.sm.kind: `vaul` is not one of",
        "providers.a.secret: is in a store that `secret_stores` does not name; did you mean `bank`?",
        "providers.b.secret: is in a store that `secret_stores` does not name",
    ];
    for problem in expected {
        let is_said = said.iter().any(|line| line.contains(problem));
        assert!(is_said, "{problem}\n{}", said.join("\n"));
    }
    assert_eq!(said.len(), expected.len(), "{}", said.join("\n"));
    let all = said.join("\n");
    assert!(!all.contains("canary") && !all.contains("4711"), "{all}");
}

#[test]
fn a_store_without_tls_is_warned_of() {
    let text = STORES.replace("https://vault.internal/", "http://vault.internal");
    let warnings = loaded(&yaml(&text)).warnings;
    let said = said(&warnings).join("\n");
    let warning = "secret_stores.bank.address: secrets come from `vault.internal` in clear text";
    assert!(said.contains(warning), "{said}");
}
