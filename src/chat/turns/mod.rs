//! The turns of a conversation in the order that strict providers ask for.
//!
//! OpenAI takes messages in nearly any order; Anthropic, Gemini and Bedrock answer 400 unless turns
//! alternate, results of calls come right behind their calls and all of them at once, nothing is
//! empty and the user begins. A history that breaks these rules fails at every provider and every
//! time, so it is put right here, once for all of them. What is put right: see [`ordered`].

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::Unsupported;
use super::conversation::{Call, CallResult, Conversation, Lifetime, Part, Role, Turn};

/// In which ways a provider is strict.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// Results of calls stand alone in their turn; what the user says follows in a turn of its own.
    pub pure_results: bool,
    /// Where results and words may not share a turn and turns must alternate all the same: what the
    /// assistant is made to say between them.
    pub between: Option<&'static str>,
    /// Whether the last turn may be the assistant's.
    pub prefill: bool,
}

/// A conversation as a strict provider takes it.
#[derive(Debug, PartialEq)]
pub struct Ordered<'c> {
    pub system: Vec<Cow<'c, Part>>,
    /// At least one; the first is the user's.
    pub turns: Vec<OrderedTurn<'c>>,
}

#[derive(Debug, PartialEq)]
pub struct OrderedTurn<'c> {
    pub role: Role,
    /// At least one. In an assistant's turn the calls come last, unless it thought between them; in a
    /// user's turn results come first.
    pub parts: Vec<Cow<'c, Part>>,
}

/// Puts `conversation` in order:
///
/// - parts without text go, among the instructions too; an assistant's turn that is empty then goes too, a user's says so;
/// - turns of one role that follow one another become one, except that a turn with signed calls is
///   left alone under [`Rules::pure_results`];
/// - results come right behind the turn of their calls, in the order of the calls; of two for one
///   call the last holds, one without a call goes, a call without one gets an error in its place;
/// - an id that an earlier call had is made another, in the call and in its result;
/// - the user begins, and instructions alone become what the user says.
///
/// # Errors
/// The conversation ends with the assistant's turn, and this target cannot go on from there.
pub fn ordered(conversation: &Conversation, rules: Rules) -> Result<Ordered<'_>, Unsupported> {
    let mut system = Vec::with_capacity(conversation.system.len());
    for unit in units(&conversation.system) {
        unit.put(&mut system);
    }
    let mut turns = Vec::new();
    let mut ids = Ids::default();
    let merged = merge(&conversation.turns, rules);
    let mut rest = merged.as_slice();
    while let [turn, behind @ ..] = rest {
        rest = behind;
        match turn.role {
            Role::User => push_user(&mut turns, Vec::new(), &turn.units, rules),
            Role::Assistant => {
                let calls: Vec<&Call> = turn.units.iter().filter_map(Unit::call).collect();
                push_assistant(&mut turns, assistant(&turn.units), turn.signed, rules);
                if calls.is_empty() {
                    continue;
                }
                let ids = ids.of(&calls);
                if let Some(turn) = turns.last_mut() {
                    rename_calls(&mut turn.parts, &ids);
                }
                let results = results(&calls, &ids, rest);
                let said = match rest {
                    [next, behind @ ..] if next.role == Role::User => {
                        rest = behind;
                        next.units.as_slice()
                    }
                    _ => &[],
                };
                push_user(&mut turns, results, said, rules);
            }
        }
    }
    if turns.is_empty() {
        // The last instruction is what there is to answer.
        let last = system
            .iter()
            .rposition(|part| matches!(**part, Part::Text(_)));
        let said = last.map_or_else(
            || Cow::Owned(Part::Text("(empty)".into())),
            |at| system.remove(at),
        );
        turns.push(OrderedTurn {
            role: Role::User,
            parts: vec![said],
        });
    }
    if turns
        .first()
        .is_some_and(|turn| turn.role == Role::Assistant)
    {
        turns.insert(0, said_by_user("(start)"));
    }
    let asked = conversation.turns.last().map(|turn| turn.role);
    if turns
        .last()
        .is_some_and(|turn| turn.role == Role::Assistant)
        && asked == Some(Role::User)
    {
        // A result without its call was the last that was said.
        turns.push(said_by_user("(empty)"));
    }
    if let Some(last) = turns.last_mut()
        && last.role == Role::Assistant
    {
        if !rules.prefill {
            return Err(Unsupported {
                code: Unsupported::PARAMETER,
                param: "messages".into(),
                message: "This model does not continue an assistant's message: the last message must be the user's or a tool's.".into(),
            });
        }
        trim_end(last);
    }
    Ok(Ordered { system, turns })
}

/// A part with the cache point that follows it.
#[derive(Debug, Clone, Copy)]
struct Unit<'c> {
    part: &'c Part,
    cache: Option<&'c Lifetime>,
}

