//! Who may call, and for what.

use super::*;
use crate::snapshot::Callers;

#[test]
fn somebody_may_call() {
    let nobody = SMALL.replace("allow_anonymous: true", "");
    let said = refused(&yaml(&nobody)).join("\n");
    assert!(
        said.contains("keys: there is no key") && said.contains("pillion keys new"),
        "{said}"
    );
    for keys in ["keys: []\n", "keys:\n"] {
        assert!(
            refused(&yaml(&format!("{nobody}{keys}")))
                .join("")
                .contains("there is no key")
        );
    }
    let open = problem("listen: 0.0.0.0:4100\n");
    assert!(
        open.contains("not a loopback address; add `keys`"),
        "{open}"
    );
    let both = warnings(&format!(
        "keys: [{{ id: a, hash: \"sha256:{}\" }}]\n",
        "0".repeat(64)
    ));
    assert!(both.contains("allow_anonymous: has no effect"), "{both}");
}

#[test]
fn keys_are_told_apart_and_reach_what_exists() {
    let [one, two, three] = ["1", "2", "3"].map(|digit| format!("sha256:{}", digit.repeat(64)));
    let keys = format!(
        "keys:
  - {{ id: a, hash: [\"{one}\", \"{two}\"], environment: prod, routes: [fast], default_route: fast, passthrough: inside, expires: 2027-06-30 }}
  - {{ id: b, hash: \"{three}\", expires: 2026-11-22 }}
"
    );
    let Loaded {
        snapshot, warnings, ..
    } = loaded(&small_with(&keys));
    let Callers::Keys(callers) = &snapshot.callers else {
        panic!("there are keys");
    };
    assert_eq!(callers.len(), 3);
    let key = &callers[&[0x11; 32]];
    assert_eq!(&*callers[&[0x22; 32]].id, "a");
    assert_eq!(&*key.default_route.as_ref().unwrap().name, "fast");
    assert_eq!(&*key.passthrough.as_ref().unwrap().name, "inside");
    assert_eq!(key.expires.unwrap().to_string(), "2027-06-30T00:00:00Z");
    assert!(said(&warnings).join("").contains("the key `b` has expired"));

    let keys = format!(
        "keys:
  - {{ id: a, hash: \"{one}\", routes: [fats] }}
  - {{ id: b, hash: [\"{two}\", \"{one}\", \"{three}\"] }}
  - {{ id: c, hash: [\"{two}\", \"{one}\"], passthrough: opena }}
  - {{ id: d, hash: \"{three}\", routes: [], default_route: fast }}
"
    );
    assert_eq!(
        refused(&small_with(&keys)),
        [
            "9:104: keys[0].routes[0]: no route is named `fats`; did you mean `fast`?",
            "10:14: keys[1].hash: has 3 entries; 2 may be",
            "11:96: keys[2].hash[1]: is already the hash at keys[0].hash",
            "11:172: keys[2].passthrough: no provider is named `opena`; did you mean `openai`?",
            "12:107: keys[3].default_route: `fast` is not among the key's `routes`",
        ]
    );
}

/// The ids of the keys that a pod's own token opens, with what was warned of.
fn opened_by_own(sources: &Sources) -> (Vec<String>, String) {
    let hash = format!("sha256:{}", "4".repeat(64));
    let sources = Sources {
        env: vec![("PILLION_POD_KEY".to_owned(), hash)],
        ..sources.clone()
    };
    let Loaded {
        snapshot, warnings, ..
    } = loaded(&sources);
    let Callers::Keys(keys) = &snapshot.callers else {
        panic!("there are keys");
    };
    let own = keys.iter().filter(|(hash, _)| **hash == [0x44; 32]);
    let own = own.map(|(_, key)| key.id.to_string()).collect();
    (own, said(&warnings).join("\n"))
}

#[test]
fn a_pods_own_token_is_the_key_that_its_identity_suits_and_no_other() {
    let keys = "keys:
  - { id: chat, hash: pod, team: support, service: chat, routes: [fast] }
  - { id: jobs, hash: pod, team: support, service: jobs }
  - { id: billing, hash: pod, team: billing }
";
    for (identity, expected) in [
        ("team: support, service: chat", vec!["chat"]),
        (
            "team: support, service: jobs, environment: prod",
            vec!["jobs"],
        ),
        ("team: billing, service: any", vec!["billing"]),
        // What is not said suits no key that says it: a sidecar must not get more by saying less.
        ("team: support", vec![]),
        ("service: chat", vec![]),
        ("team: others", vec![]),
    ] {
        let text = format!("identity: {{ {identity} }}\n{keys}");
        let (own, warned) = opened_by_own(&small_with(&text));
        assert_eq!(own, expected, "{identity}");
        let unknown = warned.contains("pod_key: has no effect: no key with `hash: pod` is for");
        assert_eq!(unknown, expected.is_empty(), "{warned}");
    }
    let without = warnings(keys);
    assert!(
        without.contains("keys[0].hash: `PILLION_POD_KEY` is not set"),
        "{without}"
    );
}

#[test]
fn a_sidecar_is_meant_by_one_key_of_this_kind() {
    let keys = "keys:
  - { id: a, hash: pod, team: support }
  - { id: b, hash: pod, team: support, service: chat }
  - { id: c, hash: pod, team: billing }
";
    let said = refused(&small_with(keys)).join("\n");
    assert_eq!(
        said,
        "10:14: keys[1].hash: is a pod's own, and so is keys[0].hash: one sidecar could be meant by both; let them differ in `team`, `service` or `environment`"
    );
    let word = refused(&small_with("keys: [{ id: a, hash: pods }]\n")).join("\n");
    assert!(word.contains("64 hexadecimal digits, or `pod`"), "{word}");
}

#[test]
fn a_central_document_says_what_a_pods_own_token_may() {
    let own =
        "source: { url: \"https://config.internal/prod.yaml\" }\nidentity: { service: chat }\n";
    let by = |keys: &str, own: &str| Sources {
        central: Some(CentralText {
            name: "central".into(),
            format: Format::Yaml,
            text: format!("version: 1\n{SMALL}{keys}")
                .replace("allow_anonymous: true", "")
                .into(),
        }),
        ..yaml(own)
    };
    let left = "keys: [{ id: chat, hash: pod, service: chat, routes: [fast] }]\n";
    let (opened, warned) = opened_by_own(&by(left, own));
    assert_eq!((opened, warned.as_str()), (vec!["chat".to_owned()], ""));
    // A document that leaves nothing to pods gives them nothing.
    let one = format!("keys: [{{ id: a, hash: \"sha256:{}\" }}]\n", "1".repeat(64));
    let local = format!("{own}keys: [{{ id: sly, hash: pod, service: chat }}]\n");
    let (opened, warned) = opened_by_own(&by(&one, &local));
    assert_eq!(opened, [""; 0]);
    assert!(warned.contains("keys: is dropped"), "{warned}");
    assert!(warned.contains("pod_key: has no effect"), "{warned}");
    // Nor does a document say the token itself, which would be everybody's.
    let said = refused(&by(
        &format!("pod_key: \"sha256:{}\"\n{left}", "1".repeat(64)),
        own,
    ));
    assert!(
        said.join("\n")
            .contains("pod_key: is for a sidecar's own file"),
        "{said:?}"
    );
}
