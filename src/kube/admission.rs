//! What the API server asks and is told: `AdmissionReview` v1, in and out.
//! <https://kubernetes.io/docs/reference/config-api/apiserver-admission.v1/> (read 2026-11)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::inject::{Decision, inject};
use super::settings::Settings;
use super::{PodToken, Problem};

/// The largest review that is read: an object has 3 MiB at most, and comes with its surroundings.
pub(super) const MOST: usize = 8 << 20;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The most of a warning that API servers pass on, in bytes.
const LONGEST_WARNING: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    api_version: String,
    kind: String,
    request: Option<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    uid: String,
    kind: Kind,
    #[serde(default)]
    sub_resource: String,
    operation: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    object: Value,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    group: String,
    kind: String,
}

/// What is told, and what of it is worth a line of the log.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) review: Value,
    pub(super) namespace: String,
    /// By its name, or by how it will begin.
    pub(super) pod: String,
    pub(super) outcome: Outcome,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Injected,
    Left(String),
    Refused(String),
}

/// # Errors
/// It is no review, for who sent it.
pub(super) fn answer(body: &[u8], settings: &Settings, token: &PodToken) -> Result<Answer, String> {
    let review: Review =
        serde_json::from_slice(body).map_err(|error| format!("the body is no {KIND}: {error}"))?;
    if review.kind != KIND || review.api_version != API_VERSION {
        let (version, kind) = (review.api_version, review.kind);
        return Err(format!(
            "the body is {kind} of {version}, and not {KIND} of {API_VERSION}"
        ));
    }
    let request = review.request.ok_or("the review has no request")?;
    if request.uid.is_empty() {
        return Err("the request has no uid".to_owned());
    }
    let metadata = &request.object["metadata"];
    let name = ["name", "generateName"];
    let name = name
        .iter()
        .find_map(|name| metadata[*name].as_str().filter(|it| !it.is_empty()));
    let pod = name.unwrap_or_default().to_owned();
    let mut response = json!({ "uid": request.uid, "allowed": true });
    let outcome = match other_than_a_new_pod(&request) {
        Some(what) => {
            let why = format!("it is {what}, and only new pods are seen to");
            response["warnings"] = json!([warning(&format!("pillion: {why}"))]);
            Outcome::Left(why)
        }
        None => decide(&request.object, settings, token, &mut response),
    };
    Ok(Answer {
        review: json!({ "apiVersion": API_VERSION, "kind": KIND, "response": response }),
        namespace: request.namespace,
        pod,
        outcome,
    })
}

fn other_than_a_new_pod(request: &Request) -> Option<String> {
    let Kind { group, kind } = &request.kind;
    if kind != "Pod" || !group.is_empty() || !request.sub_resource.is_empty() {
        let part = if request.sub_resource.is_empty() {
            ""
        } else {
            "/"
        };
        return Some(format!("a {kind}{part}{}", request.sub_resource));
    }
    (request.operation != "CREATE").then(|| format!("the {} of a pod", request.operation))
}

fn decide(pod: &Value, settings: &Settings, token: &PodToken, response: &mut Value) -> Outcome {
    match inject(pod, settings, token) {
        Ok(Decision::Inject {
            patch, warnings, ..
        }) => {
            let patch = patch.to_json().to_string();
            response["patchType"] = "JSONPatch".into();
            response["patch"] = STANDARD.encode(patch).into();
            let warnings = warnings.iter().map(|it| warning(&format!("pillion: {it}")));
            let warnings: Vec<_> = warnings.collect();
            if !warnings.is_empty() {
                response["warnings"] = warnings.into();
            }
            Outcome::Injected
        }
        Ok(Decision::Leave(why)) => {
            if why.is_surprising() {
                let text = format!("pillion: this pod gets no sidecar: {why}");
                response["warnings"] = json!([warning(&text)]);
            }
            Outcome::Left(why.to_string())
        }
        Err(problems) => {
            let said: Vec<_> = problems.iter().map(Problem::to_string).collect();
            let said = said.join("; ");
            response["allowed"] = false.into();
            response["status"] = json!({
                "code": 422,
                "reason": "Invalid",
                "message": format!("pillion cannot be injected: {said}"),
            });
            Outcome::Refused(said)
        }
    }
}

fn warning(text: &str) -> String {
    let mut end = text.len().min(LONGEST_WARNING);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
