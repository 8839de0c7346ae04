//! `pillion check`: asks every target behind a route for all that an application may rely on.
//!
//! The requests go through a gateway in this process, made of the operator's own configuration, so
//! that what is checked is what `run` would do.

use std::convert::Infallible;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http::header::HeaderValue;

use super::run::{refuse, runtime};
use super::{FAILED, keys, variable};
use crate::app::{Embedded, StartError};
use crate::check::{self, Caller, Comparison, report};
use crate::config::{self, Document, Format, Loaded, Sources};
use crate::snapshot::{BaseUrl, Route, Snapshot};
use crate::tasks::Tasks;
use crate::upstream::{Clients, Egress, Visitor};

/// What clap says of a command line that cannot be meant.
pub(super) const USAGE: u8 = 2;

/// Ask every target of a route for all that an application may rely on: can it stand in for the first?
///
/// Sends real requests, about a dozen a target: plain and streamed answers, usage, tools (one call,
/// its result, streamed, two at once), a JSON schema, a long prompt, a stream that is left, and a
/// request that is wrong. That costs about five thousand tokens a target, most of them the long
/// prompt's (--long). Nothing is written to the audit records.
///
/// What the first target can do the others must do as well; what it cannot do either is only noted.
/// Exit code 1 when a target cannot stand in for the first, or cannot be reached; with --against also
/// when another environment answers in a way that an application would notice.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The routes to check; all of the configuration when absent
    #[arg(value_name = "ROUTE")]
    routes: Vec<String>,
    /// YAML, TOML or JSON, by extension; else the variable `PILLION_CONFIG`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Other environments to send the same requests to (name the routes before it): their answers
    /// must be like those of the configuration's route, or without a configuration like those of the
    /// first one named
    #[arg(long, value_name = "URL", num_args = 1.., value_parser = environment)]
    against: Vec<BaseUrl>,
    /// The token for those environments; better the variable `PILLION_TOKEN`, which no process list shows
    #[arg(long, requires = "against", value_parser = Token::read)]
    token: Option<Token>,
    /// A PEM file of authorities trusted for those environments beside the system's
    #[arg(long, value_name = "FILE", requires = "against")]
    ca: Option<PathBuf>,
    /// How long one answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Tokens of the long prompt, about; less where a target's declared context has no room for them
    #[arg(long, value_name = "TOKENS", default_value_t = 4000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    long: u64,
    /// One JSON object instead of the table
    #[arg(long)]
    json: bool,
}

/// A token as its header, or that it can be none. Reading it never fails, since clap would show what
/// it refuses.
#[derive(Debug, Clone)]
struct Token(Option<HeaderValue>);

impl Token {
    #[expect(clippy::unnecessary_wraps, reason = "the form that clap asks for")]
    fn read(text: &str) -> Result<Self, Infallible> {
        Ok(Self(bearer(text)))
    }
}

/// The variables of this process.
pub(super) type Env = [(String, String)];

/// Environments alone are asked without any configuration.
fn no_document() -> Document {
    Document::Text {
        format: Format::Yaml,
        text: String::new(),
    }
}

/// Why there is no report.
pub(super) enum Problem {
    Usage(String),
    Start(StartError),
    Io(io::Error),
}

impl Problem {
    /// Says it, and how the command ends for it.
    ///
    /// # Errors
    /// It is the system's.
    pub(super) fn tell(self) -> io::Result<ExitCode> {
        match self {
            Self::Usage(message) => {
                tracing::error!("{message}");
                Ok(ExitCode::from(USAGE))
            }
            Self::Start(error) => {
                tracing::error!("{error}");
                Ok(ExitCode::from(FAILED))
            }
            Self::Io(error) => Err(error),
        }
    }
}

