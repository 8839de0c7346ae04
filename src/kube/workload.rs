//! Where the pods of an object are.

use serde_json::Value;

use super::Pointer;

/// Lists within lists: what kubectl writes has one.
const DEEPEST: usize = 8;

/// A pod, or the template of one, within an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub pod: Pointer,
    /// The workload, which is the pod itself where there is no other.
    pub owner: Pointer,
}

/// All of an object, which may be a list of others.
pub fn pods(object: &Value) -> Vec<Found> {
    let mut found = Vec::new();
    collect(object, &Pointer::root(), 0, &mut found);
    found
}

fn collect(object: &Value, owner: &Pointer, depth: usize, found: &mut Vec<Found>) {
    let kind = object["kind"].as_str().unwrap_or_default();
    if let Some(path) = template(kind) {
        found.push(Found {
            pod: owner.keys(path),
            owner: owner.clone(),
        });
        return;
    }
    let items = object["items"].as_array().map(Vec::as_slice);
    if kind == "List" && depth < DEEPEST {
        for (nth, item) in items.unwrap_or_default().iter().enumerate() {
            collect(item, &owner.key("items").index(nth), depth + 1, found);
        }
    }
}

/// Where objects of a kind have their pod's template.
fn template(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Pod" => &[],
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job" => &["spec", "template"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template"],
        "PodTemplate" => &["template"],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_are_where_their_kind_has_them() {
        for (kind, at) in [
            ("Pod", Some("")),
            ("Deployment", Some("/spec/template")),
            ("CronJob", Some("/spec/jobTemplate/spec/template")),
            ("ConfigMap", None),
            ("List", None),
        ] {
            let found = pods(&json!({ "kind": kind }));
            let found: Vec<_> = found.iter().map(|it| it.pod.as_str()).collect();
            assert_eq!(found, at.into_iter().collect::<Vec<_>>(), "{kind}");
        }
        let list = json!({ "kind": "List", "items": [
            { "kind": "Service" }, { "kind": "List", "items": [{ "kind": "Job" }] },
        ] });
        let found = pods(&list);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].pod.as_str(), "/items/1/items/0/spec/template");
        assert_eq!(found[0].owner.as_str(), "/items/1/items/0");
    }
}
