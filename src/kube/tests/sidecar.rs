//! The container and its volumes, whole.

use super::*;

#[test]
fn the_sidecar_is_this() {
    let pod = injected(&pod());
    let sidecar = &pod["spec"]["initContainers"][0];
    let field = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } });
    let probe = |path: &str, every: u32, timeout: u32, failures: u32| {
        json!({
            "httpGet": { "path": path, "port": 4101, "scheme": "HTTP" },
            "periodSeconds": every, "timeoutSeconds": timeout, "failureThreshold": failures,
        })
    };
    let expected = json!({
        "name": "pillion",
        "image": concat!("pillion:", env!("CARGO_PKG_VERSION")),
        "args": ["run", "--native"],
        "ports": [{ "name": "pillion-admin", "containerPort": 4101, "protocol": "TCP" }],
        "env": [
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("POD_UID", "metadata.uid"),
            field("POD_IP", "status.podIP"),
            field("NODE_NAME", "spec.nodeName"),
            field("POD_SERVICE_ACCOUNT", "spec.serviceAccountName"),
            { "name": "PILLION_ADMIN", "value": "[::]:4101" },
            { "name": "PILLION_CACHE_DIR", "value": "/var/lib/pillion" },
            { "name": "PILLION_IDENTITY__ENVIRONMENT", "value": "prod" },
            { "name": "PILLION_IDENTITY__INSTANCE", "value": "$POD_NAME" },
            { "name": "PILLION_IDENTITY__SERVICE", "value": "chat" },
            { "name": "PILLION_LISTEN", "value": "127.0.0.1:4100" },
            { "name": "PILLION_POD_KEY", "value": format!("sha256:{}", token().hash) },
            { "name": "PILLION_SOURCE__AUTH__TOKEN_FILE", "value": "/var/run/secrets/pillion.dev/token" },
            { "name": "PILLION_SOURCE__URL", "value": "https://config.internal/pillion/prod.yaml" },
        ],
        "resources": {
            "requests": { "cpu": "10m", "memory": "24Mi" },
            "limits": { "memory": "128Mi" },
        },
        "volumeMounts": [
            { "name": "pillion-cache", "mountPath": "/var/lib/pillion" },
            { "name": "pillion-token", "mountPath": "/var/run/secrets/pillion.dev", "readOnly": true },
        ],
        "startupProbe": probe("/readyz", 1, 1, 600),
        "readinessProbe": probe("/readyz", 5, 2, 3),
        "livenessProbe": probe("/livez", 10, 5, 6),
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
            "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "restartPolicy": "Always",
    });
    assert_eq!(sidecar, &expected);
    let volumes = json!([
        { "name": "pillion-cache", "emptyDir": {} },
        { "name": "pillion-token", "projected": { "sources": [{ "serviceAccountToken": {
            "audience": "pillion", "expirationSeconds": 3600, "path": "token",
        } }] } },
    ]);
    assert_eq!(pod["spec"]["volumes"], volumes);
}

#[test]
fn settings_add_to_it() {
    let entry = |name: &str, key: &str| Entry {
        name: name.to_owned(),
        key: key.to_owned(),
    };
    let mut settings = settings();
    let usual = &mut settings.usual;
    usual.pull_policy = Some("Never".to_owned());
    usual.ca = Some(entry("authorities", "ca.pem"));
    usual.audience = "vault".to_owned();
    usual.resources.cpu_limit = Some(Quantity::try_new("5m").unwrap());
    let variables = [
        (
            "PILLION_SHARED_STATE",
            Variable::Secret(entry("redis", "url")),
        ),
        ("PILLION_CACHE_DIR", Variable::Text("/elsewhere".to_owned())),
        (
            "PILLION_SOURCE__AUTH__CERT",
            Variable::Text("/cert".to_owned()),
        ),
    ];
    usual.env = variables
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    let (pod, _) = injected_with(&pod(), &settings);
    let sidecar = &pod["spec"]["initContainers"][0];
    assert_eq!(sidecar["imagePullPolicy"], "Never");
    assert_eq!(
        sidecar["resources"]["requests"]["cpu"], "5m",
        "a request is within its limit"
    );
    let told = env(sidecar);
    assert_eq!(told["PILLION_SOURCE__CA"], "/etc/pillion/ca/ca.pem");
    assert_eq!(told["PILLION_SHARED_STATE"]["secretKeyRef"]["key"], "url");
    assert_eq!(told["PILLION_CACHE_DIR"], "/elsewhere");
    assert!(!told.contains_key("PILLION_SOURCE__AUTH__TOKEN_FILE"));
    let names = sidecar["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"]);
    assert_eq!(names.filter(|name| *name == "PILLION_CACHE_DIR").count(), 1);
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let items = json!([{ "key": "ca.pem", "path": "ca.pem" }]);
    assert_eq!(
        volumes[2]["configMap"],
        json!({ "name": "authorities", "items": items })
    );
}

#[test]
fn a_classic_sidecar_drains_within_the_pods_time_and_accepts_for_a_while() {
    for (grace, drain, lame_duck) in [
        (None, "25s", "12s"),
        (Some(30), "25s", "12s"),
        (Some(300), "295s", "15s"),
        (Some(5), "1s", "0s"),
        (Some(0), "1s", "0s"),
    ] {
        let pod = grace.map_or_else(pod, |grace| {
            with("/spec/terminationGracePeriodSeconds", grace.into())
        });
        let (pod, _) = injected_with(&pod, &classic());
        let told = env(&pod["spec"]["containers"][1]);
        assert_eq!(told["PILLION_DRAIN"], drain, "{grace:?}");
        assert_eq!(told["PILLION_LAME_DUCK"], lame_duck, "{grace:?}");
    }
    let native = injected(&pod());
    assert!(!env(&native["spec"]["initContainers"][0]).contains_key("PILLION_DRAIN"));
}
