//! Labels and annotations.

use super::*;

fn sidecar(pod: &Value) -> Value {
    pod["spec"]["initContainers"][0].clone()
}

#[test]
fn annotations_tune_the_sidecar() {
    let said = sidecar(&injected(&annotated("image", "here/pillion:2")));
    assert_eq!(said["image"], "here/pillion:2");
    let said = sidecar(&injected(&annotated("cpu-request", "50m")));
    assert_eq!(said["resources"]["requests"]["cpu"], "50m");
    let said = sidecar(&injected(&annotated("memory-limit", "16Mi")));
    assert_eq!(said["resources"]["limits"]["memory"], "16Mi");
    assert_eq!(
        said["resources"]["requests"]["memory"], "16Mi",
        "a request is within its limit"
    );
    let said = injected(&annotated("native-sidecar", "false"));
    assert_eq!(said["spec"]["containers"][1]["name"], "pillion");

    let said = injected(&annotated("config", "chat-config"));
    let args = json!([
        "run",
        "--native",
        "--config",
        "/etc/pillion/config/pillion.yaml"
    ]);
    assert_eq!(sidecar(&said)["args"], args);
    let volumes = said["spec"]["volumes"].as_array().unwrap();
    assert!(
        volumes
            .iter()
            .any(|it| it["configMap"]["name"] == "chat-config")
    );
    let said = env(&sidecar(&injected(&annotated(
        "config",
        "etcd://etcd:2379/prod",
    ))));
    assert_eq!(said["PILLION_SOURCE__URL"], "etcd://etcd:2379/prod");
    assert!(!said.contains_key("PILLION_SOURCE__AUTH__TOKEN_FILE"));
}

#[test]
fn a_profile_is_chosen_by_its_name() {
    let mut settings = settings();
    let batch = Profile {
        image: "batch:1".to_owned(),
        ..settings.usual.clone()
    };
    settings.profiles.insert("batch".to_owned(), batch);
    let (said, _) = injected_with(&annotated("profile", "batch"), &settings);
    assert_eq!(sidecar(&said)["image"], "batch:1");
    let said = refused_with(&annotated("profile", "bach"), &settings);
    assert!(
        said.contains("no profile `bach`: did you mean `batch`?"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_is_refused_with_what_was_meant() {
    for (name, value, said) in [
        (
            "imgae",
            "x",
            "metadata.annotations[pillion.dev/imgae]: is not an annotation of ours; did you mean `pillion.dev/image`?",
        ),
        (
            "inject",
            "false",
            "is not an annotation of ours; it is a label",
        ),
        ("status", "", "`` is not `injected`"),
        (
            "status",
            "pending",
            "metadata.annotations[pillion.dev/status]: `pending` is not `injected`, which the injector sets; take it out",
        ),
        (
            "cpu-request",
            "fast",
            "metadata.annotations[pillion.dev/cpu-request]: `fast` is not an amount",
        ),
        ("memory-limit", "0", "`0` is not an amount"),
        ("memory-limit", "128m", "`128m` of memory is too little"),
        ("image", "a b", "has white space or a control"),
        (
            "env-sdks",
            "openai,gemini",
            "`gemini` is neither `openai` nor `anthropic`",
        ),
        ("env-sdks", "", "[pillion.dev/env-sdks]: is empty"),
        ("containers", " , ", "[pillion.dev/containers]: is empty"),
        (
            "native-sidecar",
            "yes",
            "`yes` is none of `auto`, `true`, `false`",
        ),
        ("token-secret", "a/b/c", "`a/b/c` is not `NAME/KEY`"),
        ("config", "A", "`A` is not `NAME/KEY`"),
        (
            "config",
            "cm/prod.conf",
            "`prod.conf` has none of the extensions .yaml,",
        ),
        (
            "config",
            "redis://:canary@r/0/k",
            "names a user or holds a password",
        ),
        (
            "containers",
            "ap",
            "the pod has no container `ap`; did you mean `app`?",
        ),
    ] {
        let told = refused(&annotated(name, value));
        assert!(told.contains(said), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
    let label = with(
        "/metadata/labels",
        json!({ "pillion.dev/inject": "yes", "pillion.dev/image": "x" }),
    );
    let told = refused(&label);
    assert!(
        told.contains("`yes` is neither `true` nor `false`"),
        "{told}"
    );
    assert!(
        told.contains("is not a label of ours; it is an annotation"),
        "{told}"
    );
    let number = with(
        "/metadata/annotations",
        json!({ "pillion.dev/memory-limit": 128 }),
    );
    assert!(refused(&number).contains("is not text; put it into quotes"));
}

#[test]
fn a_sidecar_without_a_configuration_is_refused() {
    let nothing = Settings {
        usual: Profile::usual(),
        ..settings()
    };
    let told = refused_with(&pod(), &nothing);
    assert!(told.contains("[pillion.dev/config]: is missing"), "{told}");
    injected_with(&annotated("config", "chat"), &nothing);
}

#[test]
fn a_native_sidecar_is_refused_where_the_pod_would_hang() {
    let told = refused_with(&annotated("native-sidecar", "true"), &classic());
    assert!(
        told.contains("needs Kubernetes 1.29, and this is 1.28"),
        "{told}"
    );
}

#[test]
fn who_it_is_follows_from_labels_and_annotations() {
    let facts = |pod: &Value| {
        let env = env(&sidecar(&injected(pod)));
        ["TEAM", "SERVICE", "ENVIRONMENT"].map(|fact| {
            let value = env.get(&format!("PILLION_IDENTITY__{fact}"));
            value.and_then(Value::as_str).unwrap_or("-").to_owned()
        })
    };
    assert_eq!(facts(&pod()), ["-", "chat", "prod"]);
    let labels = json!({
        "app": "other", "pillion.dev/team": "support", "pillion.dev/environment": "staging",
    });
    assert_eq!(
        facts(&with("/metadata/labels", labels)),
        ["support", "other", "staging"]
    );
    let mut both = with(
        "/metadata/labels",
        json!({ "app": "x", "pillion.dev/service": "y" }),
    );
    assert_eq!(facts(&both), ["-", "y", "prod"]);
    both["metadata"]["annotations"] = json!({ "pillion.dev/service": "a$b" });
    assert_eq!(facts(&both), ["-", "a$$$$b", "prod"]);
    assert_eq!(
        facts(&with("/metadata/labels", json!({}))),
        ["-", "-", "prod"]
    );
}
