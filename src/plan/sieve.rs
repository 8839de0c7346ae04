//! Which of its targets a request may not go to, and which filter says so.

use std::fmt;
use std::sync::Arc;

use crate::chat::{Look, Surface};
use crate::price::Month;
use crate::snapshot::{Residency, Target};

/// What removes targets, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Whether it can do what is asked for.
    Capability,
    /// Whether it is where the request must stay.
    Residency,
    /// Whether what it costs can be counted, where a budget must be held.
    Budget,
    /// Whether it can be asked at all.
    Health,
}

impl Filter {
    pub const ALL: [Self; 4] = [
        Self::Capability,
        Self::Residency,
        Self::Budget,
        Self::Health,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Capability => "capability",
            Self::Residency => "residency",
            Self::Budget => "budget",
            Self::Health => "health",
        }
    }
}

/// A target that is not in the plan.
#[derive(Debug, Clone)]
pub struct Removed {
    pub target: Arc<Target>,
    pub filter: Filter,
    /// What it lacks: goes behind the target's name.
    pub why: String,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.target.told(), self.why)
    }
}

/// The filters, as they stand for one request.
pub struct Sieve<'a> {
    pub look: &'a Look<'a>,
    pub residency: &'a Residency,
    /// Where a budget is to be held: the month whose prices must be known for that. What costs nothing says
    /// so: `price: { input: 0, output: 0 }`.
    pub budget: Option<Month>,
    /// Why a target cannot be asked at all, if it cannot.
    pub usable: &'a dyn Fn(&Target) -> Result<(), String>,
}

impl fmt::Debug for Sieve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sieve")
            .field("residency", &self.residency)
            .finish_non_exhaustive()
    }
}

impl Sieve<'_> {
    /// Takes out of `targets` what a filter removes, one filter after the other, until none are left.
    pub fn sift(&self, targets: &mut Vec<Arc<Target>>) -> Vec<Removed> {
        let mut removed = Vec::new();
        for filter in Filter::ALL {
            let before = removed.len();
            targets.retain(|target| match self.lacks(filter, target) {
                None => true,
                Some(why) => {
                    let target = Arc::clone(target);
                    removed.push(Removed {
                        target,
                        filter,
                        why,
                    });
                    false
                }
            });
            if filter == Filter::Capability {
                self.prefer_able(targets, &mut removed);
            }
            if targets.is_empty() && removed.len() > before {
                break;
            }
        }
        removed
    }

    fn lacks(&self, filter: Filter, target: &Target) -> Option<String> {
        match filter {
            Filter::Capability => self.cannot(target),
            Filter::Residency if self.residency.admits(&target.provider) => None,
            Filter::Residency => Some(outside(self.residency)),
            Filter::Budget => {
                let is_known = |month| target.price.as_ref().is_some_and(|it| it.is_known(month));
                (!self.budget.is_none_or(is_known)).then(|| UNPRICED.into())
            }
            Filter::Health => (self.usable)(target).err(),
        }
    }

    /// What the operator says that it cannot do, of what is asked for.
    fn cannot(&self, target: &Target) -> Option<String> {
        let can = target.can;
        if can.tools == Some(false) && self.tools() {
            return Some(NO_TOOLS.into());
        }
        if can.images == Some(false) && self.look.images() {
            return Some(NO_IMAGES.into());
        }
        if can.json_schema == Some(false) && self.look.json_schema() {
            return Some("cannot be held to a JSON schema".into());
        }
        self.too_long(target.context?)
    }

    /// What is built in about a model may be out of date: it removes a target only where another is left.
    fn prefer_able(&self, targets: &mut Vec<Arc<Target>>, removed: &mut Vec<Removed>) {
        let doubtful = |target: &Arc<Target>| self.probably_cannot(target).is_some();
        if targets.iter().all(doubtful) {
            return;
        }
        targets.retain(|target| match self.probably_cannot(target) {
            None => true,
            Some(why) => {
                removed.push(Removed {
                    target: Arc::clone(target),
                    filter: Filter::Capability,
                    why,
                });
                false
            }
        });
    }

    /// What its model's family cannot do, where the operator has not said anything of it. Whether that can
    /// be held to a schema is settled by its dialect.
    fn probably_cannot(&self, target: &Target) -> Option<String> {
        let (can, facts) = (target.can, &target.facts);
        if can.tools.is_none() && !facts.tools && self.tools() {
            return Some(NO_TOOLS.into());
        }
        if can.images.is_none() && !facts.images && self.look.images() {
            return Some(NO_IMAGES.into());
        }
        let known = facts.context.filter(|_| target.context.is_none());
        self.too_long(known?)
    }

    fn tools(&self) -> bool {
        self.look.request().is_some_and(|request| request.tools)
    }

    /// The estimate may be a quarter too high, and a refusal that was not needed is worse than one more
    /// try: so much is granted. Embeddings are many prompts, and a count is asked of what may be too long.
    fn too_long(&self, context: u64) -> Option<String> {
        let request = self.look.request()?;
        match request.surface {
            Surface::Chat | Surface::Completions | Surface::Responses | Surface::Messages => {}
            Surface::CountTokens | Surface::Embeddings | Surface::Models | Surface::Passthrough => {
                return None;
            }
        }
        let tokens = request.tokens;
        (tokens / 4 * 3 > context)
            .then(|| format!("has a context of {context} tokens, and the prompt is about {tokens}"))
    }
}

const NO_TOOLS: &str = "takes no tools";
const NO_IMAGES: &str = "sees no images";
const UNPRICED: &str = "has no price that is known, and a budget cannot be held without it";

/// What a target is that the demands on a request keep out.
fn outside(residency: &Residency) -> String {
    format!("is not within {residency}")
}

/// Why a plan is empty: the filter that removed the last of its targets, and what it says of each.
pub(super) fn emptied(removed: &[Removed]) -> String {
    let Some(last) = removed.last() else {
        return "the route is empty".into();
    };
    let of_last = removed.iter().filter(|it| it.filter == last.filter);
    let each: Vec<String> = of_last.map(Removed::to_string).collect();
    let left = if each.len() == removed.len() {
        "no target"
    } else {
        "none of those left"
    };
    format!(
        "{left} passes the filter `{}`: {}",
        last.filter.name(),
        each.join("; ")
    )
}
