//! The live routes and their rules, as JSON for people.

use serde::Serialize;

use crate::privacy::{Classes, Detectors};
use crate::snapshot::{self, Condition, Place, Route, Rule, Snapshot};

/// What `/api/routes` answers.
#[derive(Debug, Serialize)]
pub(super) struct Routes {
    routes: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    route: String,
    /// Other model strings that mean it.
    accepts: Vec<String>,
    residency: Option<String>,
    /// Null where nothing is done about personal data but by rules.
    privacy: Option<Privacy>,
    /// In fallback order; of a group, all that share the place.
    targets: Vec<Vec<String>>,
    /// In the order in which they are asked.
    rules: Vec<RuleRow>,
}

/// What becomes of which classes of personal data, as the operator writes it.
#[derive(Debug, Serialize)]
struct Privacy {
    observe: Vec<String>,
    mask: Vec<String>,
    block: Vec<String>,
    unmask: bool,
    unscannable: &'static str,
}

#[derive(Debug, Serialize)]
struct RuleRow {
    rule: String,
    when: Vec<String>,
    targets: Vec<Vec<String>>,
    only: bool,
    residency: Option<String>,
}

impl Routes {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let routes = snapshot.routes.values();
        Self {
            routes: routes.map(|route| Row::of(snapshot, route)).collect(),
        }
    }
}

impl Row {
    fn of(snapshot: &Snapshot, route: &Route) -> Self {
        let aliases = snapshot.aliases.iter();
        let mut accepts: Vec<String> = aliases
            .filter(|(_, meant)| meant.name == route.name)
            .map(|(alias, _)| alias.to_string())
            .collect();
        accepts.sort();
        Self {
            route: route.name.to_string(),
            accepts,
            residency: route.residency.as_deref().map(str::to_owned),
            privacy: (route.privacy.looks())
                .then(|| Privacy::of(&snapshot.detectors, &route.privacy)),
            targets: targets(&route.places),
            rules: route.rules.iter().map(RuleRow::of).collect(),
        }
    }
}

impl Privacy {
    fn of(detectors: &Detectors, privacy: &snapshot::Privacy) -> Self {
        let names = |classes: Classes| {
            let is_one = |name: &&str| detectors.class(name).is_some_and(|it| classes.has(it));
            let names = detectors.names().filter(is_one);
            names.map(str::to_owned).collect()
        };
        Self {
            observe: names(privacy.observe),
            mask: names(privacy.mask),
            block: names(privacy.block),
            unmask: privacy.unmask,
            unscannable: privacy.unscannable.name(),
        }
    }
}

impl RuleRow {
    fn of(rule: &Rule) -> Self {
        Self {
            rule: rule.name.to_string(),
            when: rule.when.iter().map(Condition::to_string).collect(),
            targets: targets(&rule.places),
            only: rule.only,
            residency: rule.residency.as_deref().map(str::to_owned),
        }
    }
}

fn targets(places: &[Place]) -> Vec<Vec<String>> {
    let members = |place: &Place| {
        let members = place.members.iter();
        members.map(|member| member.target.id.to_string()).collect()
    };
    places.iter().map(members).collect()
}
