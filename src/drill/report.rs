//! What a drill found, and what it means for the users of the application.
//!
//! Pure.

use std::time::Duration;

use crate::check::judge::seconds;
use crate::check::report::Word;
use crate::price::Money;
use crate::simulate::Gone;

/// An answer that takes so much longer than before is one that a user waits for.
const SLOWER: u32 = 3;
const SLOWER_BY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Report {
    pub(super) route: String,
    pub(super) fault: Gone,
    /// The target that was cut, and its provider.
    pub(super) primary: String,
    pub(super) provider: String,
    /// The targets at other providers.
    pub(super) backups: Vec<String>,
    /// The first request that may have met the outage; none when nothing was sent.
    pub(super) cut: Option<usize>,
    /// Whether that one was waiting for its answer.
    pub(super) in_flight: bool,
    pub(super) before: Times,
    pub(super) after: Times,
    pub(super) switch: Option<Switch>,
    pub(super) calls: Calls,
    /// Answers of others that could be compared with the primary's.
    pub(super) compared: usize,
    /// What would reach an application, and what is only worth knowing.
    pub(super) differences: Vec<Difference>,
    pub(super) schema_notes: Vec<Difference>,
    pub(super) targets: Vec<Spent>,
    pub(super) causes: Vec<Cause>,
    pub(super) failed: Vec<Failed>,
    pub(super) notes: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) requests: usize,
    pub(super) failed: usize,
    /// p50, p95, worst.
    pub(super) total: [Option<Duration>; 3],
    pub(super) first_token: [Option<Duration>; 3],
}

#[derive(Debug)]
pub(super) struct Switch {
    pub(super) to: String,
    /// From the cut to the end of that answer.
    pub(super) after: Duration,
    pub(super) request: usize,
}

#[derive(Debug)]
pub(super) struct Calls {
    pub(super) made: usize,
    /// Answers with a call at least.
    pub(super) answers: usize,
    /// In plain words, one each.
    pub(super) repeated: Vec<String>,
    /// The targets whose calls have the same ids in every answer.
    pub(super) alike: Vec<String>,
}

/// An answer unlike all of the primary's.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) target: String,
    pub(super) form: &'static str,
    pub(super) word: Word,
    pub(super) said: Vec<String>,
    /// How many answers were like that.
    pub(super) answers: usize,
}

#[derive(Debug)]
pub(super) struct Spent {
    pub(super) target: String,
    /// Good ones.
    pub(super) answers: usize,
    pub(super) attempts: usize,
    /// Attempts without an answer that the provider may charge for all the same.
    pub(super) unanswered: usize,
    /// Answers that came without usage.
    pub(super) uncounted: usize,
    pub(super) prompt: u64,
    pub(super) completion: u64,
    /// Where the price is known.
    pub(super) cost: Option<Money>,
}

/// Attempts that came to the same nothing.
#[derive(Debug)]
pub(super) struct Cause {
    pub(super) target: String,
    pub(super) class: String,
    pub(super) reason: String,
    pub(super) attempts: usize,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) request: usize,
    pub(super) form: &'static str,
    pub(super) after: Duration,
    pub(super) said: String,
}

/// Whether users would have noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noticed {
    No,
    /// They would have waited, and got what they asked for.
    Waited,
    Yes,
}

impl Noticed {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Waited => "waited",
            Self::Yes => "yes",
        }
    }
}

impl Report {
    /// Whether every request had a good answer, once.
    pub fn is_fine(&self) -> bool {
        self.troubles().is_empty()
    }

    /// Why users would have noticed more than a wait.
    fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        if self.backups.is_empty() {
            troubles.push(format!(
                "there is NO BACKUP: every target of the route is at `{}`; add one of another provider to `routes.{}.targets`",
                self.provider, self.route
            ));
        }
        let failed = self.failed.len();
        if failed > 0 {
            let all = self.before.requests + self.after.requests;
            troubles.push(format!(
                "{failed} of {all} requests FAILED, {} of them after the cut",
                self.after.failed
            ));
        }
        if !self.calls.repeated.is_empty() {
            let repeated = self.calls.repeated.len();
            troubles.push(format!("{repeated} tool calls were REPEATED"));
        }
        if !self.differences.is_empty() {
            let mut targets: Vec<&str> = Vec::new();
            for difference in &self.differences {
                if !targets.contains(&&*difference.target) {
                    targets.push(&difference.target);
                }
            }
            troubles.push(format!(
                "the answers of {} DIFFER in a way that reaches the application",
                targets.join(", ")
            ));
        }
        troubles
    }

    /// A wait that was not there before.
    fn wait(&self) -> Option<String> {
        let longer = |before: &[Option<Duration>; 3], after: &[Option<Duration>; 3], what: &str| {
            let (before, after) = (before[1]?, after[1]?);
            let noticed = after > before * SLOWER && after > before + SLOWER_BY;
            noticed.then(|| {
                let (before, after) = (seconds(before), seconds(after));
                format!("the p95 of {what} rose from {before} to {after}")
            })
        };
        let (before, after) = (&self.before, &self.after);
        longer(&before.first_token, &after.first_token, "the first token")
            .or_else(|| longer(&before.total, &after.total, "the answers"))
    }

    pub(super) fn verdict(&self) -> (Noticed, String) {
        let troubles = self.troubles();
        if !troubles.is_empty() {
            let said = format!("YES: {}", troubles.join("; "));
            return (Noticed::Yes, said);
        }
        match self.wait() {
            Some(wait) => (
                Noticed::Waited,
                format!("they would have WAITED, and got every answer: {wait}"),
            ),
            None => (
                Noticed::No,
                format!(
                    "no: all {} requests were answered, and not noticeably later than before",
                    self.before.requests + self.after.requests
                ),
            ),
        }
    }
}
