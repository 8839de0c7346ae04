//! Tokens, as a provider counted them.

use std::num::NonZeroU32;

/// What one answer used. Unknown is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub prompt: Option<u64>,
    /// The part of `prompt` read from the provider's cache.
    pub cached: Option<u64>,
    /// The part of `prompt` written to the provider's cache.
    pub cache_write: Option<u64>,
    /// Tokens of reasoning; a part of `completion` at `OpenAI`, and where [`of_total`](Self::of_total) can tell that it
    /// is not.
    pub reasoning: Option<u64>,
    pub completion: Option<u64>,
    /// The part of `prompt` that was sound, and that of `completion`: where they are charged apart.
    pub audio_input: Option<NonZeroU32>,
    pub audio_output: Option<NonZeroU32>,
}

impl Usage {
    /// More tokens than any answer takes.
    pub const MOST: u64 = 1 << 40;

    /// Without numbers that nobody can have counted.
    #[must_use]
    pub fn believed(self) -> Self {
        let count = |said: Option<u64>| said.filter(|tokens| *tokens < Self::MOST);
        Self {
            prompt: count(self.prompt),
            cached: count(self.cached),
            cache_write: count(self.cache_write),
            reasoning: count(self.reasoning),
            completion: count(self.completion),
            ..self
        }
    }

    /// With the reasoning within the completion, as most count it: where `total` is more by just that, it stood
    /// beside it.
    #[must_use]
    pub fn of_total(self, total: Option<u64>) -> Self {
        let beside = || {
            let reasoning = self.reasoning.filter(|tokens| *tokens > 0)?;
            let all = self.completion?.checked_add(reasoning)?;
            (self.prompt?.checked_add(all)? == total?).then_some(all)
        };
        Self {
            completion: beside().or(self.completion),
            ..self
        }
    }

    /// Of two answers together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        let sound = |a: Option<NonZeroU32>, b: Option<NonZeroU32>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b.get())),
            (a, b) => a.or(b),
        };
        Self {
            prompt: sum(self.prompt, other.prompt),
            cached: sum(self.cached, other.cached),
            cache_write: sum(self.cache_write, other.cache_write),
            reasoning: sum(self.reasoning, other.reasoning),
            completion: sum(self.completion, other.completion),
            audio_input: sound(self.audio_input, other.audio_input),
            audio_output: sound(self.audio_output, other.audio_output),
        }
    }

    /// So many tokens of sound. None is as good as not said: most answers have none.
    pub fn sound(tokens: u64) -> Option<NonZeroU32> {
        NonZeroU32::new(u32::try_from(tokens).unwrap_or(u32::MAX))
    }

    /// Whether the provider said anything at all.
    pub fn is_known(&self) -> bool {
        *self != Self::default()
    }
}
