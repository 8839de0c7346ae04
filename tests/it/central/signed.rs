//! Documents that somebody must have signed.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;

#[tokio::test]
async fn only_a_document_that_one_of_ours_has_signed_is_taken() {
    let (first, second) = (saying("one").await, saying("two").await);
    let pair = |number| Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap();
    let (old, new, other) = (pair(1), pair(2), pair(3));
    let sign = |id: &str, pair: &Ed25519KeyPair, text: &str| {
        let signature = BASE64_STANDARD.encode(pair.sign(text.as_bytes()));
        Some(format!("{id}{signature}\n"))
    };
    let public = |pair: &Ed25519KeyPair| BASE64_STANDARD.encode(pair.public_key());
    let one = document(&first, "version: 1");
    let centre = Centre::with(one.clone()).await;
    let verify = |keys: &[(&str, &Ed25519KeyPair)]| {
        let keys = keys
            .iter()
            .map(|(id, pair)| format!("{{ key_id: {id}, public_key: \"{}\" }}", public(pair)));
        let keys: Vec<_> = keys.collect();
        following(&centre, &format!(", verify: [{}]", keys.join(", ")))
    };
    let gateway = Gateway::begin(&verify(&[("k1", &old)]), Folder::new()).await;
    for (signature, why) in [
        (None, "no signature"),
        (sign("", &other, &one), "no key"),
        (sign("k1 ", &old, "another text"), "no key"),
        (sign("k9 ", &old, &one), "k9"),
    ] {
        centre.has(one.clone(), signature);
        until(&gateway, why, |status, told| {
            status == 503 && says(&told["config"]["refused"], why)
        })
        .await;
    }
    centre.has(one.clone(), sign("k1 ", &old, &one));
    let gateway = gateway.serving().await;
    until_answered(&gateway, "one").await;

    // Rotated: a document of the new key comes to those who know both.
    let two = document(&second, "version: 2");
    let folder = gateway.crash();
    let both = verify(&[("k1", &old), ("k2", &new)]);
    let gateway = Gateway::begin(&both, folder).await.serving().await;
    centre.has(two.clone(), sign("", &new, &two));
    until_answered(&gateway, "two").await;
    until_kept(&gateway, &two).await;

    // A copy is verified again: with the key that signed it gone, it is nobody's.
    let folder = gateway.crash();
    centre.goes(Away::Broken);
    let gateway = Gateway::begin(&verify(&[("k2", &new)]), folder).await;
    let gateway = gateway.serving().await;
    until_answered(&gateway, "two").await;
    let folder = gateway.crash();
    let gateway = Gateway::begin(&verify(&[("k3", &other)]), folder).await;
    soon("both copies are passed over", async {
        while gateway.log().matches("passed over").count() < 2 {
            sleep(LOOK).await;
        }
    })
    .await;
    assert_eq!(gateway.ask_admin("/readyz").await.status, 503);
}

#[tokio::test]
async fn a_signed_document_says_for_whom_it_is_and_how_far_back_it_goes() {
    let (first, second) = (saying("one").await, saying("two").await);
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let centre = Centre::empty().await;
    let says = |upstream: &Upstream, more: &str| {
        let text = document(upstream, more);
        let signature = BASE64_STANDARD.encode(pair.sign(text.as_bytes()));
        centre.has(text, Some(signature));
    };
    let public = BASE64_STANDARD.encode(pair.public_key());
    let config = following(
        &centre,
        &format!(", audience: prod, verify: {{ key_id: k1, public_key: \"{public}\" }}"),
    );
    let gateway = Gateway::begin(&config, Folder::new()).await;
    for (more, why) in [
        ("audience: prod", "version: is missing in a document"),
        ("version: 1", "audience: is missing"),
        (
            "version: 1\naudience: [test, stage]",
            "audience: does not name `prod`",
        ),
        (
            "version: 1\naudience: prod\nallow_rollback: true",
            "allow_rollback: has no bound",
        ),
    ] {
        says(&first, more);
        until(&gateway, why, |status, told| {
            status == 503 && says_so(told, why)
        })
        .await;
    }
    says(&first, "version: 7\naudience: [test, prod]");
    let gateway = gateway.serving().await;
    until_answered(&gateway, "one").await;
    says(&second, "version: 7\naudience: prod");
    let another = "version 7 is live here with another text";
    until(&gateway, another, |_, told| says_so(told, another)).await;
    says(
        &second,
        "version: 6\naudience: prod\nallow_rollback_from: 7",
    );
    until_answered(&gateway, "two").await;
    says(&first, "version: 8\naudience: prod");
    until_answered(&gateway, "one").await;
    // Played back.
    says(
        &second,
        "version: 6\naudience: prod\nallow_rollback_from: 7",
    );
    let behind = "version 6 is behind 8";
    until(&gateway, behind, |_, told| says_so(told, behind)).await;
    let answer = gateway.chat(&ask()).await;
    assert!(answer.text().contains("one"), "{}", answer.text());
}
