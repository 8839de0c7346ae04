//! `pillion explain`: the plan for one request, filter by filter, without sending it.

mod told;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use self::told::{Told, Which};
use super::validate::whole;
use super::{BAD_CONFIGURATION, FAILED, variable};
use crate::chat::{Look, Request, Surface};
use crate::config::Sources;
use crate::health::{Ask, Health, Hurry, Kind};
use crate::limit;
use crate::plan::{Circumstances, Explanation, Found, Selection, Sieve};
use crate::price::Month;
use crate::serve::Inspected;
use crate::snapshot::{Callers, Key, Residency, Route, Rule, Snapshot};

/// What the command ends with when its arguments mean nothing.
const USAGE: u8 = 2;

/// Show where one request would go, and why, without sending it: the rule that it falls under, the
/// targets that each filter removes, and the plan that is left. Exit code 1 when nothing is left, or
/// when it is not as expected.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The route, by its name or by a model string that means it
    route: String,
    /// The request's body, as an application sends it; `-` for standard input
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// Configuration file; else the variable `PILLION_CONFIG`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The central document that belongs to a sidecar's own file
    #[arg(long, value_name = "FILE")]
    central: Option<PathBuf>,
    /// The id of the key that asks; else the first one that may use the route
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// A header of the request, such as `x-pillion-tag-tier: gold`; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The endpoint that it comes in by; else told by the body
    #[arg(long, value_name = "SURFACE")]
    surface: Option<Endpoint>,
    /// When it comes, such as `2026-11-26T10:00:00Z`; else now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// The target that the plan must begin with
    #[arg(long, value_name = "TARGET")]
    expect: Option<String>,
    /// The rule that it must fall under; `-` for none
    #[arg(long, value_name = "RULE")]
    expect_rule: Option<String>,
    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Endpoint {
    Chat,
    Responses,
    Messages,
    Embeddings,
    Completions,
}

/// Why there is nothing to explain.
enum Failed {
    Usage(String),
    /// The configuration's problems, a line each.
    Configuration(Vec<String>),
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self::Usage(why)
    }
}

