//! The `usage` of a response object.

use crate::chat::Usage;
use crate::wire::edit::Object;
use crate::wire::json::{Cursor, Invalid, Kind};

/// The tokens that a response object counts; null is unknown.
pub(super) fn of(text: &str, response: &Object<'_>) -> Result<Usage, Invalid> {
    let mut usage = Usage::default();
    let Some(span) = response.get("usage") else {
        return Ok(usage);
    };
    let mut total = None;
    members(&mut Cursor::at(text, span.start), |cursor, key| {
        match key {
            "total_tokens" => total = cursor.integer_or_skip()?,
            "input_tokens" => usage.prompt = cursor.integer_or_skip()?,
            "output_tokens" => usage.completion = cursor.integer_or_skip()?,
            "input_tokens_details" => members(cursor, |cursor, key| {
                match key {
                    "cached_tokens" => usage.cached = cursor.integer_or_skip()?,
                    "cache_write_tokens" => usage.cache_write = cursor.integer_or_skip()?,
                    _ => {}
                }
                Ok(())
            })?,
            "output_tokens_details" => members(cursor, |cursor, key| {
                if key == "reasoning_tokens" {
                    usage.reasoning = cursor.integer_or_skip()?;
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(usage.of_total(total))
}

fn members<'a>(
    cursor: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>, &str) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    if cursor.kind()? == Kind::Object {
        cursor.object(|cursor, key| each(cursor, key.raw()))?;
    }
    Ok(())
}
