//! The calls of one turn: what each is called, and what came of it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::units::{Merged, Unit};
use crate::chat::conversation::{Call, CallResult, Part};

/// The ids of calls so far. Some servers call the first call of every answer alike; a provider that
/// tells calls by their ids alone refuses that.
#[derive(Debug, Default)]
pub(super) struct Ids {
    used: HashSet<String>,
    /// Of an id that came again, the number that its next call is given: what has been given is not
    /// tried again, so that a history of one id is not walked once for each of its calls.
    next: HashMap<String, u32>,
}

impl Ids {
    /// What each of a turn's calls is called instead, where its id has been used before.
    pub(super) fn of(&mut self, calls: &[&Call]) -> Vec<Option<String>> {
        let mut instead = Vec::with_capacity(calls.len());
        for call in calls {
            if self.used.insert(call.id.clone()) {
                instead.push(None);
                continue;
            }
            let next = self.next.entry(call.id.clone()).or_insert(2);
            let id = loop {
                let id = format!("{}_{next}", call.id);
                *next += 1;
                if self.used.insert(id.clone()) {
                    break id;
                }
            };
            instead.push(Some(id));
        }
        instead
    }
}

pub(super) fn rename_calls(parts: &mut [Cow<'_, Part>], ids: &[Option<String>]) {
    let mut ids = ids.iter();
    for part in parts {
        if let Part::Call(call) = &**part
            && let Some(Some(id)) = ids.next()
        {
            *part = Cow::Owned(Part::Call(Call {
                id: id.clone(),
                ..call.clone()
            }));
        }
    }
}

/// What came of `calls`, in their order: found before the next turn that makes calls itself.
pub(super) fn results<'c>(
    calls: &[&'c Call],
    ids: &[Option<String>],
    behind: &[Merged<'c>],
) -> Vec<Cow<'c, Part>> {
    let near = behind
        .iter()
        .take_while(|turn| !turn.units.iter().any(|unit| unit.call().is_some()))
        .flat_map(|turn| turn.units.iter());
    // Of two for one call the last holds.
    let near: HashMap<&str, &Unit<'c>> = near
        .filter_map(|unit| Some((unit.result()?.id.as_str(), unit)))
        .collect();
    let mut parts = Vec::with_capacity(calls.len());
    for (call, id) in calls.iter().zip(ids) {
        match near.get(call.id.as_str()) {
            Some(unit) => {
                let at = parts.len();
                unit.put(&mut parts);
                if let (Some(id), Some(result)) = (id, unit.result()) {
                    parts[at] = Cow::Owned(Part::Result(CallResult {
                        id: id.clone(),
                        ..result.clone()
                    }));
                }
            }
            None => parts.push(Cow::Owned(Part::Result(CallResult {
                id: id.clone().unwrap_or_else(|| call.id.clone()),
                parts: vec![Part::Text("No result provided".into())],
                is_error: true,
            }))),
        }
    }
    parts
}
