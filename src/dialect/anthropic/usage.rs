//! Tokens by the provider's division, and by ours.

use super::wire;
use crate::chat::Usage;

/// The tokens counted so far: of the prompt what is new, what was written to the cache and what was
/// read from it stand beside one another.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    input: Option<u64>,
    cache_write: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

impl Counted {
    /// Takes what `usage` says in place of what was said before: its numbers are totals, and older
    /// models repeat only some.
    pub(super) fn add(&mut self, usage: &wire::Usage) {
        let details = usage.output_tokens_details.as_ref();
        for (mine, theirs) in [
            (&mut self.input, usage.input_tokens),
            (&mut self.cache_write, usage.cache_creation_input_tokens),
            (&mut self.cache_read, usage.cache_read_input_tokens),
            (&mut self.output, usage.output_tokens),
            (
                &mut self.thinking,
                details.and_then(|details| details.thinking_tokens),
            ),
        ] {
            *mine = theirs.or(*mine);
        }
    }

    pub(super) fn total(&self) -> Usage {
        Usage {
            prompt: self.input.map(|input| {
                input
                    .saturating_add(self.cache_read.unwrap_or_default())
                    .saturating_add(self.cache_write.unwrap_or_default())
            }),
            cached: self.cache_read,
            cache_write: self.cache_write,
            reasoning: self.thinking,
            completion: self.output,
            ..Usage::default()
        }
    }
}
