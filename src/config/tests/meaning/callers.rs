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
