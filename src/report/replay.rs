//! The past's records under another configuration: where each would have gone, and what that comes to.
//!
//! A record says who asked, for which route, how long the prompt was, and by which surface. It does not hold
//! the request, so a plan is made of what it says, with every target standing as at a start: nothing learned,
//! nothing full. Costs take the tokens as they were; latencies and failures are what the records themselves
//! say of each target.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::intake::{Intake, Span};
use super::replayed::{Replayed, ToTarget};
use super::row::{Row, Tokens};
use super::samples::Samples;
use super::summary::share;
use crate::chat::{Look, Surface, Usage};
use crate::health::{Ask, Health, Hurry, Kind, Priority};
use crate::plan::{Choice, Plan, Selection, Sieve, Told, choose_told};
use crate::price::{Money, Month};
use crate::snapshot::{Callers, Key, Residency, Route, Rule, Snapshot, Target};

/// Records on their way through a new routing table.
pub struct Replay<'a> {
    snapshot: &'a Snapshot,
    keys: HashMap<Arc<str>, Arc<Key>>,
    health: Health,
    now: Instant,
    rng: fastrand::Rng,
    intake: Intake,
    /// By target, what would have gone there.
    new: BTreeMap<Arc<str>, New>,
    /// By target, what the records say of it.
    old: BTreeMap<String, Old>,
    refused: BTreeMap<String, u64>,
    unplanned: BTreeMap<&'static str, u64>,
    spent: Spent,
}

#[derive(Debug)]
struct New {
    target: Arc<Target>,
    requests: u64,
    moved: u64,
    tokens: u64,
    unknown: u64,
    cost: Money,
}

#[derive(Debug, Default)]
struct Old {
    answered: u64,
    attempts: u64,
    failed: u64,
    first_token: Samples,
    answer: Samples,
}

/// What the records that were planned anew have cost, by currency, and how many have no cost.
#[derive(Debug, Default)]
struct Spent {
    costs: BTreeMap<String, Money>,
    unknown: u64,
}

/// What a record comes to under the new table.
enum Fate {
    To(Arc<Target>),
    /// It would have been refused, and why.
    Refused(String),
    /// The record does not say enough.
    Unplanned(&'static str),
}

/// What a record tells of its request.
struct Asked {
    surface: Surface,
    streamed: bool,
    prompt: u64,
    priority: Priority,
    residency: Residency,
}

/// The rule of `route` that a request falls under, by what its record tells; of the key what it says now, where
/// it is known.
fn rule_of<'r>(
    route: &'r Route,
    row: &Row<'_>,
    key: Option<&Key>,
) -> Result<Option<&'r Rule>, Fate> {
    const OPEN: Fate =
        Fate::Unplanned("its route has rules, and a record does not tell which one holds");
    if route.rules.is_empty() {
        return Ok(None);
    }
    let usage = row.usage.as_ref();
    let mut found = Vec::new();
    row.classes(|class| found.push(class.to_owned()));
    let of_key = |fact: fn(&Key) -> &Option<Arc<str>>| key.and_then(|key| fact(key).as_deref());
    let told = Told {
        rule: row.rule.as_deref(),
        prompt: usage.and_then(|usage| Some((usage.prompt?, usage.estimated))),
        stream: row.stream,
        key: row.key.as_deref(),
        team: of_key(|key| &key.team).or(row.team.as_deref()),
        service: of_key(|key| &key.service).or(row.service.as_deref()),
        environment: of_key(|key| &key.environment).or(row.environment.as_deref()),
        time: row.time.parse().ok(),
        found,
    };
    match choose_told(&route.rules, &told) {
        Choice::Rule(rule) => Ok(Some(rule)),
        Choice::None => Ok(None),
        Choice::Open => Err(OPEN),
    }
}

impl<'a> Replay<'a> {
    /// `now` and `rng` are for the plans that are made: groups by weight are drawn.
    pub fn new(snapshot: &'a Snapshot, span: Span, now: Instant, mut rng: fastrand::Rng) -> Self {
        let keys = match &snapshot.callers {
            Callers::Anyone(_) => HashMap::new(),
            Callers::Keys(keys) => {
                let keys = keys.values();
                keys.map(|key| (Arc::clone(&key.id), Arc::clone(key)))
                    .collect()
            }
        };
        Self {
            snapshot,
            keys,
            health: Health::new(rng.fork()),
            now,
            rng,
            intake: Intake::new(span),
            new: BTreeMap::new(),
            old: BTreeMap::new(),
            refused: BTreeMap::new(),
            unplanned: BTreeMap::new(),
            spent: Spent::default(),
        }
    }

