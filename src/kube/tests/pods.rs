//! Where what is added goes, and which pods are left.

use super::*;

#[test]
fn a_native_sidecar_is_the_first_of_the_init_containers_and_the_others_stay() {
    let migrate = json!({ "name": "migrate", "image": "chat:1" });
    for (before, after) in [
        (None, vec!["pillion"]),
        (Some(json!(null)), vec!["pillion"]),
        (Some(json!([])), vec!["pillion"]),
        (Some(json!([migrate])), vec!["pillion", "migrate"]),
    ] {
        let pod = before.map_or_else(pod, |list| with("/spec/initContainers", list));
        let pod = injected(&pod);
        let names = pod["spec"]["initContainers"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(names, after);
        let sidecar = &pod["spec"]["initContainers"][0];
        assert_eq!(sidecar["restartPolicy"], "Always");
        assert_eq!(sidecar["args"], json!(["run", "--native"]));
        assert_eq!(pod["spec"]["containers"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_classic_sidecar_is_the_last_of_the_containers() {
    let (pod, _) = injected_with(&pod(), &classic());
    let sidecar = &pod["spec"]["containers"][1];
    assert_eq!(sidecar["name"], "pillion");
    assert_eq!(sidecar["args"], json!(["run"]));
    assert!(sidecar.get("restartPolicy").is_none());
    assert!(pod["spec"].get("initContainers").is_none());
    assert!(pod["spec"].get("terminationGracePeriodSeconds").is_none());
}

#[test]
fn what_a_pod_has_stays() {
    let pod = json!({
        "metadata": {
            "generateName": "chat-",
            "labels": { "app": "chat", "team": "support" },
            "annotations": { "a/b~c": "kept", "pillion.dev/cpu-request": "20m" },
        },
        "spec": {
            "volumes": [{ "name": "data", "emptyDir": {} }],
            "initContainers": [
                { "name": "proxy", "restartPolicy": "Always", "image": "p" },
                { "name": "migrate", "env": [{ "name": "A", "value": "1" }] },
            ],
            "containers": [
                {
                    "name": "app",
                    "env": [{ "name": "A", "value": "1" }],
                    "envFrom": [{ "secretRef": { "name": "s" } }],
                    "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
                },
                { "name": "other", "env": null },
            ],
            "terminationGracePeriodSeconds": 120,
            "restartPolicy": "Always",
        },
    });
    for settings in [settings(), classic()] {
        let (after, warnings) = injected_with(&pod, &settings);
        assert_eq!(warnings, [""; 0]);
        assert_eq!(after["metadata"]["annotations"]["a/b~c"], "kept");
        assert_eq!(
            after["metadata"]["annotations"]["pillion.dev/status"],
            "injected"
        );
        assert_eq!(after["metadata"]["labels"]["pillion.dev/injected"], "true");
        assert_eq!(after["spec"]["volumes"][0]["name"], "data");
        assert_eq!(after["spec"]["containers"][0]["env"][0]["name"], "A");
        assert_eq!(
            after["spec"]["containers"][1]["env"][0]["name"],
            "OPENAI_BASE_URL"
        );
    }
}

#[test]
fn a_template_without_metadata_gets_some() {
    let pod = injected(&json!({ "spec": { "containers": [{ "name": "app" }] } }));
    assert_eq!(
        pod["metadata"]["annotations"]["pillion.dev/status"],
        "injected"
    );
    assert_eq!(
        pod["metadata"]["labels"],
        json!({ "pillion.dev/injected": "true" })
    );
}

#[test]
fn an_injected_pod_is_left_as_it_is() {
    for settings in [settings(), classic()] {
        let (once, _) = injected_with(&pod(), &settings);
        assert!(matches!(
            inject(&once, &settings, &token()),
            Ok(Decision::Leave(Leave::Injected))
        ));
    }
}

#[test]
fn some_pods_are_left() {
    for (path, value, why) in [
        (
            "/metadata/labels",
            json!({ "pillion.dev/inject": "false" }),
            Leave::OptedOut,
        ),
        ("/spec/hostNetwork", json!(true), Leave::HostNetwork),
        ("/spec/os", json!({ "name": "windows" }), Leave::Windows),
        (
            "/spec/nodeSelector",
            json!({ "kubernetes.io/os": "windows" }),
            Leave::Windows,
        ),
        (
            "/spec/containers/-",
            json!({ "name": "pillion" }),
            Leave::HasContainer,
        ),
        (
            "/spec/initContainers",
            json!([{ "name": "pillion" }]),
            Leave::HasContainer,
        ),
        (
            "/metadata/annotations",
            json!({ "kubernetes.io/config.mirror": "x" }),
            Leave::Mirror,
        ),
        (
            "/metadata/annotations",
            json!({ "pillion.dev/status": "injected" }),
            Leave::Injected,
        ),
    ] {
        let pod = with(path, value);
        assert_eq!(left(&pod), why, "{path}");
    }
    injected(&with("/spec/hostNetwork", json!(false)));
    injected(&with(
        "/spec/nodeSelector",
        json!({ "kubernetes.io/os": "linux" }),
    ));
}

#[test]
fn a_pod_that_ends_has_no_classic_sidecar() {
    for policy in ["Never", "OnFailure"] {
        let job = with("/spec/restartPolicy", policy.into());
        let said = refused_with(&job, &classic());
        assert!(
            said.starts_with("spec.restartPolicy: lets the pod end"),
            "{said}"
        );
        injected(&job);
    }
}

#[test]
fn what_is_in_the_way_is_told() {
    for (path, value, said) in [
        (
            "/spec/volumes",
            json!([{ "name": "pillion-cache" }]),
            "spec.volumes[0].name: is the name of a volume",
        ),
        (
            "/spec/containers/0/ports",
            json!([{ "containerPort": 4101 }]),
            "spec.containers[0].ports[0]: is a port",
        ),
        (
            "/spec/containers/0/ports",
            json!([{ "containerPort": 1, "name": "pillion-admin" }]),
            "ports[0].name: is the name",
        ),
        (
            "/spec/containers/0/env",
            json!({}),
            "spec.containers[0].env: is not a list",
        ),
        (
            "/spec/initContainers",
            json!("none"),
            "spec.initContainers: is not a list",
        ),
        (
            "/metadata/annotations",
            json!([]),
            "metadata.annotations: is not an object",
        ),
        ("/spec", json!(null), "spec: is missing"),
        (
            "/spec/containers/-",
            json!(null),
            "spec.containers[1]: is not an object",
        ),
        (
            "/spec/initContainers",
            json!([null]),
            "spec.initContainers[0]: is not an object",
        ),
    ] {
        let told = refused(&with(path, value));
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn a_port_is_in_the_way_of_what_runs_beside_it() {
    let ends = json!([{ "name": "first", "ports": [{ "containerPort": 4100 }] }]);
    let mut stays = ends.clone();
    stays[0]["restartPolicy"] = "Always".into();
    let [ends, stays] = [ends, stays].map(|init| with("/spec/initContainers", init));
    let said = "spec.initContainers[0].ports[0]: is a port of the sidecar's";
    for told in [
        refused(&ends),
        refused(&stays),
        refused_with(&stays, &classic()),
    ] {
        assert!(told.starts_with(said), "{told}");
    }
    injected_with(&ends, &classic());
}

/// Each place in a value, itself included.
fn places(value: &Value, at: &Pointer, all: &mut Vec<Pointer>) {
    all.push(at.clone());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                places(value, &at.key(name), all);
            }
        }
        Value::Array(items) => {
            for (nth, value) in items.iter().enumerate() {
                places(value, &at.index(nth), all);
            }
        }
        _ => {}
    }
}

#[test]
fn a_pod_of_any_shape_is_refused_or_its_patch_fits() {
    let proxy =
        json!([{ "name": "HTTP_PROXY", "value": "p" }, { "name": "NO_PROXY", "value": "a" }]);
    let ports = json!([{ "name": "http", "containerPort": 80 }]);
    let pod = json!({
        "metadata": { "labels": { "app": "a" }, "annotations": { "pillion.dev/containers": "app,first" } },
        "spec": {
            "containers": [{ "name": "app", "env": proxy, "ports": ports }],
            "initContainers": [{ "name": "first", "env": proxy }],
            "volumes": [{ "name": "data", "emptyDir": {} }],
            "os": { "name": "linux" },
        },
    });
    let mut all = Vec::new();
    places(&pod, &Pointer::root(), &mut all);
    for at in &all {
        for other in [
            json!(null),
            json!(1),
            json!("x"),
            json!([]),
            json!({}),
            json!([null]),
        ] {
            let mut pod = pod.clone();
            *pod.pointer_mut(at.as_str()).unwrap() = other;
            for settings in [settings(), classic()] {
                if let Ok(Decision::Inject { patch, .. }) = inject(&pod, &settings, &token()) {
                    assert!(patch.apply(&mut pod.clone()), "{pod}");
                }
            }
        }
    }
}
