//! `pillion drill`: what applications would notice if the primary of a route were gone.
//!
//! The requests go through a gateway in this process, made of the operator's own configuration, and
//! it is this gateway alone whose connections to the primary are cut.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::check::{Env, Problem, bearer, named};
use super::run::{refuse, runtime};
use super::{BAD_CONFIGURATION, FAILED, dev, keys, variable};
use crate::app::Embedded;
use crate::check::{self, Caller};
use crate::config::{self, Document, Loaded, Sources};
use crate::drill::{self, Forms, Report};
use crate::price::Money;
use crate::simulate::{Gone, Outage, SimulatedProvider};
use crate::snapshot::{Provider, Route};
use crate::tasks::Tasks;
use crate::upstream::{Clients, Egress, Visitor};

/// What is taken for the longest answer when the cost is told: the call that is asked for has about
/// eighty tokens, and models that think may spend some hundreds before it.
const LONGEST_ANSWER: u64 = 1000;
/// No tokenizer makes more tokens of a request than one for every two bytes.
const BYTES_A_TOKEN: usize = 2;

/// Rehearse an outage: would your users notice if the route's primary were gone?
///
/// Sends identical requests that offer a tool to the route, one after another, through a gateway in
/// this process. Half way the provider of the primary is cut, in this process only: its connections
/// end and the next ones are refused (or see --fault). The provider itself is left in peace, and
/// nothing is written to the audit records.
///
/// Reports response times before and after, the time to switch, requests without an answer, repeated
/// tool calls, answers of another schema, tokens and cost, and every attempt that failed with its
/// reason. Exit code 1 when a request failed, a tool call was repeated, an answer of a backup differs
/// in a way that reaches the application, or there is no backup at another provider (then nothing is
/// sent).
///
/// Without a configuration it takes that of `pillion dev`, whose route is `chat`.
#[derive(Debug, Args)]
pub(super) struct Drill {
    /// The route to rehearse
    #[arg(value_name = "ROUTE")]
    route: String,
    /// How many requests are sent
    #[arg(short = 'n', value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(4..=1000))]
    requests: u16,
    /// YAML, TOML or JSON, by extension; else the variable `PILLION_CONFIG`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask for streams only; else plain and streamed answers in turn
    #[arg(long, conflicts_with = "plain")]
    stream: bool,
    /// Ask for plain answers only
    #[arg(long)]
    plain: bool,
    /// How the primary goes
    #[arg(long, value_name = "FAULT", value_enum, default_value_t = Fault::Connect)]
    fault: Fault,
    /// How long the application waits for one answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// One JSON object instead of the table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Fault {
    /// Connections end, also the one in use, and new ones are refused
    Connect,
    /// Connections end, also the one in use, and new answers are cut off as they begin
    Reset,
    /// New requests are taken, and nothing comes
    Hang,
    /// New requests get status 503
    Error,
}

impl From<Fault> for Gone {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Connect => Self::Connect,
            Fault::Reset => Self::Reset,
            Fault::Hang => Self::Hang,
            Fault::Error => Self::Error,
        }
    }
}

impl Drill {
    /// # Errors
    /// Those of `out`, and of the system where a command cannot do without it.
    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        let token = keys::new_token()?;
        let config = self.config.clone();
        let config = config.or_else(|| variable("PILLION_CONFIG").map(PathBuf::from));
        let (sources, loaded) = match config {
            Some(file) => {
                let sources = Sources::from_process(Document::File(file), Vec::new());
                let loaded = config::load(&sources);
                (sources, loaded)
            }
            None => match dev::without_file(&token)? {
                Ok(found) => found,
                Err(why) => {
                    tracing::error!("{why}");
                    return Ok(ExitCode::from(BAD_CONFIGURATION));
                }
            },
        };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(refuse(&problems)),
        };
        let runtime = runtime(1)?;
        let drilled = runtime.block_on(self.drill(loaded, &sources.env, &token));
        runtime.shutdown_background();
        let report = match drilled {
            Ok(report) => report,
            Err(problem) => return problem.tell(),
        };
        if self.json {
            writeln!(out, "{:#}", drill::json(&report))?;
        } else {
            drill::table(&report, out)?;
        }
        Ok(if report.is_fine() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(FAILED)
        })
    }

    async fn drill(&self, loaded: Loaded, env: &Env, token: &str) -> Result<Report, Problem> {
        let Loaded {
            snapshot, process, ..
        } = loaded;
        let route = named(&snapshot, &self.route).map_err(Problem::Usage)?;
        let drill = drill::Drill {
            route: &route,
            requests: usize::from(self.requests),
            forms: match (self.plain, self.stream) {
                (true, _) => Forms::Plain,
                (false, true) => Forms::Stream,
                (false, false) => Forms::Both,
            },
            fault: self.fault.into(),
        };
        if drill.has_backup() {
            let warning = warning(&drill, &process.simulate);
            writeln!(io::stderr(), "{warning}").map_err(Problem::Io)?;
        }
        let patience = Duration::from_secs(self.timeout);
        let trial = check::trial(snapshot, &[Arc::clone(&route)], token, patience);
        let gateway = Embedded::start(trial, &process.simulate, env)
            .await
            .map_err(Problem::Start)?;
        let outage = Outage::start(drill.fault).map_err(Problem::Io)?;
        let visitor = Visitor::new(&Clients::new(Tasks::default(), Egress::default()), None);
        let caller = Caller {
            visitor: &visitor,
            base: gateway.base_url(),
            authorization: bearer(token),
            patience,
            records: Some(&gateway.records),
        };
        let drilling = drill.run(&caller, |provider| gateway.cut(provider, &outage));
        Box::pin(drilling).await.map_err(Problem::Start)
    }
}

