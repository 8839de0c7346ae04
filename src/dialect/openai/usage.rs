//! The `usage` object, and where some servers put it instead.

use std::num::NonZeroU32;

use crate::chat::Usage;
use crate::wire::json::{Cursor, Invalid, Kind};

/// Reads the usage object at the cursor into `usage`; a number that is null or absent stays as it
/// was, so that the last one seen wins and none is lost. Tells whether an object was there.
pub(super) fn read(cursor: &mut Cursor<'_>, usage: &mut Usage) -> Result<bool, Invalid> {
    if cursor.kind()? != Kind::Object {
        return Ok(false);
    }
    let mut total = None;
    cursor.object(|cursor, key| {
        match key.raw() {
            "total_tokens" => take(cursor, &mut total)?,
            "prompt_tokens" => take(cursor, &mut usage.prompt)?,
            "completion_tokens" => take(cursor, &mut usage.completion)?,
            // DeepSeek's name for it.
            "prompt_cache_hit_tokens" => take(cursor, &mut usage.cached)?,
            "prompt_tokens_details" => details(cursor, |cursor, key| match key {
                "cached_tokens" => take(cursor, &mut usage.cached),
                "cache_write_tokens" => take(cursor, &mut usage.cache_write),
                "audio_tokens" => take_sound(cursor, &mut usage.audio_input),
                _ => Ok(()),
            })?,
            "completion_tokens_details" => details(cursor, |cursor, key| match key {
                "reasoning_tokens" => take(cursor, &mut usage.reasoning),
                "audio_tokens" => take_sound(cursor, &mut usage.audio_output),
                _ => Ok(()),
            })?,
            _ => {}
        }
        Ok::<(), Invalid>(())
    })?;
    // xAI counts it beside, and charges for both:
    // <https://docs.x.ai/docs/key-information/consumption-and-rate-limits> (read 2026-11).
    *usage = usage.of_total(total);
    Ok(true)
}

fn details<'a>(
    cursor: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>, &str) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    if cursor.kind()? == Kind::Object {
        cursor.object(|cursor, key| each(cursor, key.raw()))?;
    }
    Ok(())
}

fn take(cursor: &mut Cursor<'_>, into: &mut Option<u64>) -> Result<(), Invalid> {
    if let Some(count) = cursor.integer_or_skip()? {
        *into = Some(count);
    }
    Ok(())
}

fn take_sound(cursor: &mut Cursor<'_>, into: &mut Option<NonZeroU32>) -> Result<(), Invalid> {
    if let Some(count) = cursor.integer_or_skip()? {
        *into = Usage::sound(count);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_beside_the_completion_is_told_by_the_total() {
        let said = |completion: u64, total: &str| {
            let text = format!(
                r#"{{"total_tokens":{total},"prompt_tokens":12,"completion_tokens":{completion},"completion_tokens_details":{{"reasoning_tokens":300}}}}"#
            );
            let mut usage = Usage::default();
            // Some say it twice.
            for _ in 0..2 {
                read(&mut Cursor::new(&text), &mut usage).unwrap();
            }
            (usage.completion, usage.reasoning)
        };
        for (completion, total, expected) in [
            (500, "812", 800),
            (1, "313", 301),
            (500, "512", 500),
            (500, "null", 500),
            (500, "900", 500),
        ] {
            assert_eq!(
                said(completion, total),
                (Some(expected), Some(300)),
                "{total}"
            );
        }
    }

    #[test]
    fn unknown_is_not_zero_and_the_last_number_wins() {
        let mut usage = Usage::default();
        let first = r#"{"prompt_tokens":14,"completion_tokens":null,"prompt_tokens_details":{"cached_tokens":3}}"#;
        let last = r#"{"completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":1},"prompt_tokens_details":{"audio_tokens":0},"x":{"y":1}}"#;
        assert!(read(&mut Cursor::new(first), &mut usage).unwrap());
        assert_eq!(
            usage,
            Usage {
                prompt: Some(14),
                cached: Some(3),
                ..Usage::default()
            }
        );
        assert!(read(&mut Cursor::new(last), &mut usage).unwrap());
        let expected = Usage {
            prompt: Some(14),
            cached: Some(3),
            cache_write: None,
            reasoning: Some(2),
            completion: Some(4),
            audio_input: None,
            audio_output: Usage::sound(1),
        };
        assert_eq!(usage, expected);
        assert!(!read(&mut Cursor::new("null"), &mut usage).unwrap());
    }
}
