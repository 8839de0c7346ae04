//! What many records come to, group by group.

use std::collections::{BTreeMap, HashMap};

use smallvec::SmallVec;

use super::costs::Costs;
use super::intake::{Intake, Lines, Span};
use super::row::{Row, Tokens};
use super::samples::Samples;

/// What records are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Team,
    Service,
    Environment,
    Route,
    Provider,
    Model,
    Target,
    Key,
    Day,
}

impl By {
    pub const ALL: [Self; 9] = [
        Self::Team,
        Self::Service,
        Self::Environment,
        Self::Route,
        Self::Provider,
        Self::Model,
        Self::Target,
        Self::Key,
        Self::Day,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Service => "service",
            Self::Environment => "environment",
            Self::Route => "route",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Target => "target",
            Self::Key => "key",
            Self::Day => "day",
        }
    }

    fn of<'r>(self, row: &'r Row<'_>) -> Option<&'r str> {
        match self {
            Self::Team => row.team.as_deref(),
            Self::Service => row.service.as_deref(),
            Self::Environment => row.environment.as_deref(),
            Self::Route => row.route.as_deref(),
            Self::Provider => row.provider.as_deref(),
            Self::Model => row.model.as_deref(),
            Self::Target => row.target.as_deref(),
            Self::Key => row.key.as_deref(),
            Self::Day => row.time.get(..10),
        }
    }
}

/// What the requests of one group come to.
#[derive(Debug, Clone, Default)]
pub struct Group {
    pub requests: u64,
    /// Those that ended otherwise than well, but for those whose caller left.
    pub errors: u64,
    pub cancelled: u64,
    /// Why they did not end well.
    pub reasons: BTreeMap<String, u64>,
    /// Those for which more than one target was asked.
    pub fell_back: u64,
    pub first_token: Samples,
    pub total: Samples,
    pub prompt: u64,
    pub cached: u64,
    pub cache_write: u64,
    pub reasoning: u64,
    pub completion: u64,
    /// Those whose tokens are known; for how many they are estimated; how many of them have no cost.
    pub counted: u64,
    pub estimated: u64,
    pub unpriced: u64,
    pub(super) costs: Costs,
    /// Those in which personal data was found, and by its class.
    pub personal: u64,
    pub classes: BTreeMap<String, u64>,
}

impl Group {
    fn add(&mut self, row: &Row<'_>) {
        self.requests += 1;
        if row.outcome != "ok" {
            let is_cancelled = row.outcome == "cancelled";
            self.cancelled += u64::from(is_cancelled);
            self.errors += u64::from(!is_cancelled);
            add(
                &mut self.reasons,
                row.reason.as_deref().unwrap_or(row.outcome),
            );
        }
        self.fell_back += u64::from(row.fell_back());
        if let Some(ms) = row.first_token_ms {
            self.first_token.push(ms);
        }
        if let Some(ms) = row.total_ms {
            self.total.push(ms);
        }
        if let Some(usage) = &row.usage {
            self.spend(row, usage);
        }
        let before = self.personal;
        row.classes(|class| {
            self.personal = before + 1;
            add(&mut self.classes, class);
        });
    }

    fn spend(&mut self, row: &Row<'_>, usage: &Tokens) {
        self.counted += 1;
        self.estimated += u64::from(usage.estimated);
        let sums = [
            (&mut self.prompt, usage.prompt),
            (&mut self.cached, usage.cached),
            (&mut self.cache_write, usage.cache_write),
            (&mut self.reasoning, usage.reasoning),
            (&mut self.completion, usage.completion),
        ];
        for (sum, tokens) in sums {
            *sum += tokens.unwrap_or_default();
        }
        self.unpriced += u64::from(!self.costs.add(row, usage));
    }

    /// Takes what `other` comes to, too.
    fn merge(&mut self, other: &Self) {
        self.first_token.extend(&other.first_token);
        self.total.extend(&other.total);
        for (mine, theirs) in [
            (&mut self.requests, other.requests),
            (&mut self.errors, other.errors),
            (&mut self.cancelled, other.cancelled),
            (&mut self.fell_back, other.fell_back),
            (&mut self.prompt, other.prompt),
            (&mut self.cached, other.cached),
            (&mut self.cache_write, other.cache_write),
            (&mut self.reasoning, other.reasoning),
            (&mut self.completion, other.completion),
            (&mut self.counted, other.counted),
            (&mut self.estimated, other.estimated),
            (&mut self.unpriced, other.unpriced),
            (&mut self.personal, other.personal),
        ] {
            *mine += theirs;
        }
        self.costs.merge(&other.costs);
        for (mine, theirs) in [
            (&mut self.reasons, &other.reasons),
            (&mut self.classes, &other.classes),
        ] {
            for (name, count) in theirs {
                *mine.entry(name.clone()).or_default() += count;
            }
        }
    }
}

/// One more of `name`; most are there already.
fn add(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}

/// Records on their way into groups.
#[derive(Debug)]
pub struct Tally {
    by: Vec<By>,
    intake: Intake,
    /// The values that records are grouped by, each once; `names` holds them by number.
    numbers: HashMap<String, u32>,
    names: Vec<String>,
    groups: HashMap<SmallVec<[u32; 4]>, Group>,
}

/// Where a record says nothing. No value has this number.
const NOTHING: u32 = u32::MAX;

/// All groups by their values, in order, and what they come to together.
#[derive(Debug)]
pub struct Grouped {
    pub by: Vec<By>,
    pub lines: Lines,
    pub groups: Vec<(Vec<Option<String>>, Group)>,
    pub total: Group,
}

impl Tally {
    pub fn new(by: Vec<By>, span: Span) -> Self {
        Self {
            by,
            intake: Intake::new(span),
            numbers: HashMap::new(),
            names: Vec::new(),
            groups: HashMap::new(),
        }
    }

    /// Takes a line of a file, without its line feed; its last may have had none.
    pub fn line(&mut self, text: &[u8], is_unended: bool) {
        let Some(row) = self.intake.take(text, is_unended) else {
            return;
        };
        let mut key = SmallVec::new();
        for by in &self.by {
            key.push(match by.of(&row) {
                None => NOTHING,
                Some(value) => {
                    if let Some(number) = self.numbers.get(value) {
                        *number
                    } else {
                        let number = u32::try_from(self.names.len()).unwrap_or(NOTHING);
                        self.numbers.insert(value.to_owned(), number);
                        self.names.push(value.to_owned());
                        number
                    }
                }
            });
        }
        self.groups.entry(key).or_default().add(&row);
    }

    pub fn finish(self) -> Grouped {
        let Self {
            by,
            intake,
            names,
            groups,
            ..
        } = self;
        let mut total = Group::default();
        let mut named: Vec<_> = groups
            .into_iter()
            .map(|(key, group)| {
                total.merge(&group);
                let name = |number: u32| names.get(usize::try_from(number).ok()?).cloned();
                (key.into_iter().map(name).collect::<Vec<_>>(), group)
            })
            .collect();
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        Grouped {
            by,
            lines: intake.lines,
            groups: named,
            total,
        }
    }
}