/// What is about to be sent, and what that costs at most.
fn warning(drill: &drill::Drill<'_>, simulated: &[SimulatedProvider]) -> String {
    let route = drill.route;
    let requests = drill.requests;
    let mut providers = route.targets().map(|target| &*target.provider);
    if providers.all(|provider| is_simulated(provider, simulated)) {
        return format!(
            "{requests} requests go to `{}`: simulated providers, which cost nothing",
            route.name
        );
    }
    let prompt = drill.request_bytes().div_ceil(BYTES_A_TOKEN) as u64;
    let cost = match most(route, prompt) {
        Ok(each) => format!(
            "at most {} where no answer has more than {LONGEST_ANSWER} tokens",
            each.times_over(requests as u64, 1).unwrap_or(each)
        ),
        Err(unpriced) => format!("the cost is not known, as {unpriced} has no price"),
    };
    format!(
        "{requests} real requests go to `{}`, each of at most {prompt} tokens: {cost}",
        route.name
    )
}

/// What one request costs at the dearest target.
///
/// # Errors
/// A target without a price.
fn most(route: &Route, prompt: u64) -> Result<Money, &str> {
    let mut most = Money::ZERO;
    for target in route.targets() {
        let price = target.price.as_ref().ok_or(&*target.id)?;
        most = most.max(price.foreseen(prompt, LONGEST_ANSWER));
    }
    Ok(most)
}

fn is_simulated(provider: &Provider, simulated: &[SimulatedProvider]) -> bool {
    let base = provider.base_url.to_string();
    simulated.iter().any(|known| {
        let root = format!("http://{}", known.listen);
        let rest = base.strip_prefix(&root);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;
    use crate::price::{Price, Tariff};
    use crate::snapshot::Target;

    const TEXT: &str = "
allow_anonymous: true
simulate: { north: { listen: \"127.0.0.1:4711\", models: { \"*\": {} } } }
providers:
  north: { kind: openai-compatible, base_url: \"http://127.0.0.1:4711/v1\" }
  other: { kind: openai-compatible, base_url: \"http://127.0.0.1:47112/v1\" }
routes:
  simulated: { targets: [north/m, north/n] }
  mixed: { targets: [north/m, other/m] }
";

    fn said(route: &Route, simulated: &[SimulatedProvider]) -> String {
        let drill = drill::Drill {
            route,
            requests: 30,
            forms: Forms::Both,
            fault: Gone::Connect,
        };
        warning(&drill, simulated)
    }

    #[test]
    fn what_is_sent_and_what_it_costs_is_said_before() {
        let loaded = config::load(&Sources::from_text(Format::Yaml, TEXT)).unwrap();
        let simulated = &loaded.process.simulate;
        let routes = &loaded.snapshot.routes;
        assert!(said(&routes["simulated"], simulated).contains("cost nothing"));
        let mixed = &routes["mixed"];
        assert!(said(mixed, simulated).contains("north/m has no price"));
        // 10 and 40 for a million tokens.
        let price = Price::new("USD", Tariff::flat(10_000_000, 40_000_000));
        let target = mixed.targets().nth(1).unwrap();
        let priced = Target {
            price: Some(price),
            ..Target::new("other/m", Arc::clone(&target.provider), "m")
        };
        let route = Route::to(priced);
        let prompt: u64 = 500;
        assert_eq!(
            most(&route, prompt),
            Ok(Money::from_picos(500 * 10_000_000 + 1000 * 40_000_000))
        );
        let said = said(&route, simulated);
        assert!(said.starts_with("30 real requests go to"), "{said}");
        assert!(said.contains(": at most 1."), "{said}");
    }
}
