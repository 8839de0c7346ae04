//! What the API server asks and is told: `AdmissionReview` v1, in and out.
//! <https://kubernetes.io/docs/reference/config-api/apiserver-admission.v1/> (read 2026-11)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::inject::{Decision, inject};
use super::json::Tree;
use super::settings::Settings;
use super::{PodToken, Problem};

/// The largest review that is read, in bytes: an API server takes requests of 3 MiB, and keeps objects of half
/// of that.
pub(super) const MOST: usize = 3 << 20;

/// The values in a pod; one with ten containers that have a hundred variables each has 7000, with what the API
/// server notes of them.
const VALUES: usize = 30_000;

/// The most of a refusal, in bytes.
const LONGEST_REFUSAL: usize = 4096;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The most of a warning that API servers pass on, in bytes.
const LONGEST_WARNING: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: String,
    kind: String,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    uid: String,
    kind: Kind,
    #[serde(default)]
    sub_resource: String,
    operation: String,
    #[serde(default)]
    namespace: String,
    /// Read only where it is to be decided about; others are not, such as `oldObject`.
    #[serde(borrow)]
    object: Option<&'a RawValue>,
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
    let review: Review<'_> =
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
    let mut response = json!({ "uid": request.uid, "allowed": true });
    let mut pod = String::new();
    let outcome = match other_than_a_new_pod(&request) {
        Some(what) => {
            let why = format!("it is {what}, and only new pods are seen to");
            response["warnings"] = json!([cut(&format!("pillion: {why}"), LONGEST_WARNING)]);
            Outcome::Left(why)
        }
        None => match object(request.object) {
            Ok(object) => {
                pod = name(&object);
                decide(&object, settings, token, &mut response)
            }
            Err(why) => refuse(&why, &mut response),
        },
    };
    Ok(Answer {
        review: json!({ "apiVersion": API_VERSION, "kind": KIND, "response": response }),
        namespace: request.namespace,
        pod,
        outcome,
    })
}

fn object(raw: Option<&RawValue>) -> Result<Value, String> {
    let text = raw.map_or("null", RawValue::get);
    let read = serde_json::from_str::<Tree<VALUES>>(text);
    read.map(|Tree(object)| object)
        .map_err(|error| format!("the pod cannot be read: {error}"))
}

/// By its name, or by how it will begin.
fn name(pod: &Value) -> String {
    let names = ["name", "generateName"].map(|name| pod["metadata"][name].as_str());
    let name = names.into_iter().flatten().find(|name| !name.is_empty());
    name.unwrap_or_default().to_owned()
}

fn other_than_a_new_pod(request: &Request<'_>) -> Option<String> {
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
            let warnings = warnings.iter();
            let warnings = warnings.map(|it| cut(&format!("pillion: {it}"), LONGEST_WARNING));
            let warnings: Vec<_> = warnings.collect();
            if !warnings.is_empty() {
                response["warnings"] = warnings.into();
            }
            Outcome::Injected
        }
        Ok(Decision::Leave(why)) => {
            if why.is_surprising() {
                let text = format!("pillion: this pod gets no sidecar: {why}");
                response["warnings"] = json!([cut(&text, LONGEST_WARNING)]);
            }
            Outcome::Left(why.to_string())
        }
        Err(problems) => {
            let said: Vec<_> = problems.iter().map(Problem::to_string).collect();
            refuse(&said.join("; "), response)
        }
    }
}

fn refuse(why: &str, response: &mut Value) -> Outcome {
    let why = cut(why, LONGEST_REFUSAL);
    response["allowed"] = false.into();
    response["status"] = json!({
        "code": 422,
        "reason": "Invalid",
        "message": format!("pillion cannot be injected: {why}"),
    });
    Outcome::Refused(why)
}

/// No more of a text than so many bytes.
fn cut(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
