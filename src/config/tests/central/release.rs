//! What a central document says of its own release, and what it must say where it is signed.

use super::*;

/// A source whose documents are signed.
const SIGNED: &str = "
source:
  url: https://config.internal/prod.yaml
  verify: { key_id: k1, public_key: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= }
";

/// The small document, which has a version, with more lines.
fn signed(more: &str) -> Sources {
    led_by(SIGNED, &format!("{CENTRAL}{more}"))
}

#[test]
fn a_release_says_when_and_for_whom() {
    let all = "allow_rollback: true\nrollout: { percent: 5%, salt: a }\n";
    let release = loaded(&led("", all)).release;
    assert_eq!(release.rollback, Rollback::Any);
    let rollout = release.rollout.unwrap();
    assert_eq!(
        (rollout.percent.to_string(), &*rollout.salt),
        ("5%".to_owned(), "a")
    );
    // A file that follows nothing may be a central document that is tried out.
    let alone = loaded(&small_with("version: 3\n"));
    assert_eq!(alone.release, Release::default());
    assert_eq!(
        said(&alone.warnings),
        ["8:1: version: has no effect: it is for a central document"]
    );
    let variable = with_env(small_with(""), &[("PILLION_VERSION", "1.2.3")]);
    assert_eq!(
        said(&loaded(&variable).warnings),
        ["PILLION_VERSION: is not a variable that Pillion reads"]
    );
}

#[test]
fn a_step_back_has_a_bound_where_documents_are_signed() {
    for (document, rollback) in [
        ("", Rollback::Never),
        ("allow_rollback: false\n", Rollback::Never),
        ("allow_rollback_from: 9\n", Rollback::From(9)),
        (
            "allow_rollback: true\nallow_rollback_from: 9\n",
            Rollback::From(9),
        ),
    ] {
        for sources in [signed(document), led("", document)] {
            assert_eq!(loaded(&sources).release.rollback, rollback, "{document}");
        }
    }
    let unbounded = "allow_rollback: true\n";
    assert_eq!(loaded(&led("", unbounded)).release.rollback, Rollback::Any);
    assert_eq!(
        refused(&signed(unbounded)),
        [
            "central:10:1: allow_rollback: has no bound, which a signed document must have; write `allow_rollback_from: N`, the version that it is to be taken over"
        ]
    );
}

#[test]
fn what_is_signed_has_a_version() {
    let nameless = CENTRAL.replace("version: 7\n", "");
    assert_eq!(loaded(&led_by(OWN, &nameless)).release.version, None);
    assert_eq!(
        refused(&led_by(SIGNED, &nameless)),
        [
            "central: version: is missing in a document that `source.verify` wants signed; it must not be played back once there is a newer one"
        ]
    );
}

#[test]
fn a_document_that_is_for_somebody_else_is_refused() {
    let own = SIGNED.replace("source:\n", "source:\n  audience: eu-prod\n");
    let for_us = |more: &str| led_by(&own, &format!("{CENTRAL}{more}"));
    for audience in ["eu-prod", "[eu-prod]", "[us-prod, eu-prod]"] {
        loaded(&for_us(&format!("audience: {audience}\n")));
    }
    for audience in ["us-prod", "[us-prod, eu]"] {
        assert_eq!(
            refused(&for_us(&format!("audience: {audience}\n"))),
            [
                "central:10:1: audience: does not name `eu-prod`, which is this sidecar's `source.audience`; it is for somebody else"
            ]
        );
    }
    assert_eq!(
        refused(&for_us("")),
        [
            "central: audience: is missing, and this sidecar takes what is for `eu-prod` alone; `source.audience` says so"
        ]
    );
    assert_eq!(
        refused(&for_us("audience: []\n")),
        ["central:10:1: audience: is empty"]
    );
    // Who does not say for whom it takes documents takes any.
    loaded(&signed("audience: us-prod\n"));
    let variable = with_env(
        signed("audience: us-prod\n"),
        &[("PILLION_SOURCE__AUDIENCE", "eu-prod")],
    );
    assert_eq!(refused(&variable).len(), 1);
}