impl<'c> Unit<'c> {
    fn call(&self) -> Option<&'c Call> {
        match self.part {
            Part::Call(call) => Some(call),
            _ => None,
        }
    }

    fn is_signed_thought(&self) -> bool {
        matches!(self.part, Part::Thought(thought)
            if thought.signature.is_some() || thought.redacted.is_some())
    }

    fn result(&self) -> Option<&'c CallResult> {
        match self.part {
            Part::Result(result) => Some(result),
            _ => None,
        }
    }

    fn put(self, into: &mut Vec<Cow<'c, Part>>) {
        into.push(Cow::Borrowed(self.part));
        if let Some(lifetime) = self.cache {
            into.push(Cow::Owned(Part::CachePoint(lifetime.clone())));
        }
    }
}

struct Merged<'c> {
    role: Role,
    units: Vec<Unit<'c>>,
    /// Whether one of its calls bears a signature.
    signed: bool,
}

fn merge(turns: &[Turn], rules: Rules) -> Vec<Merged<'_>> {
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

fn units(parts: &[Part]) -> Vec<Unit<'_>> {
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

/// An assistant's parts with the calls behind everything else. Where signed thoughts stand behind a
/// call, all stays as it came: their signatures hold for this order alone.
fn assistant<'c>(units: &[Unit<'c>]) -> Vec<Cow<'c, Part>> {
    let mut parts = Vec::with_capacity(units.len());
    let first = units.iter().position(|unit| unit.call().is_some());
    if first.is_some_and(|first| units[first..].iter().any(Unit::is_signed_thought)) {
        for unit in units {
            unit.put(&mut parts);
        }
        return parts;
    }
    let (calls, words): (Vec<Unit<'c>>, Vec<Unit<'c>>) =
        units.iter().partition(|unit| unit.call().is_some());
    words
        .into_iter()
        .chain(calls)
        .for_each(|unit| unit.put(&mut parts));
    parts
}

/// Where what stood between two of its turns has gone, the assistant speaks on.
fn push_assistant<'c>(
    turns: &mut Vec<OrderedTurn<'c>>,
    parts: Vec<Cow<'c, Part>>,
    signed: bool,
    rules: Rules,
) {
    match turns.last_mut() {
        Some(last) if last.role == Role::Assistant && !(signed && rules.pure_results) => {
            last.parts.extend(parts);
        }
        _ => turns.push(OrderedTurn {
            role: Role::Assistant,
            parts,
        }),
    }
}

/// The ids of calls so far. Some servers call the first call of every answer alike; a provider that
/// tells calls by their ids alone refuses that.
#[derive(Debug, Default)]
struct Ids {
    used: HashSet<String>,
    /// Of an id that came again, the number that its next call is given: what has been given is not
    /// tried again, so that a history of one id is not walked once for each of its calls.
    next: HashMap<String, u32>,
}

impl Ids {
    /// What each of a turn's calls is called instead, where its id has been used before.
    fn of(&mut self, calls: &[&Call]) -> Vec<Option<String>> {
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

fn rename_calls(parts: &mut [Cow<'_, Part>], ids: &[Option<String>]) {
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
fn results<'c>(
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

/// Adds what the user says behind `results`; results among `said` have been placed already.
fn push_user<'c>(
    turns: &mut Vec<OrderedTurn<'c>>,
    results: Vec<Cow<'c, Part>>,
    said: &[Unit<'c>],
    rules: Rules,
) {
    let mut words = Vec::with_capacity(said.len());
    said.iter()
        .filter(|unit| unit.result().is_none())
        .for_each(|unit| unit.put(&mut words));
    let user = |parts| OrderedTurn {
        role: Role::User,
        parts,
    };
    if results.is_empty() {
        if words.is_empty() {
            // Results without their calls are nothing that was said; an empty message is.
            if said.is_empty() {
                turns.push(said_by_user("(empty)"));
            }
            return;
        }
        turns.push(user(words));
    } else if words.is_empty() {
        turns.push(user(results));
    } else if rules.pure_results {
        turns.extend([user(results), user(words)]);
    } else if let Some(between) = rules.between {
        turns.push(user(results));
        turns.push(OrderedTurn {
            role: Role::Assistant,
            parts: vec![Cow::Owned(Part::Text(between.into()))],
        });
        turns.push(user(words));
    } else {
        turns.push(user(results.into_iter().chain(words).collect()));
    }
}

fn said_by_user(text: &str) -> OrderedTurn<'static> {
    OrderedTurn {
        role: Role::User,
        parts: vec![Cow::Owned(Part::Text(text.into()))],
    }
}

/// Text at the very end must not end in white space.
fn trim_end(turn: &mut OrderedTurn<'_>) {
    let mut parts = turn.parts.iter_mut().rev();
    if let Some(last) = parts.find(|part| !matches!(***part, Part::CachePoint(_)))
        && let Part::Text(text) = &**last
    {
        *last = Cow::Owned(Part::Text(text.trim_end().to_owned()));
    }
}

#[cfg(test)]
mod tests;
