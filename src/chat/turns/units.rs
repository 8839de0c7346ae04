//! What is said, without what says nothing: parts with the cache points behind them, and neighbours
//! of one role as one turn.

use std::borrow::Cow;

use super::Rules;
use crate::chat::conversation::{Call, CallResult, Lifetime, Part, Role, Turn};

/// A part with the cache point that follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit<'c> {
    part: &'c Part,
    cache: Option<&'c Lifetime>,
}

impl<'c> Unit<'c> {
    pub(super) fn call(&self) -> Option<&'c Call> {
        match self.part {
            Part::Call(call) => Some(call),
            _ => None,
        }
    }

    pub(super) fn is_signed_thought(&self) -> bool {
        matches!(self.part, Part::Thought(thought)
            if thought.signature.is_some() || thought.redacted.is_some())
    }

    pub(super) fn result(&self) -> Option<&'c CallResult> {
        match self.part {
            Part::Result(result) => Some(result),
            _ => None,
        }
    }

    pub(super) fn put(self, into: &mut Vec<Cow<'c, Part>>) {
        into.push(Cow::Borrowed(self.part));
        if let Some(lifetime) = self.cache {
            into.push(Cow::Owned(Part::CachePoint(lifetime.clone())));
        }
    }
}

pub(super) struct Merged<'c> {
    pub(super) role: Role,
    pub(super) units: Vec<Unit<'c>>,
    /// Whether one of its calls bears a signature.
    pub(super) signed: bool,
}

pub(super) fn merge(turns: &[Turn], rules: Rules) -> Vec<Merged<'_>> {
    let mut merged: Vec<Merged<'_>> = Vec::with_capacity(turns.len());
    for turn in turns {
        let units = units(&turn.parts);
        if units.is_empty() && turn.role == Role::Assistant {
            continue;
        }
        let mut calls = units.iter().filter_map(Unit::call);
        let next = Merged {
            role: turn.role,
            signed: calls.any(|call| call.signature.is_some()),
            units,
        };
        match merged.last_mut() {
            Some(last)
                if last.role == next.role
                    && !(rules.pure_results && (last.signed || next.signed)) =>
            {
                last.signed |= next.signed;
                last.units.extend(next.units);
            }
            _ => merged.push(next),
        }
    }
    merged
}

pub(super) fn units(parts: &[Part]) -> Vec<Unit<'_>> {
    let mut units: Vec<Unit<'_>> = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Text(text) if text.trim().is_empty() => {}
            Part::CachePoint(lifetime) => {
                if let Some(last) = units.last_mut() {
                    last.cache = Some(lifetime);
                }
            }
            Part::Text(_)
            | Part::Image(_)
            | Part::File { .. }
            | Part::Audio { .. }
            | Part::Thought(_)
            | Part::Call(_)
            | Part::Result(_) => units.push(Unit { part, cache: None }),
        }
    }
    units
}
