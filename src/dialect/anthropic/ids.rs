//! Ids of calls as this API takes them: `[a-zA-Z0-9_-]{1,64}`, each once in a conversation.
//!
//! Histories hold ids that other providers made, some of them the same ones in every turn. What fits
//! stays as it is. The rest is rewritten, and always in the same way: the provider's cache and the
//! signatures of what the model thought hang on the text of all that came before.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;

const LONGEST: usize = 64;
/// What is kept of a longer id before its digest.
const KEPT: usize = 53;
/// Bytes of the digest that are written: ten digits.
const DIGEST: usize = 5;

/// The ids of a conversation as it is walked, each turn of the assistant before its results.
#[derive(Debug, Default)]
pub(super) struct Ids<'c> {
    used: HashSet<String>,
    /// Of an id that came again, the number that its next call is given.
    next: HashMap<String, u32>,
    /// Those of the last turn that made calls, with what became of them, in their order.
    turn: HashMap<&'c str, VecDeque<String>>,
}

impl<'c> Ids<'c> {
    /// The assistant's turn begins: what is answered next are its calls.
    pub(super) fn turn(&mut self) {
        self.turn.clear();
    }

    pub(super) fn call(&mut self, id: &'c str) -> String {
        let plain = plain(id);
        let mut unique = plain.clone().into_owned();
        if !self.used.insert(unique.clone()) {
            let stem = format!("{plain:.54}");
            let next = self.next.entry(stem.clone()).or_insert(2);
            loop {
                unique = format!("{stem}_{next}");
                *next += 1;
                if self.used.insert(unique.clone()) {
                    break;
                }
            }
        }
        self.turn.entry(id).or_default().push_back(unique.clone());
        unique
    }

    /// The id of the call that a result with this one answers.
    pub(super) fn result(&mut self, id: &str) -> String {
        let given = self.turn.get_mut(id).and_then(VecDeque::pop_front);
        given.unwrap_or_else(|| plain(id).into_owned())
    }
}

/// `id` as this API takes it.
pub(super) fn plain(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if (1..=LONGEST).contains(&id.len()) && id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    let mut plain: String = id.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if plain.is_empty() || plain.len() > LONGEST {
        plain.truncate(KEPT);
        plain.push('_');
        let digest = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
        for byte in &digest.as_ref()[..DIGEST] {
            // Writing to a string does not fail.
            let _ = write!(plain, "{byte:02x}");
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_fits_stays_and_any_other_is_always_rewritten_alike() {
        let long = format!("call_{}", "x".repeat(80));
        for (id, expected) in [
            ("toolu_01-A", "toolu_01-A"),
            ("functions.get:0", "functions_get_0"),
            ("жы", "__"),
            ("", "_e3b0c44298"),
            (
                &*long,
                "call_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_9d2c5a5ba9",
            ),
        ] {
            assert_eq!(plain(id), expected);
            assert!(expected.len() <= LONGEST);
        }
    }

    #[test]
    fn the_same_id_in_two_turns_is_two_and_results_follow_their_own() {
        let mut ids = Ids::default();
        ids.turn();
        assert_eq!(ids.call("call_0"), "call_0");
        assert_eq!(ids.call("call.0"), "call_0_2");
        assert_eq!(ids.result("call.0"), "call_0_2");
        assert_eq!(ids.result("call_0"), "call_0");
        ids.turn();
        assert_eq!(ids.call("call_0"), "call_0_3");
        assert_eq!(ids.result("call_0"), "call_0_3");
        let long = "y".repeat(LONGEST);
        ids.call(&long);
        let again = ids.call(&long);
        assert!(again.len() <= LONGEST && again != long);
    }

    /// Were each id looked for from the beginning again, this would take an hour and not a moment.
    #[test]
    fn many_calls_of_one_id_are_named_and_found_in_one_walk() {
        const CALLS: usize = 100_000;
        let mut ids = Ids::default();
        ids.turn();
        for _ in 0..CALLS {
            ids.call("c.1");
        }
        assert_eq!(ids.result("c.1"), "c_1");
        for _ in 2..CALLS {
            ids.result("c.1");
        }
        assert_eq!(ids.result("c.1"), format!("c_1_{CALLS}"));
    }
}
