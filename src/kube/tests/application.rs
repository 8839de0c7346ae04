//! What the application's containers are told.

use super::*;

fn app_of(pod: &Value) -> Value {
    pod["spec"]["containers"][0].clone()
}

fn setting(variables: Value) -> Value {
    with("/spec/containers/0/env", variables)
}

#[test]
fn an_application_is_told_two_settings_for_each_sdk() {
    let told = env(&app_of(&injected(&pod())));
    let told: Vec<_> = told
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("ANTHROPIC_API_KEY", "pillion_secret"),
            ("ANTHROPIC_BASE_URL", "http://127.0.0.1:4100"),
            ("OPENAI_API_KEY", "pillion_secret"),
            ("OPENAI_BASE_URL", "http://127.0.0.1:4100/v1"),
        ]
    );
    let told = env(&app_of(&injected(&annotated("env-sdks", "openai"))));
    assert_eq!(told.len(), 2);
    assert!(
        app_of(&injected(&annotated("env-sdks", "none")))
            .get("env")
            .is_none()
    );
}

#[test]
fn the_sidecar_has_the_hash_and_never_the_token() {
    let pod = injected(&pod());
    let sidecar = &pod["spec"]["initContainers"][0];
    assert_eq!(
        env(sidecar)["PILLION_POD_KEY"],
        format!("sha256:{}", token().hash)
    );
    assert!(!sidecar.to_string().contains("pillion_secret"));
}

#[test]
fn a_token_in_a_secret_stays_there() {
    let pod = injected(&annotated("token-secret", "llm/key"));
    let told = env(&app_of(&pod));
    let from = json!({ "secretKeyRef": { "name": "llm", "key": "key" } });
    assert_eq!(told["OPENAI_API_KEY"], from);
    assert_eq!(told["ANTHROPIC_API_KEY"], from);
    assert!(!pod.to_string().contains("pillion_secret"));
    assert!(!env(&pod["spec"]["initContainers"][0]).contains_key("PILLION_POD_KEY"));
}

#[test]
fn what_a_container_sets_stays_and_is_told() {
    let (pod, warnings) = injected_with(
        &setting(json!([
            { "name": "OPENAI_BASE_URL", "value": "https://api.openai.com/v1" },
            { "name": "OPENAI_API_KEY", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } },
            { "name": "ANTHROPIC_AUTH_TOKEN", "value": "mine" },
        ])),
        &settings(),
    );
    let told = env(&app_of(&pod));
    assert_eq!(told["OPENAI_BASE_URL"], "https://api.openai.com/v1");
    assert_eq!(told["ANTHROPIC_BASE_URL"], "http://127.0.0.1:4100");
    assert_eq!(
        told.len(),
        4,
        "a key would put the container's own token in the shade"
    );
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].contains("container `app` sets OPENAI_BASE_URL itself"));
    // Most who come here have a provider's key there.
    assert!(warnings[1].contains("a provider's key is to be taken out here"));
}

#[test]
fn loopback_is_taken_out_of_a_proxy() {
    let proxy = json!({ "name": "HTTPS_PROXY", "value": "http://proxy:3128" });
    let exempt = |pod: &Value| {
        let told = env(&app_of(pod));
        ["NO_PROXY", "no_proxy"].map(|name| {
            let value = told.get(name).and_then(Value::as_str);
            value.unwrap_or("-").to_owned()
        })
    };
    let all = "127.0.0.1,localhost,::1";
    assert_eq!(exempt(&injected(&pod())), ["-", "-"]);
    assert_eq!(exempt(&injected(&setting(json!([proxy])))), [all, all]);
    let own = json!([{ "name": "no_proxy", "value": ".svc,localhost" }, proxy]);
    assert_eq!(
        exempt(&injected(&setting(own))),
        ["-", ".svc,localhost,127.0.0.1,::1"]
    );
    let alone = json!([{ "name": "NO_PROXY", "value": ".svc" }]);
    assert_eq!(exempt(&injected(&setting(alone))), [".svc", "-"]);
    let elsewhere = json!([proxy, { "name": "NO_PROXY", "valueFrom": { "configMapKeyRef": { "name": "n", "key": "k" } } }]);
    let (pod, warnings) = injected_with(&setting(elsewhere), &settings());
    assert_eq!(exempt(&pod), ["-", "-"]);
    assert!(
        warnings[0].contains("it must name 127.0.0.1"),
        "{warnings:?}"
    );
}

#[test]
fn containers_are_chosen_by_their_names() {
    let mut pod = annotated("containers", "other, migrate");
    pod["spec"]["initContainers"] = json!([{ "name": "migrate" }, { "name": "wait" }]);
    pod["spec"]["containers"] = json!([{ "name": "app" }, { "name": "other" }]);
    let told = injected(&pod);
    let spec = &told["spec"];
    let has = |container: &Value| container.get("env").is_some();
    assert!(!has(&spec["containers"][0]) && has(&spec["containers"][1]));
    assert!(has(&spec["initContainers"][1]) && !has(&spec["initContainers"][2]));
    let said = refused_with(&pod, &classic());
    assert!(said.contains("`migrate` is an init container"), "{said}");
}
