//! Usage as Messages counts it.

use crate::chat::Usage;
use crate::wire::json::{Cursor, Invalid, Kind};

/// The numbers seen last. Anthropic's are cumulative: each replaces the one before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    input: Option<u64>,
    cache_creation: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

impl Tally {
    /// Reads the usage object at the cursor; what is absent or null stays as it was. In a stream's
    /// start the output is a placeholder, and is not taken unless the answer is `complete` there.
    pub(super) fn read(&mut self, cursor: &mut Cursor<'_>, complete: bool) -> Result<(), Invalid> {
        if cursor.kind()? != Kind::Object {
            cursor.skip()?;
            return Ok(());
        }
        cursor.object(|cursor, key| {
            let into = match key.raw() {
                "input_tokens" => &mut self.input,
                "cache_creation_input_tokens" => &mut self.cache_creation,
                "cache_read_input_tokens" => &mut self.cache_read,
                "output_tokens" if complete => &mut self.output,
                "output_tokens_details" if complete && cursor.kind()? == Kind::Object => {
                    let thinking = &mut self.thinking;
                    cursor.object(|cursor, key| {
                        if key.says("thinking_tokens") {
                            *thinking = cursor.integer_or_skip()?.or(*thinking);
                        }
                        Ok::<(), Invalid>(())
                    })?;
                    return Ok(());
                }
                _ => return Ok(()),
            };
            *into = cursor.integer_or_skip()?.or(*into);
            Ok::<(), Invalid>(())
        })?;
        Ok(())
    }

    /// The same in our words: the prompt is all of it, whatever the cache did with it.
    pub(super) fn usage(&self) -> Usage {
        let created = self.cache_creation.unwrap_or(0);
        let beside = created.saturating_add(self.cache_read.unwrap_or(0));
        Usage {
            prompt: self.input.map(|input| input.saturating_add(beside)),
            cached: self.cache_read,
            cache_write: self.cache_creation,
            reasoning: self.thinking,
            completion: self.output,
            ..Usage::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_holds_and_unknown_is_not_zero() {
        let mut tally = Tally::default();
        assert_eq!(tally.usage(), Usage::default());
        for (usage, complete) in [
            (
                r#"{"input_tokens":10,"cache_read_input_tokens":7,"output_tokens":1,"output_tokens_details":{"thinking_tokens":1}}"#,
                false,
            ),
            (
                r#"{"input_tokens":null,"output_tokens":9,"output_tokens_details":{"x":[1],"thinking_tokens":4},"iterations":[{"input_tokens":99}]}"#,
                true,
            ),
            ("null", true),
        ] {
            tally.read(&mut Cursor::new(usage), complete).unwrap();
        }
        let expected = Usage {
            prompt: Some(17),
            cached: Some(7),
            cache_write: None,
            reasoning: Some(4),
            completion: Some(9),
            ..Usage::default()
        };
        assert_eq!(tally.usage(), expected);
    }
}
