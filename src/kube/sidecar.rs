//! The sidecar itself: its container and its volumes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::PodToken;
use super::asked::Asked;
use super::names::{
    ADMIN, ADMIN_PORT, ADMIN_PORT_NAME, CA, CACHE, CONFIG, CONTAINER, LISTEN, Mount, TOKEN,
    TOKEN_FILE,
};
use super::settings::{Entry, Profile, Resources, Variable};

/// The user of the image. A number, which the kubelet can tell from root.
const USER: u32 = 65532;
/// How long the pod's token is good; the kubelet renews it before.
const TOKEN_SECONDS: u32 = 3600;
/// So many seconds a start may take: a source that is away is waited for, and a restart would not bring it
/// back but only put off the next look.
const START_SECONDS: u32 = 600;

/// What a classic sidecar leaves of the pod's time to end, in seconds: to write down and to tell what was cut.
const LAST_SECONDS: u64 = 5;
/// How long a pod has to end that says nothing, in seconds.
const USUAL_GRACE: u64 = 30;
/// For so many seconds a classic sidecar goes on to accept. It is told to end together with the application,
/// which may still have requests of its own to finish, and does not learn when that has ended.
const LONGEST_LAME_DUCK: u64 = 15;

/// Variables that the application's settings or the probes depend on.
pub const FIXED: &[&str] = &["PILLION_LISTEN", "PILLION_ADMIN", "PILLION_POD_KEY"];

impl Profile {
    /// Whether a sidecar by this profile would have a configuration.
    pub(super) fn has_configuration(&self) -> bool {
        let named = ["PILLION_CONFIG", "PILLION_SOURCE__URL"];
        self.source.is_some()
            || self.config_map.is_some()
            || named.iter().any(|name| self.env.contains_key(*name))
    }

    /// The volumes that the sidecar mounts.
    fn mounts(&self) -> impl Iterator<Item = Mount> {
        let config = self.config_map.as_ref().map(|_| CONFIG);
        let ca = self.ca.as_ref().map(|_| CA);
        [CACHE, TOKEN].into_iter().chain(config).chain(ca)
    }
}

