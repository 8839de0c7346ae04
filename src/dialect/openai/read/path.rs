//! Which field of a request was wrong, for the caller: found by where the reading stopped.

use std::fmt::Write as _;
use std::ops::Range;

use crate::chat::Unsupported;
use crate::wire::edit::Object;
use crate::wire::json::{Cursor, Invalid, Kind};

/// What `error`, met in reading `body`, is about.
pub(super) fn wrong(body: &str, error: &serde_json::Error) -> Unsupported {
    let line_start = match error.line().checked_sub(2) {
        None => 0,
        Some(breaks) => memchr::memchr_iter(b'\n', body.as_bytes())
            .nth(breaks)
            .map_or(0, |at| at + 1),
    };
    let path = path_at(body, line_start + error.column());
    let message = if path.is_empty() {
        "The request body is not what the schema of this endpoint says.".to_owned()
    } else {
        format!("`{path}` is not what the schema of this endpoint says.")
    };
    Unsupported::invalid(path, message)
}

/// The path of the innermost value in which `at` lies.
fn path_at(body: &str, at: usize) -> String {
    let mut path = String::new();
    let mut start = 0;
    // Each step goes into a value, and values nest no deeper than the cursor allows.
    while let Ok(Some(inner)) = step(body, start, at, &mut path) {
        start = inner;
    }
    path
}

/// Where the member or item starts in which `at` lies, its name added to `path`.
fn step(body: &str, start: usize, at: usize, path: &mut String) -> Result<Option<usize>, Invalid> {
    let mut cursor = Cursor::at(body, start);
    let holds = |span: &Range<usize>| span.start <= at && at <= span.end;
    match cursor.kind()? {
        Kind::Object => {
            let object = Object::read(&mut cursor)?;
            let Some((key, value)) = object.members().find(|(_, value)| holds(value)) else {
                return Ok(None);
            };
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&key.decode());
            Ok(Some(value.start))
        }
        Kind::Array => {
            let (mut index, mut found) = (0, None);
            cursor.array(|cursor| {
                let span = cursor.skip()?;
                if holds(&span) {
                    found = Some((index, span.start));
                }
                index += 1;
                Ok::<(), Invalid>(())
            })?;
            let Some((index, start)) = found else {
                return Ok(None);
            };
            // Writing to a string does not fail.
            let _ = write!(path, "[{index}]");
            Ok(Some(start))
        }
        Kind::String | Kind::Number | Kind::Bool | Kind::Null => Ok(None),
    }
}
