//! What a pod says of itself, by its labels and annotations. A wrong one is refused, since a pod that
//! ran without what it asks for would call providers past the sidecar.

use serde_json::Value;

use super::names::{ANNOTATIONS, DONE, INJECT, LABELS, PREFIX, STATUS};
use super::quantity::Quantity;
use super::settings::{Entry, Native, Profile, Sdk, Settings, Usual, source, text};
use super::{Pointer, Problem};
use crate::nearest::nearest;

/// What is to be done for one pod.
pub(super) struct Asked {
    pub(super) profile: Profile,
    pub(super) native: bool,
    /// The containers that are told; those of the application when absent.
    pub(super) containers: Option<Vec<String>>,
    pub(super) team: Option<String>,
    pub(super) service: Option<String>,
    pub(super) environment: Option<String>,
}

/// Whether the pod does not want to be seen to.
pub(super) fn is_opted_out(pod: &Value) -> bool {
    of(pod, LABELED, INJECT) == Some("false")
}

const LABELED: &str = "labels";
const ANNOTATED: &str = "annotations";

/// The most of an annotation of ours, in bytes: the names of as many containers as a pod may have.
const LONGEST: usize = 16 << 10;

/// Of the service, where no label of ours names it, in this order.
const SERVICES: &[&str] = &["app.kubernetes.io/name", "app"];

/// A label or an annotation that is text.
pub(super) fn of<'a>(pod: &'a Value, kind: &str, name: &str) -> Option<&'a str> {
    Pointer::root()
        .keys(&["metadata", kind, name])
        .of(pod)?
        .as_str()
}

/// # Errors
/// Everything that is wrong with the pod's labels and annotations of ours.
pub(super) fn read(pod: &Value, settings: &Settings) -> Result<Asked, Vec<Problem>> {
    let mut reader = Reader {
        pod,
        problems: unknown(pod),
    };
    if let Some(word) = of(pod, LABELED, INJECT).filter(|word| !["true", "false"].contains(word)) {
        let at = Pointer::root().keys(&["metadata", LABELED, INJECT]);
        let problem = Problem::new(at, format!("`{word}` is neither `true` nor `false`"));
        reader.problems.push(problem);
    }
    // Of one that has been seen to, nothing is read.
    if let Some(word) = of(pod, ANNOTATED, STATUS) {
        let message = format!("`{word}` is not `{DONE}`, which the injector sets");
        let problem = Problem::new(annotation("status"), message);
        reader.problems.push(problem.hinting("take it out"));
    }
    let mut profile = settings.usual.clone();
    if let Some(named) = reader.read("profile", |name| known_profile(settings, name)) {
        profile = named;
    }
    reader.set(&mut profile.image, "image", text);
    reader.set(
        &mut profile.resources.cpu_request,
        "cpu-request",
        Quantity::try_new,
    );
    reader.set(
        &mut profile.resources.memory_limit,
        "memory-limit",
        Quantity::memory_limit,
    );
    reader.set(&mut profile.sdks, "env-sdks", sdks);
    reader.set(&mut profile.native, "native-sidecar", |word| {
        Native::of(word).ok_or_else(|| format!("`{word}` is none of `auto`, `true`, `false`"))
    });
    if let Some(secret) = reader.read("token-secret", |it| Entry::try_new(it, Usual::Token)) {
        profile.token_secret = Some(secret);
    }
    match reader.read("config", configuration) {
        Some(Configuration::Source(url)) => profile.source = Some(url),
        Some(Configuration::Map(entry)) => profile.config_map = Some(entry),
        None => {}
    }
    let native = match profile.native.decide(settings.version) {
        Ok(native) => native,
        Err(why) => {
            reader
                .problems
                .push(Problem::new(annotation("native-sidecar"), why));
            false
        }
    };
    let asked = Asked {
        containers: reader.read("containers", words),
        team: reader.fact("team").or_else(|| profile.team.clone()),
        service: reader.fact("service").or_else(|| {
            let named = SERVICES.iter().find_map(|label| of(pod, LABELED, label));
            named.filter(|name| !name.is_empty()).map(str::to_owned)
        }),
        environment: reader
            .fact("environment")
            .or_else(|| profile.environment.clone()),
        native,
        profile,
    };
    if !asked.profile.has_configuration() {
        let hint = "name a `ConfigMap` or the URL of a central document, here or for all pods: `config_map` or `source` of the injector's settings, `--config-map` or `--source`";
        let problem = Problem::new(
            annotation("config"),
            "is missing: the sidecar would have no configuration",
        );
        reader.problems.push(problem.hinting(hint));
    }
    if reader.problems.is_empty() {
        Ok(asked)
    } else {
        Err(reader.problems)
    }
}

