//! What a model thought, in the one field that callers return unread: `encrypted_content`.
//!
//! A reasoning item goes back into the history whole. Ours holds the thought with its signature,
//! and the signatures of the calls that follow it, which no other field could carry. It bears the
//! seal of the target that signed ([`thought`]), so that another one is never shown it; it is not
//! a secret, as little as the signatures are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chat::{Thought, thought};

/// What one reasoning item carries, each part absent where there is none.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Cargo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) redacted: Option<Cow<'a, str>>,
    /// Signatures of calls, by the ids of the calls.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) calls: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

/// What came back, each signature sealed by itself, as in any history.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) thought: Option<Thought>,
    /// By the ids of the calls.
    pub(super) signatures: Vec<(String, String)>,
}

impl<'a> Cargo<'a> {
    pub(super) fn thought(thought: &'a Thought) -> Self {
        let text = Some(thought.text.as_str()).filter(|text| !text.is_empty());
        Self {
            text: text.map(Cow::Borrowed),
            signature: thought.signature.as_deref().map(Cow::Borrowed),
            redacted: thought.redacted.as_deref().map(Cow::Borrowed),
            calls: BTreeMap::new(),
        }
    }

    /// As it goes out.
    pub(super) fn seal(&self, target: &str) -> String {
        // Strings always serialise.
        let cargo = serde_json::to_string(self).unwrap_or_default();
        thought::seal(target, &cargo)
    }
}

/// What a reasoning item of ours carries; `None` for another provider's.
pub(super) fn open(sealed: &str) -> Option<Carried> {
    let (target, cargo) = thought::open(sealed)?;
    let cargo: Cargo<'_> = serde_json::from_str(cargo).ok()?;
    let seal = |signature: Cow<'_, str>| thought::seal(target, &signature);
    // Also what nobody signed is its maker's.
    let unsigned = cargo.text.is_some().then_some(Cow::Borrowed(""));
    let thought = Thought {
        text: cargo.text.map(Cow::into_owned).unwrap_or_default(),
        signature: cargo.signature.or(unsigned).map(seal),
        redacted: cargo.redacted.map(seal),
    };
    let calls = cargo.calls.into_iter();
    Some(Carried {
        thought: (thought != Thought::default()).then_some(thought),
        signatures: calls
            .map(|(id, signature)| (id.into_owned(), seal(signature)))
            .collect(),
    })
}