    /// Takes a line of a file, without its line feed; its last may have had none.
    pub fn line(&mut self, text: &[u8], is_unended: bool) {
        let Some(row) = self.intake.take(text, is_unended) else {
            return;
        };
        self.learn(&row);
        match self.fate(&row) {
            Fate::Unplanned(why) => *self.unplanned.entry(why).or_default() += 1,
            Fate::Refused(why) => *self.refused.entry(why).or_default() += 1,
            Fate::To(target) => self.send(&row, &target),
        }
    }

    fn learn(&mut self, row: &Row<'_>) {
        row.attempts(|attempt| {
            let target = &*attempt.target;
            if !self.old.contains_key(target) {
                self.old.insert(target.to_owned(), Old::default());
            }
            let Some(old) = self.old.get_mut(target) else {
                return;
            };
            old.attempts += 1;
            match &*attempt.class {
                "ok" => {
                    old.answer.push(attempt.ms);
                    if let Some(ms) = attempt.first_token_ms {
                        old.first_token.push(ms);
                    }
                }
                "cancelled" => {}
                _ => old.failed += 1,
            }
        });
        if let Some(old) = row
            .target
            .as_deref()
            .and_then(|target| self.old.get_mut(target))
        {
            old.answered += 1;
        }
    }

    fn fate(&mut self, row: &Row<'_>) -> Fate {
        let Some(name) = row.route.as_deref() else {
            return Fate::Unplanned("it came to no route");
        };
        let Some(surface) = row.surface.and_then(surface) else {
            return Fate::Unplanned("it was passed through");
        };
        let snapshot = self.snapshot;
        let Some(route) = snapshot.route(name) else {
            return Fate::Refused(format!("there is no route `{name}`"));
        };
        let mut known = None;
        if let (Callers::Keys(_), Some(key)) = (&snapshot.callers, row.key.as_deref()) {
            let Some(key_of_now) = self.keys.get(key) else {
                return Fate::Refused(format!("there is no key `{key}`"));
            };
            if !key_of_now.may_use(route) {
                return Fate::Refused(format!("the key `{key}` may not use `{name}`"));
            }
            known = Some(&**key_of_now);
        }
        let rule = match rule_of(route, row, known) {
            Ok(rule) => rule,
            Err(fate) => return fate,
        };
        let priority = known.map_or_else(Priority::default, |key| key.priority);
        let residency = match known {
            Some(key) => Residency::of(key, Some(route), rule),
            None => Residency::demanded(Some(route), rule),
        };
        let prompt = row.usage.as_ref().and_then(|usage| usage.prompt);
        let needs_length = route.targets().any(|target| target.context.is_some());
        if prompt.is_none() && needs_length {
            return Fate::Unplanned("the length of its prompt is not known");
        }
        let asked = Asked {
            surface,
            streamed: row.stream.unwrap_or_default(),
            prompt: prompt.unwrap_or_default(),
            priority,
            residency,
        };
        self.plan(route, rule, &asked)
    }

    fn plan(&mut self, route: &Route, rule: Option<&Rule>, asked: &Asked) -> Fate {
        let &Asked {
            surface,
            streamed,
            prompt,
            priority,
            ref residency,
        } = asked;
        let kind = if streamed {
            Kind::Streamed
        } else {
            Kind::Plain
        };
        let selection = Selection {
            health: &self.health,
            ask: Ask {
                kind,
                tokens: prompt,
                priority,
                policy: route.health,
                hurry: Hurry::default(),
            },
            affinity: None,
            now: self.now,
            deadline: self.now + Duration::from_hours(1),
        };
        let usable = |target: &Target| match target.context {
            _ if target.dialect(surface).is_none() => {
                Err(format!("`{}` does not serve {}", target.id, surface.name()))
            }
            Some(context) if prompt > context => Err(format!(
                "the prompt is longer than the context of `{}`",
                target.id
            )),
            _ => Ok(()),
        };
        let sieve = Sieve {
            look: &Look::unread(&[]),
            residency,
            budget: None,
            usable: &usable,
        };
        match Plan::make(route, rule, &sieve, &selection, &mut self.rng) {
            Ok(plan) => match plan.targets().first() {
                Some(first) => Fate::To(Arc::clone(first)),
                None => Fate::Refused("no target is left".into()),
            },
            Err(error) => Fate::Refused(error.to_string()),
        }
    }