impl Check {
    /// # Errors
    /// Those of `out`, and of the system where a command cannot do without it.
    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        let config = self.config.clone();
        let config = config.or_else(|| variable("PILLION_CONFIG").map(PathBuf::from));
        let configured = config.is_some();
        let document = config.map_or_else(no_document, Document::File);
        let sources = Sources::from_process(document, Vec::new());
        let loaded = match configured.then(|| config::load(&sources)).transpose() {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(refuse(&problems)),
        };
        let env = &sources.env;
        let runtime = runtime(1)?;
        let checked = match loaded {
            Some(loaded) => {
                let token = keys::new_token()?;
                runtime.block_on(self.configured(loaded, env, &token))
            }
            None => runtime.block_on(self.environments_alone(env)),
        };
        runtime.shutdown_background();
        let comparisons = match checked {
            Ok(comparisons) => comparisons,
            Err(problem) => return problem.tell(),
        };
        if self.json {
            writeln!(out, "{:#}", report::json(&comparisons))?;
        } else {
            report::table(&comparisons, out)?;
        }
        let fine = comparisons.iter().all(Comparison::is_fine);
        Ok(if fine {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(FAILED)
        })
    }

    /// Every target of the chosen routes, then each route here and in the other environments.
    async fn configured(
        &self,
        loaded: Loaded,
        env: &Env,
        token: &str,
    ) -> Result<Vec<Comparison>, Problem> {
        let Loaded {
            snapshot, process, ..
        } = loaded;
        let mut routes: Vec<Arc<Route>> = Vec::new();
        for name in &self.routes {
            let route = named(&snapshot, name).map_err(Problem::Usage)?;
            if !routes.iter().any(|known| known.name == route.name) {
                routes.push(route);
            }
        }
        if self.routes.is_empty() {
            routes.extend(snapshot.routes.values().cloned());
        }
        if routes.is_empty() {
            return Err(Problem::Usage("the configuration has no routes".into()));
        }
        let trial = check::trial(snapshot, &routes, token, self.patience());
        let gateway = Embedded::start(trial, &process.simulate, env)
            .await
            .map_err(Problem::Start)?;
        let visitor = Visitor::new(&Clients::new(Tasks::default(), Egress::default()), None);
        let here = || Caller {
            visitor: &visitor,
            base: gateway.base_url(),
            authorization: bearer(token),
            patience: self.patience(),
            records: Some(&gateway.records),
        };
        let elsewhere = self.visitor(env);
        let mut check = check::Check::new(self.long);
        let mut comparisons = Vec::new();
        for route in &routes {
            comparisons.push(check.targets(&here(), route).await);
            if !self.against.is_empty() {
                let mut environments = vec![("this configuration".to_owned(), here())];
                environments.extend(self.environments(&elsewhere)?);
                let compared = check.environments(&environments, &route.name).await;
                comparisons.push(compared);
            }
        }
        Ok(comparisons)
    }

    /// The named routes in the environments, without a configuration.
    async fn environments_alone(&self, env: &Env) -> Result<Vec<Comparison>, Problem> {
        let usage = |message: &str| Err(Problem::Usage(message.into()));
        if self.against.is_empty() {
            return usage("no configuration: give --config FILE, or set PILLION_CONFIG");
        }
        if self.against.len() < 2 {
            return usage(
                "without --config there must be two environments at least: the first is what the others are compared with",
            );
        }
        if self.routes.is_empty() {
            return usage("without --config the routes must be named");
        }
        let visitor = self.visitor(env);
        let environments = self.environments(&visitor)?;
        let check = check::Check::new(self.long);
        let mut comparisons = Vec::new();
        for route in &self.routes {
            comparisons.push(check.environments(&environments, route).await);
        }
        Ok(comparisons)
    }

    /// Goes to the other environments.
    fn visitor(&self, env: &Env) -> Visitor {
        let clients = Clients::new(Tasks::default(), Egress::of(env));
        Visitor::new(&clients, self.ca.as_ref())
    }

    fn environments<'a>(&self, visitor: &'a Visitor) -> Result<Vec<(String, Caller<'a>)>, Problem> {
        let given = self.token.clone();
        let given = given.or_else(|| variable("PILLION_TOKEN").map(|text| Token(bearer(&text))));
        let authorization = match given {
            Some(Token(None)) => {
                return Err(Problem::Usage(
                    "the token is none: it has other characters than visible ones".into(),
                ));
            }
            Some(Token(header)) => header,
            None => None,
        };
        let environments = self.against.iter().map(|base| {
            let caller = Caller {
                visitor,
                base: base.clone(),
                authorization: authorization.clone(),
                patience: self.patience(),
                records: None,
            };
            (base.to_string(), caller)
        });
        Ok(environments.collect())
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// The route of this name.
///
/// # Errors
/// There is none.
pub(super) fn named(snapshot: &Snapshot, name: &str) -> Result<Arc<Route>, String> {
    snapshot.route(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = snapshot.routes.keys().map(|name| &**name).collect();
        let known = known.join(", ");
        format!("no route is named `{name}`; there are: {known}")
    })
}

/// A gateway's address; `/v1` is added where there is no path.
fn environment(text: &str) -> Result<BaseUrl, String> {
    let url = BaseUrl::try_new(text)?;
    if url.prefix().is_empty() {
        return BaseUrl::try_new(&format!("{url}/v1"));
    }
    Ok(url)
}

/// The header for a token, if it can be one; nothing prints its value.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_ends_where_v1_does_and_a_token_is_never_shown() {
        for (text, url) in [
            ("http://127.0.0.1:4100", "http://127.0.0.1:4100/v1"),
            ("https://stage.internal/", "https://stage.internal/v1"),
            (
                "https://stage.internal/llm/v1",
                "https://stage.internal/llm/v1",
            ),
        ] {
            assert_eq!(environment(text).unwrap().to_string(), url);
        }
        let header = bearer("secret-token").unwrap();
        assert!(!format!("{header:?}").contains("secret-token"));
        assert!(bearer("line\nbreak").is_none());
    }
}
