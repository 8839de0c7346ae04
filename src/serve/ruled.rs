//! Which rule a request falls under, where it must stay, and what keeps targets from serving it.

use std::cell::OnceCell;
use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;

use super::routing::Caller;
use super::{Gateway, usable};
use crate::chat::{Look, Request};
use crate::error::GatewayError;
use crate::plan::{self, Circumstances, Found, Plan, Selection, Sieve, choose};
use crate::price::Month;
use crate::record::Recorder;
use crate::snapshot::{Residency, Route, Rule, Select};

/// What a request says beside its body to the rules of its route.
pub(super) fn beside(
    caller: Caller<'_>,
    route: Option<&Route>,
    request: &Request,
    headers: &HeaderMap,
) -> Arc<str> {
    let rules = route.map_or(&[][..], |route| &route.rules);
    if rules.is_empty() {
        return "".into();
    }
    let look = Look::at(request);
    let by = Circumstances {
        key: caller.key,
        identity: &caller.snapshot.identity,
        headers,
        look: &look,
        now: Timestamp::now(),
        find: &Found::unknown,
        found: OnceCell::new(),
    };
    plan::beside(rules, &by)
}

/// A request under its rule.
pub(super) struct Ruled<'r> {
    rule: Option<&'r Rule>,
    pub(super) residency: Residency,
}

impl<'r> Ruled<'r> {
    /// `find` tells what was found of personal data, where a rule asks for that.
    pub(super) fn of(
        caller: Caller<'_>,
        route: &'r Route,
        look: &Look<'_>,
        headers: &HeaderMap,
        find: &dyn Fn() -> Found,
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
                    find,
                    found: OnceCell::new(),
                },
            )
        };
        Self {
            rule,
            residency: Residency::of(caller.key, Some(route), rule),
        }
    }

    /// The recorder is told of the rule.
    pub(super) fn tell(&self, recorder: &mut Recorder) {
        if let Some(rule) = self.rule {
            recorder.rule(&rule.name);
        }
    }

    /// Whether it has fallen under a rule about personal data.
    pub(super) fn is_personal(&self) -> bool {
        self.rule.is_some_and(Rule::is_personal)
    }

    /// # Errors
    /// No target is left.
    pub(super) fn plan(
        &self,
        gateway: &Gateway,
        route: &Route,
        look: &Look<'_>,
        budget: Option<Month>,
        by: &Selection<'_>,
    ) -> Result<Plan, GatewayError> {
        let sieve = Sieve {
            look,
            residency: &self.residency,
            budget,
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
