//! The decision about one pod.

use std::fmt;

use serde_json::Value;

use super::application::{Token, containers, mark};
use super::asked::{self, Asked, is_opted_out};
use super::names::{ADMIN_PORT_NAME, CA, CACHE, CONFIG, CONTAINER, DONE, INJECTED, STATUS, TOKEN};
use super::patch::{Draft, Patch};
use super::settings::Settings;
use super::{PodToken, Pointer, Problem, each, sidecar};

/// Many times what a node runs. What is added to a container is many times what an empty one is written in.
const MOST_CONTAINERS: usize = 256;

/// What becomes of a pod.
#[derive(Debug)]
pub enum Decision {
    Inject {
        patch: Patch,
        /// For who made the pod.
        warnings: Vec<String>,
        /// Whether the application's token is in the pod as it is.
        token_in_pod: bool,
    },
    Leave(Leave),
}

/// Why a pod stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    OptedOut,
    /// It has been seen to.
    Injected,
    /// It has a container of our name.
    HasContainer,
    /// Its ports are its node's: the sidecar's would be everybody's there.
    HostNetwork,
    Windows,
    /// It mirrors a static pod, which only the kubelet changes.
    Mirror,
}

impl Leave {
    /// Whether who made the pod should hear of it.
    pub fn is_surprising(self) -> bool {
        match self {
            Self::HasContainer | Self::HostNetwork | Self::Windows => true,
            Self::OptedOut | Self::Injected | Self::Mirror => false,
        }
    }
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OptedOut => "it does not want a sidecar (pillion.dev/inject: \"false\")",
            Self::Injected => "it has been seen to (pillion.dev/status)",
            Self::HasContainer => "it has a container named `pillion`",
            Self::HostNetwork => {
                "it is on its node's network (hostNetwork), where others would reach the sidecar"
            }
            Self::Windows => "it is for Windows",
            Self::Mirror => "it mirrors a static pod",
        })
    }
}

/// What becomes of `pod`, which may also be a template. `token` is one that no other pod has; it is used
/// where no secret is named.
///
/// # Errors
/// Everything that is wrong with what the pod asks for; at least one.
pub fn inject(
    pod: &Value,
    settings: &Settings,
    token: &PodToken,
) -> Result<Decision, Vec<Problem>> {
    let spec = Pointer::root().key("spec");
    let Some(Value::Object(_)) = spec.of(pod) else {
        return Err(vec![Problem::new(spec, "is missing or no object")]);
    };
    if let Some(leave) = left(pod) {
        return Ok(Decision::Leave(leave));
    }
    let malformed = malformed(pod);
    if !malformed.is_empty() {
        return Err(malformed);
    }
    let asked = asked::read(pod, settings)?;
    let told = containers(pod, &asked)?;
    let conflicts = conflicts(pod, &asked);
    if !conflicts.is_empty() {
        return Err(conflicts);
    }

    let profile = &asked.profile;
    let in_pod = profile.token_secret.is_none().then_some(token);
    let application = profile.token_secret.as_ref();
    let application = application.map_or(Token::Text(&token.token), Token::Secret);
    let mut draft = Draft::of(pod);
    let mut warnings = Vec::new();
    let metadata = Pointer::root().key("metadata");
    if metadata.of(pod).is_none() {
        draft.add_members(&metadata, serde_json::Map::new());
    }
    draft.add_members(&metadata.key("labels"), mark(INJECTED, "true"));
    draft.add_members(&metadata.key("annotations"), mark(STATUS, DONE));
    for container in told {
        container.tell(pod, &profile.sdks, &application, &mut draft, &mut warnings);
    }
    draft.append(&spec.key("volumes"), sidecar::volumes(profile));
    let grace = spec.key("terminationGracePeriodSeconds");
    let grace = grace.of(pod).and_then(Value::as_u64);
    let container = sidecar::container(&asked, grace, in_pod);
    // The last changes, since they move what is behind them.
    if asked.native {
        draft.prepend(&spec.key("initContainers"), container);
    } else {
        draft.append(&spec.key("containers"), vec![container]);
    }
    Ok(Decision::Inject {
        patch: draft.finish(),
        warnings,
        token_in_pod: in_pod.is_some() && !profile.sdks.is_empty(),
    })
}