/// Where the sidecar's configuration is.
enum Configuration {
    Source(String),
    Map(Entry),
}

fn configuration(text: &str) -> Result<Configuration, String> {
    if text.contains(':') {
        return source(text).map(Configuration::Source);
    }
    Entry::try_new(text, Usual::Config).map(Configuration::Map)
}

fn known_profile(settings: &Settings, name: &str) -> Result<Profile, String> {
    let known = settings.profiles.get(name).cloned();
    known.ok_or_else(|| {
        let near = nearest(name, settings.profiles.keys().map(String::as_str));
        let near = near.map(|near| format!(": did you mean `{near}`?"));
        format!(
            "the injector has no profile `{name}`{}",
            near.unwrap_or_default()
        )
    })
}

fn sdks(text: &str) -> Result<Vec<Sdk>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let known = |word: String| {
        Sdk::of(&word).ok_or_else(|| {
            format!("`{word}` is neither `openai` nor `anthropic`; `none` is none of them")
        })
    };
    words(text)?.into_iter().map(known).collect()
}

/// Between commas; one at least, and each once.
fn words(text: &str) -> Result<Vec<String>, String> {
    let words = text.split(',').map(str::trim);
    let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
    let mut words: Vec<_> = words.collect();
    words.sort();
    words.dedup();
    if words.is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(words)
}

pub(super) fn annotation(name: &str) -> Pointer {
    let name = format!("{PREFIX}{name}");
    Pointer::root().keys(&["metadata", ANNOTATED, &name])
}

/// Labels and annotations under our prefix that are none of ours, or no text.
fn unknown(pod: &Value) -> Vec<Problem> {
    let labels = (LABELED, "a label", LABELS);
    let annotations = (ANNOTATED, "an annotation", ANNOTATIONS);
    let mut problems = Vec::new();
    for ((kind, what, known), (_, other, others)) in [(labels, annotations), (annotations, labels)]
    {
        let at = Pointer::root().keys(&["metadata", kind]);
        let entries = at.of(pod).and_then(Value::as_object);
        for (name, value) in entries.into_iter().flatten() {
            let Some(short) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let at = at.key(name);
            if known.contains(&short) {
                if !value.is_string() {
                    problems.push(Problem::new(at, "is not text").hinting("put it into quotes"));
                }
                continue;
            }
            let problem = Problem::new(at, format!("is not {what} of ours"));
            problems.push(if others.contains(&short) {
                problem.hinting(format!("it is {other}"))
            } else {
                let near = nearest(short, known.iter().copied());
                problem.meaning(near.map(|near| format!("{PREFIX}{near}")).as_deref())
            });
        }
    }
    problems
}

struct Reader<'a> {
    pod: &'a Value,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// What an annotation comes to; `None` where it is absent or wrong.
    fn read<T>(
        &mut self,
        name: &str,
        meaning: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = of(self.pod, ANNOTATED, &format!("{PREFIX}{name}"))?;
        let meant = if value.len() > LONGEST {
            Err(format!("is longer than {LONGEST} bytes"))
        } else {
            meaning(value.trim())
        };
        match meant {
            Ok(meant) => Some(meant),
            Err(why) => {
                self.problems.push(Problem::new(annotation(name), why));
                None
            }
        }
    }

    fn set<T>(&mut self, to: &mut T, name: &str, meaning: impl FnOnce(&str) -> Result<T, String>) {
        if let Some(meant) = self.read(name, meaning) {
            *to = meant;
        }
    }

    /// A part of the identity: by an annotation, which may hold what a label cannot, or a label.
    fn fact(&mut self, name: &str) -> Option<String> {
        let label = of(self.pod, LABELED, &format!("{PREFIX}{name}"));
        let label = label.filter(|text| !text.is_empty()).map(str::to_owned);
        self.read(name, text).or(label)
    }
}
