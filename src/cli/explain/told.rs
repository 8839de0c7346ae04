//! How an explained plan is told: as text for people, as JSON for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::chat::Request;
use crate::plan::{Explanation, Filter};
use crate::serve::Decision;
use crate::snapshot::{Key, Residency, Route};

/// A plan, and what it is the plan of.
pub(super) struct Told<'a> {
    pub(super) explanation: &'a Explanation<'a>,
    pub(super) residency: &'a Residency,
    pub(super) request: &'a Request,
    /// What is done about personal data in it, where the route asks.
    pub(super) decision: Option<&'a Decision>,
    pub(super) which: Which<'a>,
}

/// Who asks for which route.
pub(super) struct Which<'a> {
    pub(super) route: &'a Route,
    pub(super) key: &'a Key,
    /// What keeps the key from being good.
    pub(super) refused: Option<&'static str>,
}

impl Which<'_> {
    /// Whether the key is good, and may use the route.
    pub(super) fn may(&self) -> bool {
        self.refused.is_none() && self.key.may_use(self.route)
    }
}

#[derive(Serialize)]
struct Json<'a> {
    route: &'a str,
    key: &'a str,
    /// Whether the key is good, and may use the route.
    permitted: bool,
    surface: &'static str,
    /// Of its prompt, about.
    tokens: u64,
    /// Null where the route does not ask.
    privacy: Option<PrivacyRow<'a>>,
    rule: Option<&'a str>,
    rules: Vec<RuleRow<'a>>,
    residency: Vec<&'a str>,
    /// What the operator has named for it, in order.
    named: Vec<&'a str>,
    removed: Vec<RemovedRow<'a>>,
    plan: Vec<&'a str>,
    /// Why nothing is left of it.
    empty: Option<String>,
    unexpected: &'a [String],
}

/// As the record has it, and what more there is to tell.
#[derive(Serialize)]
struct PrivacyRow<'a> {
    found: BTreeMap<&'a str, u64>,
    action: Option<&'static str>,
    unscannable: &'a [&'static str],
    /// What the caller would be told.
    refused: Option<String>,
}

#[derive(Serialize)]
struct RuleRow<'a> {
    name: &'a str,
    matches: bool,
    /// The first condition that does not hold, and what the request has instead.
    unmet: Option<&'a str>,
    seen: Option<&'a str>,
}

#[derive(Serialize)]
struct RemovedRow<'a> {
    target: &'a str,
    filter: Filter,
    why: &'a str,
}

impl Told<'_> {
    /// Whether it is sent at all, for what it holds.
    pub(super) fn goes(&self) -> bool {
        self.decision.is_none_or(|it| it.refusal.is_none())
    }

    pub(super) fn tell(
        &self,
        json: bool,
        unexpected: &[String],
        out: &mut impl Write,
    ) -> io::Result<()> {
        if json {
            serde_json::to_writer_pretty(&mut *out, &self.json(unexpected))?;
            return writeln!(out);
        }
        self.text(out)?;
        for line in unexpected {
            writeln!(out, "not as expected: {line}")?;
        }
        Ok(())
    }

    fn json<'a>(&'a self, unexpected: &'a [String]) -> Json<'a> {
        let Explanation {
            rules,
            rule,
            named,
            removed,
            plan,
        } = self.explanation;
        let rules = rules.iter().map(|told| RuleRow {
            name: &told.rule.name,
            matches: told.unmet.is_none(),
            unmet: told.unmet.as_ref().map(|unmet| &*unmet.condition),
            seen: told.unmet.as_ref().and_then(|unmet| unmet.seen.as_deref()),
        });
        let removed = removed.iter().map(|removed| RemovedRow {
            target: &removed.target.id,
            filter: removed.filter,
            why: &removed.why,
        });
        Json {
            route: &self.which.route.name,
            key: &self.which.key.id,
            permitted: self.which.may(),
            surface: self.request.surface.name(),
            tokens: self.request.tokens,
            privacy: self.decision.map(|decision| PrivacyRow {
                found: (decision.found.iter())
                    .map(|(class, count)| (&**class, *count))
                    .collect(),
                action: decision.action,
                unscannable: &decision.unscannable,
                refused: decision.refusal.as_ref().map(ToString::to_string),
            }),
            rule: rule.map(|rule| &*rule.name),
            rules: rules.collect(),
            residency: self.residency.places().collect(),
            named: named.iter().map(|target| &*target.id).collect(),
            removed: removed.collect(),
            plan: plan.iter().map(|target| &*target.id).collect(),
            empty: self.explanation.emptied(),
            unexpected,
        }
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let Which {
            route,
            key,
            refused,
        } = &self.which;
        let explanation = self.explanation;
        writeln!(out, "route `{}`, for the key `{}`", route.name, key.id)?;
        let request = self.request;
        let (surface, tokens) = (request.surface.name(), request.tokens);
        writeln!(out, "request: {surface}, about {tokens} tokens of prompt")?;
        if let Some(decision) = self.decision {
            personal(decision, out)?;
        }
        for told in &explanation.rules {
            let name = &told.rule.name;
            match &told.unmet {
                None => writeln!(out, "rule `{name}`: matches")?,
                Some(unmet) => {
                    write!(out, "rule `{name}`: no, not {}", unmet.condition)?;
                    match &unmet.seen {
                        Some(seen) => writeln!(out, " ({seen})")?,
                        None => writeln!(out)?,
                    }
                }
            }
        }
        if self.residency.places().next().is_some() {
            writeln!(out, "must stay within {}", self.residency)?;
        }
        let named: Vec<&str> = explanation.named.iter().map(|it| &*it.id).collect();
        writeln!(out, "targets: {}", named.join(", "))?;
        let permission = match refused {
            Some(why) => format!("is {why}"),
            None if self.which.may() => "may use the route".to_owned(),
            None => "may not use the route".to_owned(),
        };
        writeln!(out, "filter permission: the key {permission}")?;
        for filter in Filter::ALL {
            let removed = explanation.removed.iter().filter(|it| it.filter == filter);
            let removed: Vec<String> = removed.map(ToString::to_string).collect();
            let told = match (&*removed, filter) {
                ([], Filter::Health) => "of the targets' health nothing is known here".to_owned(),
                ([], Filter::Capability | Filter::Residency | Filter::Budget) => {
                    "removes none".to_owned()
                }
                (removed, _) => format!("removes {}", removed.join("; ")),
            };
            writeln!(out, "filter {}: {told}", filter.name())?;
        }
        if let Some(why) = explanation.emptied() {
            return writeln!(out, "plan: empty, {why}");
        }
        let plan: Vec<&str> = explanation.plan.iter().map(|it| &*it.id).collect();
        writeln!(out, "plan: {}", plan.join(", "))
    }
}

fn personal(decision: &Decision, out: &mut impl Write) -> io::Result<()> {
    let found = decision.found.iter();
    let mut told: Vec<String> = found
        .map(|(class, count)| format!("{class} {count}"))
        .collect();
    told.extend(
        decision
            .unscannable
            .iter()
            .map(|what| format!("{what} that cannot be read")),
    );
    if told.is_empty() {
        told.push("none found".into());
    }
    let action = match (&decision.refusal, decision.action) {
        (Some(refusal), _) => format!("; refused: {refusal}"),
        (None, Some("mask")) => "; masked".to_owned(),
        (None, _) => String::new(),
    };
    writeln!(out, "personal data: {}{action}", told.join(", "))
}