impl Explain {
    /// # Errors
    /// Those of `out`.
    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        match self.explain(out) {
            Ok(told) => told.map(|fine| {
                if fine {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::from(FAILED)
                }
            }),
            Err(Failed::Usage(why)) => {
                writeln!(io::stderr(), "pillion: {why}")?;
                Ok(ExitCode::from(USAGE))
            }
            Err(Failed::Configuration(problems)) => {
                for problem in problems {
                    writeln!(out, "{problem}")?;
                }
                Ok(ExitCode::from(BAD_CONFIGURATION))
            }
        }
    }

    /// Whether all is as it should be, once it is told.
    fn explain(self, out: &mut impl Write) -> Result<io::Result<bool>, Failed> {
        let snapshot = self.snapshot()?;
        let Some(route) = snapshot.route(&self.route).map(Arc::clone) else {
            let names: Vec<&str> = snapshot.routes.keys().map(AsRef::as_ref).collect();
            let (asked, names) = (&self.route, names.join(", "));
            return Err(format!("no route is named `{asked}`; there are: {names}").into());
        };
        let at = self.at.unwrap_or_else(Timestamp::now);
        let key = self.key(&snapshot, &route, at)?;
        let headers = self.headers()?;
        let request = self.request()?;
        let look = Look::at(&request);
        let (detectors, privacy) = (&snapshot.detectors, &route.privacy);
        let asked = !privacy.asked().is_empty();
        let inspected = asked.then(|| Inspected::read(detectors, privacy, &request));
        let inspected = inspected.flatten();
        let find = || {
            let told = inspected.as_ref().map(|it| it.told(detectors));
            told.unwrap_or_else(Found::unknown)
        };
        let rules = Explanation::rules(
            &route,
            &Circumstances {
                key: &key,
                identity: &snapshot.identity,
                headers: &headers,
                look: &look,
                now: at,
                find: &find,
                found: OnceCell::new(),
            },
        );
        let residency = Residency::of(&key, Some(&route), rules.1);
        let sieve = Sieve {
            look: &look,
            residency: &residency,
            budget: limit::budget_of(&snapshot.under(&key, Some(&route))).map(|_| Month::of(at)),
            usable: &|_| Ok(()),
        };
        let health = Health::new(fastrand::Rng::with_seed(0));
        let now = Instant::now();
        let by = Selection {
            health: &health,
            ask: Ask {
                kind: if request.stream {
                    Kind::Streamed
                } else {
                    Kind::Plain
                },
                tokens: request.tokens,
                priority: key.priority,
                policy: route.health,
                hurry: Hurry::default(),
            },
            affinity: look.affinity(&headers),
            now,
            deadline: now + route.timeouts.whole,
        };
        let mut rng = fastrand::Rng::with_seed(0);
        let explanation = Explanation::of(&route, rules, &sieve, &by, &mut rng);
        let personal = explanation.rule.is_some_and(Rule::is_personal);
        let decision = inspected.map(|it| it.decide(detectors, privacy, personal));
        let told = Told {
            decision: decision.as_ref(),
            explanation: &explanation,
            residency: &residency,
            request: &request,
            which: Which {
                route: &route,
                key: &key,
                refused: key.refused(&snapshot.identity, at),
            },
        };
        let unexpected = self.unexpected(&explanation);
        Ok(told.tell(self.json, &unexpected, out).map(|()| {
            told.which.may() && told.goes() && !explanation.plan.is_empty() && unexpected.is_empty()
        }))
    }

    fn snapshot(&self) -> Result<Snapshot, Failed> {
        let file = self.config.clone();
        let file = file.or_else(|| variable("PILLION_CONFIG").map(PathBuf::from));
        let file = file.ok_or_else(|| "name a configuration by `--config FILE`".to_owned())?;
        let sources = Sources::from_process(file.clone(), Vec::new());
        let loaded = whole(&file, self.central.clone(), &sources);
        let loaded = loaded.map_err(|problems| {
            Failed::Configuration(problems.iter().map(ToString::to_string).collect())
        })?;
        Ok(loaded.snapshot)
    }

    /// The key that is named; else the first one that may use the route, and is good where there is such.
    fn key(&self, snapshot: &Snapshot, route: &Route, at: Timestamp) -> Result<Arc<Key>, String> {
        let keys: BTreeMap<&str, &Arc<Key>> = match &snapshot.callers {
            Callers::Anyone(key) => [(&*key.id, key)].into(),
            Callers::Keys(keys) => keys.values().map(|key| (&*key.id, key)).collect(),
        };
        let found = if let Some(id) = &self.key {
            keys.get(&**id).copied()
        } else {
            let mut may = keys.values().filter(|key| key.may_use(route));
            let good = |key: &&&Arc<Key>| key.refused(&snapshot.identity, at).is_none();
            may.clone().find(good).or_else(|| may.next()).copied()
        };
        found.map(Arc::clone).ok_or_else(|| {
            let ids: Vec<&str> = keys.keys().copied().collect();
            match &self.key {
                Some(id) => format!("no key has the id `{id}`; there are: {}", ids.join(", ")),
                None => format!("no key may use the route `{}`", route.name),
            }
        })
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for line in &self.headers {
            let parsed = line.split_once(':').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                Some((name, HeaderValue::from_bytes(value.trim().as_bytes()).ok()?))
            });
            let (name, value) = parsed.ok_or_else(|| format!("`{line}` is not `NAME: VALUE`"))?;
            headers.append(name, value);
        }
        Ok(headers)
    }

    fn request(&self) -> Result<Request, String> {
        let mut text = String::new();
        let file = self.body.display();
        let read = if self.body.as_os_str() == "-" {
            io::stdin().read_to_string(&mut text).map(|_| ())
        } else {
            std::fs::read_to_string(&self.body).map(|read| text = read)
        };
        read.map_err(|error| format!("{file}: cannot be read: {error}"))?;
        let mut body: Value =
            serde_json::from_str(&text).map_err(|error| format!("{file}: is no JSON: {error}"))?;
        let Some(members) = body.as_object_mut() else {
            return Err(format!("{file}: is no JSON object"));
        };
        let surface = self.surface.map_or_else(
            || {
                if members.contains_key("messages") {
                    Surface::Chat
                } else if members.contains_key("prompt") {
                    Surface::Completions
                } else {
                    Surface::Responses
                }
            },
            Endpoint::surface,
        );
        // Which route it is for has been said; the body need not say it.
        if !members.contains_key("model") {
            members.insert("model".into(), self.route.clone().into());
            text = body.to_string();
        }
        Request::read(surface, text.into()).map_err(|error| format!("{file}: {error}"))
    }

    /// What is not as it was expected to be.
    fn unexpected(&self, explanation: &Explanation<'_>) -> Vec<String> {
        let mut unexpected = Vec::new();
        if let Some(wanted) = &self.expect {
            let first = explanation.plan.first().map(|target| &*target.id);
            if first != Some(&**wanted) {
                unexpected.push(format!("the plan does not begin with `{wanted}`"));
            }
        }
        if let Some(wanted) = &self.expect_rule {
            let rule = explanation.rule.map_or("-", |rule| &*rule.name);
            if rule != wanted {
                unexpected.push(match &**wanted {
                    "-" => format!("it falls under the rule `{rule}`"),
                    wanted => format!("it does not fall under the rule `{wanted}`"),
                });
            }
        }
        unexpected
    }
}

impl Endpoint {
    fn surface(self) -> Surface {
        match self {
            Self::Chat => Surface::Chat,
            Self::Responses => Surface::Responses,
            Self::Messages => Surface::Messages,
            Self::Embeddings => Surface::Embeddings,
            Self::Completions => Surface::Completions,
        }
    }
}
