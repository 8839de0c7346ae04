//! Which rule a request falls under, where it must stay, and what keeps targets from serving it.

use std::cell::OnceCell;

use http::HeaderMap;
use jiff::Timestamp;

use super::routing::Caller;
use super::{Gateway, usable};
use crate::chat::Look;
use crate::error::GatewayError;
use crate::plan::{Circumstances, Found, Plan, Selection, Sieve, choose};
use crate::record::Recorder;
use crate::snapshot::{Residency, Route, Rule, Select};

/// What is found in a request of personal data. No detector reads requests: each may hold anything, and a
/// rule for any class is for all of them.
pub(crate) fn found(_look: &Look<'_>) -> Found {
    Found::unknown()
}

/// A request under its rule.
pub(super) struct Ruled<'r> {
    rule: Option<&'r Rule>,
    pub(super) residency: Residency,
}

impl<'r> Ruled<'r> {
    /// The recorder is told of the rule.
    pub(super) fn of(
        caller: Caller<'_>,
        route: &'r Route,
        look: &Look<'_>,
        headers: &HeaderMap,
        recorder: &mut Recorder,
    ) -> Self {
        let rule = if route.rules.is_empty() {
            None
        } else {
            choose(
                &route.rules,
                &Circumstances {
                    key: caller.key,
                    identity: &caller.snapshot.identity,
                    headers,
                    look,
                    now: Timestamp::now(),
                    find: &|| found(look),
                    found: OnceCell::new(),
                },
            )
        };
        if let Some(rule) = rule {
            recorder.rule(&rule.name);
        }
        Self {
            rule,
            residency: Residency::of(caller.key, Some(route), rule),
        }
    }

    /// # Errors
    /// No target is left.
    pub(super) fn plan(
        &self,
        gateway: &Gateway,
        route: &Route,
        look: &Look<'_>,
        budgeted: bool,
        by: &Selection<'_>,
    ) -> Result<Plan, GatewayError> {
        let sieve = Sieve {
            look,
            residency: &self.residency,
            budgeted,
            usable: &|target| usable(gateway, target),
        };
        Plan::make(route, self.rule, &sieve, by, &mut fastrand::Rng::new())
    }

    /// Whether there is a place among whose members one is drawn for each conversation.
    pub(super) fn draws(&self, route: &Route) -> bool {
        let own = route.places.iter();
        let mut places = self
            .rule
            .map_or(&[][..], |rule| &rule.places)
            .iter()
            .chain(own);
        places.any(|place| place.members.len() > 1 && place.select == Select::Weighted)
    }
}
