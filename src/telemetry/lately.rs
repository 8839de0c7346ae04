//! What the last hour was like, by route and provider: what a plot is drawn of.
//!
//! Pure: every instant is an argument. A slot of twenty seconds that saw no request takes no room, nor
//! does a process that serves none; all slots together take some hundred KiB at most.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Label;
use super::times::Times;
use crate::price::Money;

/// How long a slot is.
const SLOT: Duration = Duration::from_secs(20);
/// How many are kept: those of an hour.
const SLOTS: u64 = 180;
/// How many routes and providers are told apart in a slot; what comes on top is told as one.
const ROWS: usize = 16;
const OTHERS: Label = Label::Word("others");
/// How many slots are the last five minutes.
const OF_LATE: u64 = 15;
/// Sums of requests by the slot in which they ended.
#[derive(Debug)]
pub struct Lately {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The oldest first; only those that saw a request.
    slots: VecDeque<Slot>,
    /// Of all costs here. Another one begins them anew.
    currency: Option<Arc<str>>,
}

#[derive(Debug)]
struct Slot {
    number: u64,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    route: Label,
    provider: Label,
    sums: Sums,
}

/// One request, as it ended.
#[derive(Debug)]
pub struct Sample {
    pub route: Label,
    /// Whose answer it got.
    pub provider: Label,
    /// Not served, or broken off; not where the caller went away, or has asked for what cannot be.
    pub is_failed: bool,
    /// Whether more than one target was asked.
    pub is_switched: bool,
    pub first_token: Option<Duration>,
    pub cost: Option<(Money, Arc<str>)>,
}

#[derive(Debug, Clone, Default)]
struct Sums {
    requests: u32,
    failed: u32,
    switched: u32,
    cost: Money,
    first_tokens: Times,
}

/// By what requests are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Route,
    Provider,
}

/// The last hour as it is shown. A slot's number is how many slots ago it was: 0 is the one that runs.
#[derive(Debug, Serialize)]
pub struct Hour {
    slot_seconds: u64,
    slots: u64,
    /// How much of the running slot is over.
    elapsed_seconds: u64,
    currency: Option<String>,
    /// All together, in the last five minutes.
    of_late: Total,
    groups: Vec<Group>,
}

#[derive(Debug, Default, Serialize)]
struct Total {
    seconds: u64,
    requests: u32,
    failed: u32,
    switched: u32,
    /// A decimal number as text.
    cost: String,
    p50_ms: Option<u64>,
    p95_ms: Option<u64>,
}

/// Columns of the same length, a place for each slot that saw a request, the oldest first.
#[derive(Debug, Default, Serialize)]
struct Group {
    name: String,
    slots_ago: Vec<u64>,
    requests: Vec<u32>,
    failed: Vec<u32>,
    switched: Vec<u32>,
    cost: Vec<String>,
    p50_ms: Vec<Option<u64>>,
    p95_ms: Vec<Option<u64>>,
}

impl Lately {
    pub fn new(began: Instant) -> Self {
        Self {
            began,
            state: Mutex::default(),
        }
    }

    pub(crate) fn add(&self, sample: Sample, now: Instant) {
        let number = self.number(now);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget(number);
        let cost = sample.cost.map(|(cost, currency)| {
            state.count_in(currency);
            cost
        });
        let sums = state.slot(number).sums(sample.route, sample.provider);
        sums.requests += 1;
        sums.failed += u32::from(sample.is_failed);
        sums.switched += u32::from(sample.is_switched);
        sums.cost += cost.unwrap_or_default();
        if let Some(first_token) = sample.first_token {
            sums.first_tokens.add(first_token);
        }
    }