/// `grace` is how many seconds the pod has to end; `token` is of the pod alone, where it has one.
pub(super) fn container(asked: &Asked, grace: Option<u64>, token: Option<&PodToken>) -> Value {
    let profile = &asked.profile;
    let mut args = vec!["run".to_owned()];
    if asked.native {
        args.push("--native".to_owned());
    }
    if let Some(entry) = &profile.config_map {
        args.push("--config".to_owned());
        args.push(format!("{}/{}", CONFIG.path, entry.key));
    }
    let mut container = json!({
        "name": CONTAINER,
        "image": profile.image,
        "args": args,
        "ports": [{ "name": ADMIN_PORT_NAME, "containerPort": ADMIN_PORT, "protocol": "TCP" }],
        "env": env(asked, grace, token),
        "resources": resources(&profile.resources),
        "volumeMounts": profile.mounts().map(|mount| {
            let mut mounted = json!({ "name": mount.volume, "mountPath": mount.path });
            if mount.volume != CACHE.volume {
                mounted["readOnly"] = true.into();
            }
            mounted
        }).collect::<Value>(),
        "startupProbe": probe("/readyz", 1, 1, START_SECONDS),
        "readinessProbe": probe("/readyz", 5, 2, 3),
        "livenessProbe": probe("/livez", 10, 5, 6),
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    if let Some(policy) = &profile.pull_policy {
        container["imagePullPolicy"] = policy.as_str().into();
    }
    if asked.native {
        container["restartPolicy"] = "Always".into();
    }
    container
}

pub(super) fn volumes(profile: &Profile) -> Vec<Value> {
    let map = |mount: Mount, entry: &Entry| {
        let items = json!([{ "key": entry.key, "path": entry.key }]);
        json!({ "name": mount.volume, "configMap": { "name": entry.name, "items": items } })
    };
    let token = json!({ "serviceAccountToken": {
        "audience": profile.audience,
        "expirationSeconds": TOKEN_SECONDS,
        "path": "token",
    } });
    let mut volumes = vec![
        json!({ "name": CACHE.volume, "emptyDir": {} }),
        json!({ "name": TOKEN.volume, "projected": { "sources": [token] } }),
    ];
    volumes.extend(profile.config_map.iter().map(|entry| map(CONFIG, entry)));
    volumes.extend(profile.ca.iter().map(|entry| map(CA, entry)));
    volumes
}

fn env(asked: &Asked, grace: Option<u64>, token: Option<&PodToken>) -> Vec<Value> {
    let profile = &asked.profile;
    let field = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } });
    let mut all = vec![
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("POD_UID", "metadata.uid"),
        field("POD_IP", "status.podIP"),
        field("NODE_NAME", "spec.nodeName"),
        field("POD_SERVICE_ACCOUNT", "spec.serviceAccountName"),
    ];
    let mut ours: BTreeMap<&str, String> = BTreeMap::from([
        ("PILLION_LISTEN", LISTEN.to_owned()),
        ("PILLION_ADMIN", ADMIN.to_owned()),
        ("PILLION_CACHE_DIR", CACHE.path.to_owned()),
        ("PILLION_IDENTITY__INSTANCE", "$POD_NAME".to_owned()),
    ]);
    let facts = [
        ("PILLION_IDENTITY__TEAM", &asked.team),
        ("PILLION_IDENTITY__SERVICE", &asked.service),
        ("PILLION_IDENTITY__ENVIRONMENT", &asked.environment),
    ];
    for (name, fact) in facts {
        // A `$` is one also after the kubelet and the sidecar have expanded what they take for variables.
        ours.extend(fact.as_ref().map(|fact| (name, fact.replace('$', "$$$$"))));
    }
    if let Some(token) = token {
        ours.insert("PILLION_POD_KEY", format!("sha256:{}", token.hash));
    }
    if !asked.native {
        let grace = grace.unwrap_or(USUAL_GRACE);
        let drain = grace.saturating_sub(LAST_SECONDS).max(1);
        let lame_duck = LONGEST_LAME_DUCK.min(drain / 2);
        ours.insert("PILLION_DRAIN", format!("{drain}s"));
        ours.insert("PILLION_LAME_DUCK", format!("{lame_duck}s"));
    }
    if let Some(url) = &profile.source {
        ours.insert("PILLION_SOURCE__URL", url.clone());
        let says_who = |name: &String| name.starts_with("PILLION_SOURCE__AUTH__");
        if url.starts_with("https:") && !profile.env.keys().any(says_who) {
            ours.insert("PILLION_SOURCE__AUTH__TOKEN_FILE", TOKEN_FILE.to_owned());
        }
        if let Some(entry) = &profile.ca {
            ours.insert("PILLION_SOURCE__CA", format!("{}/{}", CA.path, entry.key));
        }
    }
    ours.retain(|name, _| !profile.env.contains_key(*name));
    let ours = ours.into_iter();
    all.extend(ours.map(|(name, value)| json!({ "name": name, "value": value })));
    all.extend(profile.env.iter().map(|(name, variable)| match variable {
        Variable::Text(value) => json!({ "name": name, "value": value }),
        Variable::Secret(entry) => from_secret(name, entry),
    }));
    all
}

pub(super) fn from_secret(name: &str, Entry { name: secret, key }: &Entry) -> Value {
    json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": secret, "key": key } } })
}

fn resources(resources: &Resources) -> Value {
    let Resources {
        cpu_request,
        cpu_limit,
        memory_request,
        memory_limit,
    } = resources;
    // A request above its limit would be refused by the API server.
    let mut amounts = json!({
        "requests": {
            "cpu": cpu_request.at_most(cpu_limit.as_ref()).to_string(),
            "memory": memory_request.at_most(Some(memory_limit)).to_string(),
        },
        "limits": { "memory": memory_limit.to_string() },
    });
    if let Some(limit) = cpu_limit {
        amounts["limits"]["cpu"] = limit.to_string().into();
    }
    amounts
}

fn probe(path: &str, every: u32, timeout: u32, failures: u32) -> Value {
    json!({
        "httpGet": { "path": path, "port": ADMIN_PORT, "scheme": "HTTP" },
        "periodSeconds": every,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    })
}
