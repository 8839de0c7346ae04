//! What the operator lets a key, a route or a team use. Data, and what follows from it alone.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::window::{Per, Window};
use crate::price::Money;

/// Whose limits they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Of {
    Key,
    Route,
    Team,
}

impl Of {
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Route => "route",
            Self::Team => "team",
        }
    }
}

/// One that has limits: `key:chat-prod`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub of: Of,
    pub name: Arc<str>,
    /// Both together, as in metrics and in the shared state.
    pub id: Arc<str>,
}

impl Scope {
    pub fn new(of: Of, name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        let id = format!("{}:{name}", of.name()).into();
        Self { of, name, id }
    }
}

/// For people: key `chat-prod`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.of.name(), self.name)
    }
}

/// What holds while the shared state is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLoss {
    /// Traffic goes on, within this process's share: of a limit, of what was left of a budget.
    Open,
    /// Nothing goes out, but for a budget's small allowance.
    Closed,
}

/// The limits of one scope. At least one of them is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub scope: Scope,
    /// Requests in a minute.
    pub rpm: Option<u64>,
    /// Tokens in a minute, prompt and completion together.
    pub tpm: Option<u64>,
    /// Requests at once.
    pub concurrency: Option<u64>,
    /// Of these three.
    pub on_loss: OnLoss,
    pub budget: Option<Budget>,
}

impl Terms {
    /// Those of `scope`, of which none is set yet.
    pub fn none(scope: Scope) -> Self {
        Self {
            scope,
            rpm: None,
            tpm: None,
            concurrency: None,
            on_loss: OnLoss::Open,
            budget: None,
        }
    }

    pub fn is_some(&self) -> bool {
        self.rpm.is_some()
            || self.tpm.is_some()
            || self.concurrency.is_some()
            || self.budget.is_some()
    }
}

/// Money for a day or a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// In the operator's currency.
    pub amount: Money,
    pub per: Per,
    /// Whether it is each process's own instead of the fleet's (`scope: pod`).
    pub alone: bool,
    pub on_loss: OnLoss,
}

impl Budget {
    /// What is counted now, under which name.
    pub fn account(&self, scope: &Scope, now: Timestamp) -> Account {
        let window = self.per.window(now);
        Account {
            name: format!("{}|{}", scope.id, window.name).into(),
            window,
        }
    }
}

/// A budget's money in one of its days or months.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `key:chat-prod|2026-11`.
    pub name: Arc<str>,
    pub window: Window,
}
