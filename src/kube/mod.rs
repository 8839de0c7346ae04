//! Injection: what a pod must get so that Pillion rides with it.
//!
//! [`inject()`] decides: a pod as JSON and an injector's [`Settings`] → a [`Patch`] by RFC 6902, or why the
//! pod is left as it is. The admission webhook ([`respond`]) and the offline command ([`manifest`]) ask
//! the same function and differ in where the pod comes from. Pure but for the reading of a request. Never
//! here: a client of the API server, a file, chance (a pod's token is an argument).
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>,
//! <https://kubernetes.io/docs/reference/config-api/apiserver-admission.v1/> (read 2026-11)

mod admission;
mod application;
mod asked;
mod inject;
mod json;
pub mod manifest;
pub mod names;
mod patch;
mod quantity;
mod settings;
mod sidecar;
#[cfg(test)]
mod tests;
mod webhook;
mod workload;

use std::fmt;

use serde_json::Value;

pub use application::{ANTHROPIC, EXEMPT, OPENAI, PROXIES, Variables, with_loopback};
pub use inject::{Decision, Leave, inject};
pub use patch::{Operation, Patch, Pointer};
pub use quantity::Quantity;
pub use settings::{
    Entry, KubernetesVersion, Native, Profile, Resources, Sdk, Settings, Usual, Variable, source,
    text,
};
pub use sidecar::FIXED;
pub use webhook::{Mint, Room, respond};
pub use workload::{Found, Pods, pods};

/// The token of one pod, and its hash.
#[derive(Clone)]
pub struct PodToken {
    /// For the application.
    pub token: String,
    /// SHA-256 in hexadecimal digits, for the sidecar.
    pub hash: String,
}

/// One thing that is wrong with a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, from the pod on.
    pub at: Pointer,
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    fn new(at: Pointer, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            hint: None,
        }
    }

    fn hinting(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// With the name that was probably meant, where there is one.
    fn meaning(self, near: Option<&str>) -> Self {
        match near {
            Some(near) => self.hinting(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Without its place.
    fn said(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.said())
    }
}

/// The items of a list of the pod's `spec`.
fn each<'a>(pod: &'a Value, list: &str) -> impl Iterator<Item = (Pointer, &'a Value)> + use<'a> {
    let at = Pointer::root().keys(&["spec", list]);
    let items = at.of(pod).and_then(Value::as_array);
    let items = items.map(Vec::as_slice).unwrap_or_default();
    let items = items.iter().enumerate();
    items.map(move |(nth, item)| (at.index(nth), item))
}
