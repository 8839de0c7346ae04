//! Where the pods of an object are: of Kubernetes' own kinds by their kind, of others by what they hold.

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

/// What there is of pods in an object.
#[derive(Debug, Default)]
pub struct Pods {
    pub found: Vec<Found>,
    /// Of each object that is no workload as we know them: the first template that it has all the same.
    pub elsewhere: Vec<Found>,
}

/// All of an object, which may be a list of others.
pub fn pods(object: &Value) -> Pods {
    let mut pods = Pods::default();
    collect(object, &Kind::of(object), &Pointer::root(), 0, &mut pods);
    pods
}

/// Of which kind an object is.
#[derive(Clone, Copy)]
struct Kind<'a> {
    /// `None` where it does not say.
    group: Option<&'a str>,
    name: &'a str,
}

impl<'a> Kind<'a> {
    fn of(object: &'a Value) -> Self {
        let version = object["apiVersion"].as_str();
        Self {
            group: version.map(|it| it.split_once('/').map_or("", |(group, _)| group)),
            name: object["kind"].as_str().unwrap_or_default(),
        }
    }

    /// Of an item of a list of this kind, which need not say it of itself: `PodList` has pods.
    fn of_item(self, item: &'a Value) -> Option<Self> {
        if item["kind"].is_string() {
            return Some(Self::of(item));
        }
        let name = self.name.strip_suffix("List")?;
        Some(Self { name, ..self })
    }
}

fn collect(object: &Value, kind: &Kind<'_>, owner: &Pointer, depth: usize, pods: &mut Pods) {
    let found = |pod| Found {
        pod,
        owner: owner.clone(),
    };
    if let Some(path) = template(*kind) {
        pods.found.push(found(owner.keys(path)));
        return;
    }
    let items = object["items"]
        .as_array()
        .filter(|_| kind.name.ends_with("List"));
    if let Some(items) = items.filter(|_| depth < DEEPEST) {
        for (nth, item) in items.iter().enumerate() {
            if let Some(kind) = kind.of_item(item) {
                let owner = owner.key("items").index(nth);
                collect(item, &kind, &owner, depth + 1, pods);
            }
        }
        return;
    }
    if is_pod(&object["spec"]["template"]) {
        pods.found.push(found(owner.keys(&["spec", "template"])));
    } else if let Some(place) = first_pod(object) {
        pods.elsewhere.push(found(owner.join(&place)));
    }
}

/// Where objects of one of Kubernetes' own kinds have their pod's template.
fn template(Kind { group, name }: Kind<'_>) -> Option<&'static [&'static str]> {
    let (of, path): (_, &[_]) = match name {
        "Pod" => ("", &[]),
        "PodTemplate" => ("", &["template"]),
        "ReplicationController" => ("", &["spec", "template"]),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => {
            ("apps", &["spec", "template"])
        }
        "Job" => ("batch", &["spec", "template"]),
        "CronJob" => ("batch", &["spec", "jobTemplate", "spec", "template"]),
        _ => return None,
    };
    group.is_none_or(|group| group == of).then_some(path)
}

/// Whether it has what a pod or its template has.
fn is_pod(value: &Value) -> bool {
    value["spec"]["containers"].is_array()
}

/// The first place that has what a pod has; what is read from a text is not nested without end.
fn first_pod(value: &Value) -> Option<Pointer> {
    if is_pod(value) {
        return Some(Pointer::root());
    }
    let below = |at: Pointer, value| Some(at.join(&first_pod(value)?));
    match value {
        Value::Object(members) => members
            .iter()
            .find_map(|(name, value)| below(Pointer::root().key(name), value)),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(nth, value)| below(Pointer::root().index(nth), value))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(found: &[Found]) -> Vec<&str> {
        found.iter().map(|it| it.pod.as_str()).collect()
    }

    #[test]
    fn templates_are_where_their_kind_has_them() {
        for (version, kind, at) in [
            ("v1", "Pod", Some("")),
            ("apps/v1", "Deployment", Some("/spec/template")),
            (
                "batch/v1",
                "CronJob",
                Some("/spec/jobTemplate/spec/template"),
            ),
            ("v1", "ConfigMap", None),
            ("v1", "List", None),
            ("batch.volcano.sh/v1alpha1", "Job", None),
            ("serving.knative.dev/v1", "Service", None),
            ("metrics.k8s.io/v1", "Pod", None),
        ] {
            let pods = pods(&json!({ "apiVersion": version, "kind": kind }));
            assert_eq!(places(&pods.found), Vec::from_iter(at), "{kind}");
            assert!(pods.elsewhere.is_empty());
        }
    }

    #[test]
    fn an_object_of_another_kind_is_a_workload_by_what_it_holds() {
        let pod = json!({ "spec": { "containers": [{ "name": "app" }] } });
        let object = |version, kind, spec: Value| json!({ "apiVersion": version, "kind": kind, "spec": spec });
        let one = json!({ "template": pod });
        for (version, kind) in [
            ("argoproj.io/v1alpha1", "Rollout"),
            ("serving.knative.dev/v1", "Service"),
            ("extensions/v1beta1", "Deployment"),
        ] {
            let pods = pods(&object(version, kind, one.clone()));
            assert_eq!(places(&pods.found), ["/spec/template"], "{kind}");
            assert!(pods.elsewhere.is_empty());
        }
        let several = json!({ "tasks": [{ "name": "a", "template": pod }, { "template": pod }] });
        let pods = pods(&object("batch.volcano.sh/v1alpha1", "Job", several));
        assert!(pods.found.is_empty());
        assert_eq!(places(&pods.elsewhere), ["/spec/tasks/0/template"]);
    }

    #[test]
    fn what_a_list_has_is_found() {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": [
            { "kind": "Service" },
            { "kind": "List", "items": [{ "apiVersion": "batch/v1", "kind": "Job" }] },
        ] });
        let found = pods(&list).found;
        assert_eq!(places(&found), ["/items/1/items/0/spec/template"]);
        assert_eq!(found[0].owner.as_str(), "/items/1/items/0");
        let list = json!({ "apiVersion": "v1", "kind": "PodList", "items": [
            { "spec": {} }, { "apiVersion": "v1", "kind": "Pod" },
        ] });
        assert_eq!(places(&pods(&list).found), ["/items/0", "/items/1"]);
        let list = json!({ "apiVersion": "apps/v1", "kind": "DeploymentList", "items": [{}] });
        assert_eq!(places(&pods(&list).found), ["/items/0/spec/template"]);
    }
}
