//! The body of an answer, which must be one JSON object whatever it is written in.

use crate::outcome::{Failure, broken};
use crate::wire::json::{Cursor, Kind};

/// A cursor at the beginning of the object. Whether it ends as it should is seen when it is read.
///
/// # Errors
/// `broken`: something else begins there, or nothing.
pub(super) fn begun(text: &str) -> Result<Cursor<'_>, Failure> {
    let mut cursor = Cursor::new(text);
    match cursor.kind() {
        Ok(Kind::Object) => Ok(cursor),
        Ok(Kind::Array | Kind::String | Kind::Bool | Kind::Null | Kind::Number) => {
            Err(broken("the answer is not a JSON object"))
        }
        Err(_) if text.trim().is_empty() => Err(broken("the answer is empty")),
        Err(_) => Err(broken("the answer is not JSON")),
    }
}