    /// The last hour, by route or by provider.
    pub fn show(&self, by: By, now: Instant) -> Hour {
        let number = self.number(now);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget(number);
        let running = SLOT * u32::try_from(number).unwrap_or(u32::MAX);
        let elapsed = now.saturating_duration_since(self.began);
        let elapsed = elapsed.saturating_sub(running);
        Hour {
            slot_seconds: SLOT.as_secs(),
            slots: SLOTS,
            elapsed_seconds: elapsed.as_secs(),
            currency: state.currency.as_deref().map(str::to_owned),
            of_late: state.of_late(number, elapsed),
            groups: state.groups(by, number),
        }
    }

    fn number(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / SLOT.as_secs()
    }
}

impl State {
    /// What is older than an hour.
    fn forget(&mut self, number: u64) {
        let is_old = |slot: &Slot| slot.number + SLOTS <= number;
        while self.slots.front().is_some_and(is_old) {
            self.slots.pop_front();
        }
    }

    fn count_in(&mut self, currency: Arc<str>) {
        if self.currency.as_ref() == Some(&currency) {
            return;
        }
        let slots = self.slots.iter_mut();
        for row in slots.flat_map(|slot| &mut slot.rows) {
            row.sums.cost = Money::default();
        }
        self.currency = Some(currency);
    }

    /// The slot of that number, or the newest one: of two requests that end at once on two threads, the
    /// one that is told last may have ended first.
    fn slot(&mut self, number: u64) -> &mut Slot {
        let is_there = |slot: &Slot| slot.number >= number;
        if !self.slots.back().is_some_and(is_there) {
            let rows = Vec::new();
            self.slots.push_back(Slot { number, rows });
        }
        let newest = self.slots.len() - 1;
        &mut self.slots[newest]
    }

    fn of_late(&self, number: u64, elapsed: Duration) -> Total {
        let slots = self.slots.iter();
        let late = slots.filter(|slot| slot.number + OF_LATE > number);
        let mut all = Sums::default();
        for row in late.flat_map(|slot| &slot.rows) {
            all.add(&row.sums);
        }
        Total {
            seconds: SLOT.as_secs() * number.min(OF_LATE - 1) + elapsed.as_secs(),
            requests: all.requests,
            failed: all.failed,
            switched: all.switched,
            p50_ms: all.first_tokens.quantile(0.5),
            p95_ms: all.first_tokens.quantile(0.95),
            cost: all.cost.to_string(),
        }
    }

    fn groups(&self, by: By, number: u64) -> Vec<Group> {
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        for slot in &self.slots {
            let mut of_slot: BTreeMap<&str, Sums> = BTreeMap::new();
            for row in &slot.rows {
                let name = match by {
                    By::Route => &row.route,
                    By::Provider => &row.provider,
                };
                of_slot.entry(name.as_str()).or_default().add(&row.sums);
            }
            for (name, sums) in of_slot {
                let group = groups.entry(name).or_insert_with(|| Group::of(name));
                group.push(number - slot.number.min(number), &sums);
            }
        }
        groups.into_values().collect()
    }
}

impl Slot {
    fn sums(&mut self, route: Label, provider: Label) -> &mut Sums {
        let is_it = |row: &Row| row.route == route && row.provider == provider;
        let place = self.rows.iter().position(is_it).unwrap_or_else(|| {
            let is_full = self.rows.len() >= ROWS;
            let (route, provider) = if is_full {
                (OTHERS, OTHERS)
            } else {
                (route, provider)
            };
            let sums = Sums::default();
            if self.rows.len() <= ROWS {
                self.rows.push(Row {
                    route,
                    provider,
                    sums,
                });
            }
            self.rows.len() - 1
        });
        &mut self.rows[place].sums
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.switched += other.switched;
        self.cost += other.cost;
        self.first_tokens.join(&other.first_tokens);
    }
}

