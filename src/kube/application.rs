//! What the application's containers are told: two settings for each SDK, and that loopback is not to be
//! asked by way of a proxy.
//!
//! What a container sets itself stays. What comes by `envFrom` cannot be seen here, and gives way.

use serde_json::{Map, Value, json};

use super::asked::{Asked, annotation};
use super::names::LISTEN;
use super::patch::Draft;
use super::settings::{Entry, Sdk};
use super::sidecar::from_secret;
use super::{Pointer, Problem, each};
use crate::nearest::nearest;

/// The application's token: as it is, or where it is.
pub(super) enum Token<'a> {
    Text(&'a str),
    Secret(&'a Entry),
}

/// What an SDK reads; by the Python packages openai 3.57 and anthropic 2.14 (read 2026-11).
pub struct Variables {
    pub base_url: &'static str,
    /// What of our address its base URL ends with.
    pub path: &'static str,
    pub key: &'static str,
    /// A credential of another kind, which a key would put in the shade: a container that has it has one.
    pub other_key: Option<&'static str>,
}

pub const OPENAI: Variables = Variables {
    base_url: "OPENAI_BASE_URL",
    path: "/v1",
    key: "OPENAI_API_KEY",
    other_key: None,
};
pub const ANTHROPIC: Variables = Variables {
    base_url: "ANTHROPIC_BASE_URL",
    path: "",
    key: "ANTHROPIC_API_KEY",
    other_key: Some("ANTHROPIC_AUTH_TOKEN"),
};

/// What names a proxy, by which loopback must not be asked.
pub const PROXIES: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];
/// What names the hosts that a proxy is not for.
pub const EXEMPT: &[&str] = &["NO_PROXY", "no_proxy"];
const LOOPBACK: &[&str] = &["127.0.0.1", "localhost", "::1"];

/// A container that is told.
pub(super) struct Container {
    at: Pointer,
}

/// The containers that are told, by the pod's annotation or all of the application's.
///
/// # Errors
/// A name that is none of theirs.
pub(super) fn containers(pod: &Value, asked: &Asked) -> Result<Vec<Container>, Vec<Problem>> {
    let all = |list| each(pod, list).map(|(at, container)| (container["name"].as_str(), at));
    let Some(names) = &asked.containers else {
        return Ok(all("containers").map(|(_, at)| Container { at }).collect());
    };
    let mut problems = Vec::new();
    let mut chosen = Vec::new();
    for name in names {
        let find = |list| all(list).find(|(known, _)| *known == Some(name.as_str()));
        let wrong = |message| Problem::new(annotation("containers"), message);
        match (find("containers"), find("initContainers")) {
            (Some((_, at)), _) => chosen.push(Container { at }),
            (None, Some((_, at))) if asked.native => chosen.push(Container { at }),
            (None, Some(_)) => problems.push(wrong(format!(
                "`{name}` is an init container, which has ended before a classic sidecar starts"
            ))),
            (None, None) => {
                let known = all("containers").chain(all("initContainers"));
                let near = nearest(name, known.filter_map(|(name, _)| name));
                problems.push(wrong(format!("the pod has no container `{name}`")).meaning(near));
            }
        }
    }
    if problems.is_empty() {
        Ok(chosen)
    } else {
        Err(problems)
    }
}

impl Container {
    /// Tells it, and says what its own settings keep it from.
    pub(super) fn tell(
        &self,
        pod: &Value,
        sdks: &[Sdk],
        token: &Token<'_>,
        draft: &mut Draft<'_>,
        warnings: &mut Vec<String>,
    ) {
        let at = self.at.key("env");
        let set = at.of(pod).and_then(Value::as_array);
        let set = set.map(Vec::as_slice).unwrap_or_default();
        let position = |name: &str| set.iter().rposition(|variable| variable["name"] == name);
        let name = self
            .at
            .of(pod)
            .and_then(|it| it["name"].as_str())
            .unwrap_or_default();
        let mut kept = |variable: &str, why: &str| {
            warnings.push(format!(
                "container `{name}` sets {variable} itself, which stays: {why}"
            ));
        };
        let mut added = Vec::new();
        for sdk in sdks {
            let variables = match sdk {
                Sdk::OpenAi => OPENAI,
                Sdk::Anthropic => ANTHROPIC,
            };
            if position(variables.base_url).is_some() {
                kept(
                    variables.base_url,
                    "its requests may not come to the sidecar",
                );
            } else {
                let url = format!("http://{LISTEN}{}", variables.path);
                added.push(json!({ "name": variables.base_url, "value": url }));
            }
            let keys = [Some(variables.key), variables.other_key];
            if let Some(key) = keys
                .into_iter()
                .flatten()
                .find(|key| position(key).is_some())
            {
                kept(
                    key,
                    "it must be a token that the sidecar knows; a provider's key is to be taken out here",
                );
            } else {
                added.push(match token {
                    Token::Text(token) => json!({ "name": variables.key, "value": token }),
                    Token::Secret(entry) => from_secret(variables.key, entry),
                });
            }
        }
        if PROXIES.iter().any(|name| position(name).is_some()) {
            let exempt = EXEMPT
                .iter()
                .filter_map(|name| Some((*name, position(name)?)));
            let exempt: Vec<_> = exempt.collect();
            if exempt.is_empty() {
                let all = LOOPBACK.join(",");
                added.extend(
                    EXEMPT
                        .iter()
                        .map(|name| json!({ "name": name, "value": all })),
                );
            }
            for (variable, nth) in exempt {
                match set
                    .get(nth)
                    .and_then(|it| it.get("value"))
                    .map(Value::as_str)
                {
                    Some(Some(value)) => {
                        if let Some(value) = with_loopback(value) {
                            draft.extend(at.index(nth).key("value"), value.into());
                        }
                    }
                    Some(None) | None => {
                        kept(variable, "it must name 127.0.0.1, as there is a proxy");
                    }
                }
            }
        }
        draft.append(&at, added);
    }
}

/// A list of hosts that a proxy is not for, with loopback among them. `None` where nothing is missing.
pub fn with_loopback(exempt: &str) -> Option<String> {
    let known: Vec<&str> = exempt.split(',').map(str::trim).collect();
    if known.contains(&"*") {
        return None;
    }
    let missing = LOOPBACK.iter().filter(|host| !known.contains(host));
    let missing: Vec<&str> = missing.copied().collect();
    if missing.is_empty() {
        return None;
    }
    let before = exempt.trim_end_matches([',', ' ']);
    let separator = if before.is_empty() { "" } else { "," };
    Some(format!("{before}{separator}{}", missing.join(",")))
}

/// What marks a pod that has been seen to.
pub(super) fn mark(name: &str, value: &str) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value.into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_named_once() {
        for (before, after) in [
            ("", Some("127.0.0.1,localhost,::1")),
            (".svc", Some(".svc,127.0.0.1,localhost,::1")),
            ("localhost, .svc,", Some("localhost, .svc,127.0.0.1,::1")),
            ("127.0.0.1,localhost,::1", None),
            ("*", None),
            (".svc,*", None),
        ] {
            assert_eq!(with_loopback(before).as_deref(), after, "{before}");
        }
    }
}
