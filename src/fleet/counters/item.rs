//! What a request takes of the fleet's limits, and what Redis answers. Pure.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::limit::{OnLoss, Rate};
use crate::price::Money;
use crate::redis::Reply;

/// How long a window's money is kept behind its end, for who reports.
const KEPT: i64 = 40 * 24 * 60 * 60 * 1000;

/// A part of one limit.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Rate {
        key: String,
        rate: Rate,
        count: u64,
        /// Whether it is put right when the answer's tokens are known.
        settles: bool,
    },
    Running {
        key: String,
        most: u64,
    },
    Money(Purse),
}

/// A part of a budget, in billionths of the currency's unit.
#[derive(Debug, Clone)]
pub(crate) struct Purse {
    pub(super) account: Arc<str>,
    pub(super) key: String,
    pub(super) limit: u64,
    pub(super) amount: u64,
    pub(super) ends: Timestamp,
    pub(super) on_loss: OnLoss,
}

/// What Redis says of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// So much of the bucket is taken; where it was too little, how long to wait.
    Rate {
        taken: Duration,
        wait: Option<Duration>,
    },
    Running {
        is_full: bool,
    },
    /// Where there was too little, whether it would have been enough without what is held.
    Money {
        spent: u64,
        held: u64,
        lacks: Option<Lack>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    Spent,
    Held,
}

impl Item {
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Rate { key, .. } | Self::Running { key, .. } => key,
            Self::Money(purse) => &purse.key,
        }
    }

    /// Whether it is held until the request ends.
    pub(super) fn is_held(&self) -> bool {
        match self {
            Self::Rate { .. } => false,
            Self::Running { .. } | Self::Money(_) => true,
        }
    }

    /// Its kind and three more.
    pub(super) fn taking(&self, now: Timestamp) -> [String; 4] {
        match self {
            Self::Rate { rate, count, .. } => {
                let span = rate.span(*count).as_micros();
                [
                    "r".into(),
                    span.to_string(),
                    rate.depth().as_micros().to_string(),
                    "0".into(),
                ]
            }
            Self::Running { most, .. } => ["c".into(), most.to_string(), "0".into(), "0".into()],
            Self::Money(purse) => [
                "b".into(),
                purse.limit.to_string(),
                purse.amount.to_string(),
                life(purse.ends, now).to_string(),
            ],
        }
    }

    /// Of the three values that Redis gives for it.
    pub(super) fn said(&self, replies: &[Reply]) -> Option<Said> {
        let [Reply::Number(verdict), one, two] = replies else {
            return None;
        };
        let (one, two) = (number(one)?, number(two)?);
        let fits = *verdict == 0;
        Some(match self {
            Self::Rate { .. } => Said::Rate {
                taken: Duration::from_micros(one),
                wait: (!fits).then(|| Duration::from_micros(two)),
            },
            Self::Running { .. } => Said::Running { is_full: !fits },
            Self::Money(_) => Said::Money {
                spent: one,
                held: two,
                lacks: match verdict {
                    0 => None,
                    2 => Some(Lack::Held),
                    _ => Some(Lack::Spent),
                },
            },
        })
    }
}

/// A number, or one as text. What is below zero is none: what was put right twice.
pub(super) fn number(reply: &Reply) -> Option<u64> {
    let number = match reply {
        Reply::Number(number) => *number,
        Reply::Text(text) => std::str::from_utf8(text).ok()?.parse::<i64>().ok()?,
        Reply::Nil | Reply::List(_) | Reply::Error(_) => return None,
    };
    Some(u64::try_from(number).unwrap_or_default())
}

/// How long what is counted until `ends` is kept, in milliseconds.
pub(super) fn life(ends: Timestamp, now: Timestamp) -> i64 {
    let left = ends.as_millisecond().saturating_sub(now.as_millisecond());
    left.max(0).saturating_add(KEPT).min(1 << 42)
}

/// In billionths of the unit, rounded up.
pub(super) fn nanos(money: Money) -> u64 {
    u64::try_from(money.picos().div_ceil(1000)).unwrap_or(u64::MAX >> 1)
}

pub(super) fn money(nanos: u64) -> Money {
    Money::from_picos(u128::from(nanos) * 1000)
}