fn left(pod: &Value) -> Option<Leave> {
    let text = |path: &[&str]| Pointer::root().keys(path).of(pod).and_then(Value::as_str);
    if text(&["metadata", "annotations", STATUS]) == Some(DONE) {
        return Some(Leave::Injected);
    }
    if is_opted_out(pod) {
        return Some(Leave::OptedOut);
    }
    if text(&["metadata", "annotations", "kubernetes.io/config.mirror"]).is_some() {
        return Some(Leave::Mirror);
    }
    if each(pod, "containers")
        .chain(each(pod, "initContainers"))
        .any(|(_, it)| it["name"] == CONTAINER)
    {
        return Some(Leave::HasContainer);
    }
    if pod["spec"]["hostNetwork"] == true {
        return Some(Leave::HostNetwork);
    }
    let system: [&[&str]; 3] = [
        &["spec", "os", "name"],
        &["spec", "nodeSelector", "kubernetes.io/os"],
        &["spec", "nodeSelector", "beta.kubernetes.io/os"],
    ];
    let is_windows = system.iter().any(|path| text(path) == Some("windows"));
    is_windows.then_some(Leave::Windows)
}

/// Where something has another shape than what is to be added there.
fn malformed(pod: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut expect = |at: Pointer, is_right: fn(&Value) -> bool, what: &str| {
        if at.of(pod).is_some_and(|value| !is_right(value)) {
            problems.push(Problem::new(at, format!("is not {what}")));
        }
    };
    let metadata = Pointer::root().key("metadata");
    expect(metadata.clone(), Value::is_object, "an object");
    for entries in ["labels", "annotations"] {
        expect(metadata.key(entries), Value::is_object, "an object");
    }
    let spec = Pointer::root().key("spec");
    for list in ["containers", "initContainers", "volumes"] {
        expect(spec.key(list), Value::is_array, "a list");
    }
    let containers = || each(pod, "containers").chain(each(pod, "initContainers"));
    for (at, _) in containers() {
        expect(at.key("env"), Value::is_array, "a list");
    }
    // An item that is empty (`-`) is nothing to add to, other than a member.
    if containers().nth(MOST_CONTAINERS).is_some() {
        let message = format!("has more than {MOST_CONTAINERS} containers");
        problems.push(Problem::new(spec, message));
    }
    let items = containers().chain(each(pod, "volumes"));
    let odd = items.filter(|(_, item)| !item.is_object());
    problems.extend(odd.map(|(at, _)| Problem::new(at, "is not an object")));
    problems
}

/// The containers that run while the sidecar does: not the init containers that have ended before a classic one
/// starts.
fn beside(pod: &Value, native: bool) -> impl Iterator<Item = (Pointer, &Value)> {
    let init = each(pod, "initContainers");
    let init = init.filter(move |(_, it)| native || it["restartPolicy"] == "Always");
    each(pod, "containers").chain(init)
}

/// What of the pod stands in the sidecar's way.
fn conflicts(pod: &Value, asked: &Asked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, volume) in each(pod, "volumes") {
        let ours = [CACHE, TOKEN, CONFIG, CA];
        if ours.iter().any(|ours| volume["name"] == ours.volume) {
            problems.push(Problem::new(
                at.key("name"),
                "is the name of a volume of the sidecar's",
            ));
        }
    }
    for (at, container) in beside(pod, asked.native) {
        let ports = container["ports"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        for (nth, port) in ports.iter().enumerate() {
            let at = at.key("ports").index(nth);
            if port["containerPort"] == 4100 || port["containerPort"] == 4101 {
                problems.push(Problem::new(
                    at,
                    "is a port of the sidecar's, which are 4100 and 4101",
                ));
            } else if port["name"] == ADMIN_PORT_NAME {
                problems.push(Problem::new(
                    at.key("name"),
                    "is the name of a port of the sidecar's",
                ));
            }
        }
    }
    let ends = pod["spec"]["restartPolicy"]
        .as_str()
        .is_some_and(|policy| policy != "Always");
    if ends && !asked.native {
        let message = "lets the pod end, and a classic sidecar would keep it from that";
        let problem = Problem::new(Pointer::root().keys(&["spec", "restartPolicy"]), message);
        problems.push(problem.hinting("a native sidecar (Kubernetes 1.29) ends with the application; without a sidecar: the label pillion.dev/inject: \"false\""));
    }
    problems
}