    fn send(&mut self, row: &Row<'_>, target: &Arc<Target>) {
        let new = self
            .new
            .entry(Arc::clone(&target.id))
            .or_insert_with(|| New {
                target: Arc::clone(target),
                requests: 0,
                moved: 0,
                tokens: 0,
                unknown: 0,
                cost: Money::ZERO,
            });
        new.requests += 1;
        new.moved += u64::from(row.target.as_deref() != Some(&*target.id));
        let Some(usage) = &row.usage else { return };
        new.tokens += usage.prompt.unwrap_or_default() + usage.completion.unwrap_or_default();
        let month = row
            .time
            .get(..7)
            .and_then(|month| month.parse::<Month>().ok());
        let price = target.price.as_ref();
        let cost = price.and_then(|price| price.cost(&counted(usage), month?));
        match cost {
            Some(cost) => new.cost += cost,
            None => new.unknown += 1,
        }
        match row.cost.and_then(Money::parse) {
            Some(cost) => {
                let currency = row.currency.unwrap_or_default();
                *self.spent.costs.entry(currency.to_owned()).or_default() += cost;
            }
            None => self.spent.unknown += 1,
        }
    }

    /// What became of all of them.
    pub fn finish(mut self) -> Replayed {
        let planned = self.new.values().map(|new| new.requests).sum();
        let mut currency = None;
        let mut targets = Vec::new();
        for (id, new) in &self.new {
            let mut old = self.old.remove(&**id).unwrap_or_default();
            let (first, answer) = (old.first_token.times(), old.answer.times());
            let price = new.target.price.as_ref();
            currency = currency.or_else(|| price.map(|price| price.currency.to_string()));
            targets.push(ToTarget {
                target: id.to_string(),
                requests: new.requests,
                share: share(new.requests, planned),
                before: old.answered,
                moved: new.moved,
                tokens: new.tokens,
                cost: price.map(|_| new.cost.to_string()),
                unpriced: new.unknown,
                measured: old.attempts,
                failed_share: share(old.failed, old.attempts),
                first_token_p50_ms: first.p50,
                answer_p50_ms: answer.p50,
                answer_p95_ms: answer.p95,
            });
        }
        let gone = self.old.into_iter().filter(|(_, old)| old.answered > 0);
        Replayed {
            records: self.intake.lines.records,
            lines: self.intake.lines,
            planned,
            cost: self
                .new
                .values()
                .map(|new| new.cost)
                .sum::<Money>()
                .to_string(),
            unpriced: self.new.values().map(|new| new.unknown).sum(),
            currency,
            targets,
            no_longer: gone.map(|(target, old)| (target, old.answered)).collect(),
            spent: (self.spent.costs.into_iter())
                .map(|(currency, cost)| (currency, cost.to_string()))
                .collect(),
            spent_unknown: self.spent.unknown,
            refused: self.refused,
            unplanned: (self.unplanned.into_iter())
                .map(|(why, records)| (why.to_owned(), records))
                .collect(),
        }
    }
}

/// The surfaces whose requests are planned.
fn surface(name: &str) -> Option<Surface> {
    let planned = [
        Surface::Chat,
        Surface::Completions,
        Surface::Embeddings,
        Surface::Responses,
        Surface::Messages,
    ];
    planned.into_iter().find(|surface| surface.name() == name)
}

fn counted(usage: &Tokens) -> Usage {
    Usage {
        prompt: usage.prompt,
        cached: usage.cached,
        cache_write: usage.cache_write,
        reasoning: usage.reasoning,
        completion: usage.completion,
        audio_input: usage.audio_input.and_then(Usage::sound),
        audio_output: usage.audio_output.and_then(Usage::sound),
    }
}