impl Group {
    fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    fn push(&mut self, slots_ago: u64, sums: &Sums) {
        self.slots_ago.push(slots_ago);
        self.requests.push(sums.requests);
        self.failed.push(sums.failed);
        self.switched.push(sums.switched);
        self.cost.push(sums.cost.to_string());
        self.p50_ms.push(sums.first_tokens.quantile(0.5));
        self.p95_ms.push(sums.first_tokens.quantile(0.95));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(route: &'static str, first_token: u64) -> Sample {
        Sample {
            route: Label::Word(route),
            provider: Label::Word("north"),
            is_failed: false,
            is_switched: false,
            first_token: Some(Duration::from_millis(first_token)),
            cost: Some((Money::parse("1").unwrap(), "USD".into())),
        }
    }

    fn shown(lately: &Lately, by: By, now: Instant) -> serde_json::Value {
        serde_json::to_value(lately.show(by, now)).unwrap()
    }

    #[test]
    fn slots_are_summed_by_route_or_by_provider() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let lately = Lately::new(start);
        lately.add(sample("a", 100), at(1));
        lately.add(sample("a", 1000), at(19));
        let failed = Sample {
            provider: Label::NONE,
            is_failed: true,
            is_switched: true,
            first_token: None,
            cost: None,
            ..sample("b", 0)
        };
        lately.add(failed, at(45));
        let hour = shown(&lately, By::Route, at(50));
        assert_eq!(hour["elapsed_seconds"], 10);
        assert_eq!(hour["currency"], "USD");
        let groups = &hour["groups"];
        assert_eq!(groups[0]["name"], "a");
        assert_eq!(groups[0]["slots_ago"], serde_json::json!([2]));
        assert_eq!(groups[0]["requests"], serde_json::json!([2]));
        assert_eq!(groups[0]["cost"], serde_json::json!(["2.00"]));
        assert_eq!(groups[1]["failed"], serde_json::json!([1]));
        assert_eq!(groups[1]["p50_ms"], serde_json::json!([null]));
        let late = &hour["of_late"];
        assert_eq!(
            (&late["seconds"], &late["requests"]),
            (&50.into(), &3.into())
        );
        let hour = shown(&lately, By::Provider, at(50));
        assert_eq!(hour["groups"][0]["name"], "-");
        assert_eq!(hour["groups"][1]["name"], "north");
    }

    #[test]
    fn an_hour_is_kept_and_no_more_rows_than_there_is_room_for() {
        let start = Instant::now();
        let at = |slot: u64| start + SLOT * u32::try_from(slot).unwrap();
        let lately = Lately::new(start);
        for slot in 0..2 * SLOTS {
            lately.add(sample("a", 1), at(slot));
        }
        let last = at(2 * SLOTS - 1);
        // One that ended before it was told, in the slot before.
        lately.add(sample("a", 1), at(2 * SLOTS - 2));
        let hour = shown(&lately, By::Route, last);
        let requests = hour["groups"][0]["requests"].as_array().unwrap();
        assert_eq!(requests.len() as u64, SLOTS);
        assert_eq!(requests.last(), Some(&2.into()));
        assert_eq!(hour["of_late"]["requests"], OF_LATE + 1);
        let names = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
            "16", "17",
        ];
        let later = last + SLOT * 200;
        for name in names {
            lately.add(sample(name, 1), later);
        }
        let hour = shown(&lately, By::Route, later);
        let groups = hour["groups"].as_array().unwrap();
        assert_eq!(groups.len(), ROWS + 1);
        let others = groups
            .iter()
            .find(|group| group["name"] == "others")
            .unwrap();
        assert_eq!(others["requests"], serde_json::json!([2]));
    }

    #[test]
    fn another_currency_begins_anew() {
        let start = Instant::now();
        let lately = Lately::new(start);
        lately.add(sample("a", 1), start);
        let tenge = Some((Money::parse("5").unwrap(), "KZT".into()));
        lately.add(
            Sample {
                cost: tenge,
                ..sample("a", 1)
            },
            start,
        );
        let hour = shown(&lately, By::Route, start);
        assert_eq!(hour["currency"], "KZT");
        assert_eq!(hour["of_late"]["cost"], "5.00");
    }
}
