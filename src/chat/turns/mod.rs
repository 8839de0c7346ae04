//! The turns of a conversation in the order that strict providers ask for.
//!
//! OpenAI takes messages in nearly any order; Anthropic, Gemini and Bedrock answer 400 unless turns
//! alternate, results of calls come right behind their calls and all of them at once, nothing is
//! empty and the user begins. A history that breaks these rules fails at every provider and every
//! time, so it is put right here, once for all of them. What is put right: see [`ordered`].

mod calls;
mod units;

use std::borrow::Cow;

use super::Unsupported;
use super::conversation::{Call, Conversation, Part, Role};
use calls::{Ids, rename_calls, results};
use units::{Unit, merge, units};

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
