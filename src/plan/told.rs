//! Which rule a request of the past would fall under, by what its record tells of it.
//!
//! A record holds no request, so a condition holds, does not, or is open. Where a rule is open that would
//! decide, the rule is only known where the record itself names it: it is taken to hold again.

use jiff::Timestamp;

use super::rules::{is_between, is_in, is_wanted};
use crate::snapshot::{Condition, Fact, Percent, Rule};

/// A provider's count of a prompt and our estimate of it may differ by this much, either way.
const MARGIN: u64 = 2;

/// What a record tells.
#[derive(Debug, Default)]
pub struct Told<'a> {
    /// The rule that it fell under.
    pub rule: Option<&'a str>,
    /// Tokens of its prompt, and whether that is our own estimate.
    pub prompt: Option<(u64, bool)>,
    pub stream: Option<bool>,
    pub key: Option<&'a str>,
    pub team: Option<&'a str>,
    pub service: Option<&'a str>,
    pub environment: Option<&'a str>,
    pub time: Option<Timestamp>,
    /// The classes of personal data that were found; others may not have been looked for.
    pub found: Vec<String>,
}

/// What can be said of a request's rule.
#[derive(Debug, Clone, Copy)]
pub enum Choice<'r> {
    Rule(&'r Rule),
    /// No rule holds.
    None,
    /// The record does not tell.
    Open,
}

/// The first of `rules` that holds, as [`choose`](super::choose) would find it.
pub fn choose_told<'r>(rules: &'r [Rule], told: &Told<'_>) -> Choice<'r> {
    let mut open = false;
    let mut named = None;
    for rule in rules {
        let holds = match holds_all(rule, told) {
            Some(false) => continue,
            Some(true) => true,
            None => false,
        };
        if holds && !open {
            return Choice::Rule(rule);
        }
        open = true;
        if told.rule == Some(&*rule.name) {
            named = Some(rule);
        }
        if holds {
            // None behind it is asked.
            break;
        }
    }
    match named {
        Some(rule) => Choice::Rule(rule),
        None if open => Choice::Open,
        None => Choice::None,
    }
}

/// `None` where a condition is open, and no other one says that the rule does not hold.
fn holds_all(rule: &Rule, told: &Told<'_>) -> Option<bool> {
    let mut all = Some(true);
    for condition in &rule.when {
        match holds(condition, told) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

fn holds(condition: &Condition, told: &Told<'_>) -> Option<bool> {
    match condition {
        Condition::PromptTokens { over, under } => {
            let (tokens, is_ours) = told.prompt?;
            let (least, most) = (tokens / MARGIN, tokens.saturating_mul(MARGIN));
            let is_near = |edge: &u64| !is_ours && (least..=most).contains(edge);
            let mut edges = over.iter().chain(under);
            (!edges.any(is_near)).then(|| is_between(tokens, *over, *under))
        }
        Condition::Stream(wanted) => told.stream.map(|stream| stream == *wanted),
        Condition::Caller { fact, wanted } => {
            let said = match fact {
                Fact::Key => told.key,
                Fact::Team => told.team,
                Fact::Service => told.service,
                Fact::Environment => told.environment,
            };
            Some(said.is_some_and(|said| is_wanted(wanted, said)))
        }
        Condition::Time(hours) => told.time.map(|time| is_in(hours, time)),
        Condition::Pii(classes) => {
            let mut classes = classes.iter();
            classes
                .any(|class| told.found.iter().any(|found| *found == **class))
                .then_some(true)
        }
        Condition::Share { percent, .. } => match *percent {
            Percent::ZERO => Some(false),
            Percent::ALL => Some(true),
            _ => None,
        },
        Condition::Tools(_)
        | Condition::Images(_)
        | Condition::Matches(_)
        | Condition::Metadata { .. }
        | Condition::Header { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn rule(name: &str, when: Vec<Condition>) -> Rule {
        Rule {
            name: name.into(),
            when,
            places: Vec::new(),
            only: false,
            residency: None,
        }
    }

    fn over(over: u64) -> Condition {
        Condition::PromptTokens {
            over: Some(over),
            under: None,
        }
    }

    fn key(name: &str) -> Condition {
        Condition::Caller {
            fact: Fact::Key,
            wanted: vec![Arc::from(name)],
        }
    }

    fn name(choice: Choice<'_>) -> String {
        match choice {
            Choice::Rule(rule) => rule.name.to_string(),
            Choice::None => "none".into(),
            Choice::Open => "open".into(),
        }
    }

    #[test]
    fn a_rule_holds_or_does_not_or_nobody_knows() {
        let told = Told {
            rule: None,
            prompt: Some((1000, false)),
            stream: Some(true),
            key: Some("k"),
            found: vec!["iin".into()],
            ..Told::default()
        };
        let pii = |class: &str| Condition::Pii(vec![class.into()]);
        for (when, expected) in [
            (vec![key("k")], "r"),
            (vec![key("other")], "none"),
            (vec![Condition::Stream(true), key("k")], "r"),
            // One that certainly does not hold settles it, whatever is open.
            (vec![Condition::Tools(true), key("other")], "none"),
            (vec![Condition::Tools(true), key("k")], "open"),
            (vec![over(100)], "r"),
            (vec![over(5000)], "none"),
            // Their count and our estimate may lie on two sides of it.
            (vec![over(1100)], "open"),
            (vec![over(900)], "open"),
            (vec![pii("iin")], "r"),
            // Nobody may have looked for it.
            (vec![pii("card")], "open"),
        ] {
            let shown: Vec<String> = when.iter().map(ToString::to_string).collect();
            let rules = [rule("r", when)];
            assert_eq!(name(choose_told(&rules, &told)), expected, "{shown:?}");
        }
        let ours = Told {
            prompt: Some((1000, true)),
            ..Told::default()
        };
        assert_eq!(name(choose_told(&[rule("r", vec![over(999)])], &ours)), "r");
    }

    #[test]
    fn what_is_open_is_as_the_record_says() {
        let open = || vec![Condition::Tools(true)];
        let rules = [
            rule("never", vec![key("other")]),
            rule("first", open()),
            rule("second", open()),
            rule("sure", vec![key("k")]),
            rule("behind", open()),
        ];
        for (recorded, expected) in [
            (None, "open"),
            (Some("first"), "first"),
            (Some("second"), "second"),
            (Some("sure"), "sure"),
            // It is not asked, as one before it holds.
            (Some("behind"), "open"),
            (Some("never"), "open"),
            (Some("gone"), "open"),
        ] {
            let told = Told {
                rule: recorded,
                key: Some("k"),
                ..Told::default()
            };
            assert_eq!(name(choose_told(&rules, &told)), expected, "{recorded:?}");
        }
    }
}
