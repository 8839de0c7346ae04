//! Reviews of an API server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::kube::admission::{Outcome, answer};

fn review(object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5",
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "namespace": "prod",
            "operation": "CREATE",
            "userInfo": { "username": "admin" },
            "object": object,
            "oldObject": null,
            "dryRun": false,
        },
    })
}

fn answered(review: &Value) -> (Value, Outcome) {
    let answer = answer(review.to_string().as_bytes(), &settings(), &token()).unwrap();
    assert_eq!(answer.review["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer.review["kind"], "AdmissionReview");
    assert_eq!(answer.review["response"]["uid"], "705ab4f5");
    (answer.review["response"].clone(), answer.outcome)
}

#[test]
fn a_new_pod_is_patched() {
    let pod = pod();
    let (response, outcome) = answered(&review(&pod));
    assert_eq!(outcome, Outcome::Injected);
    assert_eq!(response["allowed"], true);
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD
        .decode(response["patch"].as_str().unwrap())
        .unwrap();
    let patch: Value = serde_json::from_slice(&patch).unwrap();
    assert_eq!(patched(&pod, &patch), injected(&pod));
    assert!(response.get("warnings").is_none());
}

#[test]
fn what_is_left_is_allowed_and_told_where_it_surprises() {
    for (pod, warned) in [
        (
            with("/metadata/labels", json!({ "pillion.dev/inject": "false" })),
            false,
        ),
        (injected(&pod()), false),
        (with("/spec/hostNetwork", json!(true)), true),
    ] {
        let (response, outcome) = answered(&review(&pod));
        assert!(matches!(outcome, Outcome::Left(_)));
        assert_eq!(response["allowed"], true);
        assert!(response.get("patch").is_none());
        assert_eq!(response.get("warnings").is_some(), warned, "{response}");
    }
}

#[test]
fn a_pod_that_asks_for_nonsense_is_refused() {
    let pod = annotated("imgae", "x");
    let (response, _) = answered(&review(&pod));
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 422);
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("did you mean `pillion.dev/image`?"),
        "{message}"
    );
}

#[test]
fn a_warning_is_no_longer_than_api_servers_pass_on() {
    let name = "é".repeat(300);
    let pod = json!({ "spec": { "containers": [
        { "name": name, "env": [{ "name": "OPENAI_BASE_URL", "value": "x" }] },
    ] } });
    let (response, _) = answered(&review(&pod));
    assert!(response["warnings"][0].as_str().unwrap().len() <= 256);
}

#[test]
fn other_objects_and_operations_are_let_pass() {
    for (path, value) in [
        ("/request/operation", json!("UPDATE")),
        ("/request/kind/kind", json!("Deployment")),
        ("/request/kind/group", json!("example.com")),
        ("/request/subResource", json!("ephemeralcontainers")),
    ] {
        let mut review = review(&pod());
        let (above, last) = path.rsplit_once('/').unwrap();
        review.pointer_mut(above).unwrap()[last] = value;
        let (response, outcome) = answered(&review);
        assert!(matches!(outcome, Outcome::Left(_)), "{path}");
        assert_eq!(response["allowed"], true, "{path}");
    }
}

#[test]
fn what_is_made_to_take_memory_is_refused() {
    let many = |count| Value::Array(vec![json!({}); count]);
    let long = "a,b".repeat(10_000);
    for (pod, said) in [
        (
            with("/spec/tolerations", many(30_000)),
            "has too many values",
        ),
        (
            with("/spec/containers", many(257)),
            "spec: has more than 256 containers",
        ),
        (annotated("containers", &long), "is longer than 16384 bytes"),
        (
            annotated(&long, "x"),
            "metadata.annotations[pillion.dev/a,b",
        ),
    ] {
        let (response, outcome) = answered(&review(&pod));
        assert!(matches!(outcome, Outcome::Refused(_)));
        assert_eq!(response["allowed"], false);
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.len() < 4200, "{}", message.len());
        assert!(message.contains(said), "{message}");
    }
    let mut old = review(&pod());
    old["request"]["oldObject"] = many(30_000);
    assert_eq!(answered(&old).1, Outcome::Injected);
}

#[test]
fn what_is_no_review_is_told() {
    let mut old = review(&pod());
    old["apiVersion"] = "admission.k8s.io/v1beta1".into();
    let mut nameless = review(&pod());
    nameless["request"]["uid"] = "".into();
    let none = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview" });
    for (body, said) in [
        ("{", "no AdmissionReview"),
        ("[]", "no AdmissionReview"),
        (&old.to_string(), "v1beta1, and not"),
        (&nameless.to_string(), "no uid"),
        (&none.to_string(), "no request"),
    ] {
        let why = answer(body.as_bytes(), &settings(), &token()).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
}
