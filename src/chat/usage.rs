//! Tokens, as a provider counted them.

/// What one answer used. Unknown is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub prompt: Option<u64>,
    /// The part of `prompt` read from the provider's cache.
    pub cached: Option<u64>,
    /// The part of `prompt` written to the provider's cache.
    pub cache_write: Option<u64>,
    /// Tokens of reasoning; a part of `completion` at `OpenAI`, beside it at some others.
    pub reasoning: Option<u64>,
    pub completion: Option<u64>,
    /// The part of `prompt` that was sound, and that of `completion`: where they are charged apart.
    pub audio_input: Option<u64>,
    pub audio_output: Option<u64>,
}

impl Usage {
    /// Of two answers together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        Self {
            prompt: sum(self.prompt, other.prompt),
            cached: sum(self.cached, other.cached),
            cache_write: sum(self.cache_write, other.cache_write),
            reasoning: sum(self.reasoning, other.reasoning),
            completion: sum(self.completion, other.completion),
            audio_input: sum(self.audio_input, other.audio_input),
            audio_output: sum(self.audio_output, other.audio_output),
        }
    }

    /// Whether the provider said anything at all.
    pub fn is_known(&self) -> bool {
        *self != Self::default()
    }
}
