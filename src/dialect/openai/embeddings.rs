//! Vectors in the form that was asked for.
//!
//! Both official SDKs ask for base64 when the application says nothing, and older ones decode
//! whatever comes as if it were: a server that ignores the wish would hand the application rubbish
//! without an error. Base64 is that of the little-endian 32-bit floats.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::outcome::{Failure, broken};
use crate::wire::edit::{Edits, Object};
use crate::wire::json::{Cursor, Kind};

/// Brings the `embedding` of one item of `data` to the form wanted.
///
/// # Errors
/// `broken` when there is none, or it is not a vector.
pub(super) fn vector<'a>(
    text: &'a str,
    item: &Object<'a>,
    base64: bool,
    edits: &mut Edits<'a>,
) -> Result<(), Failure> {
    let Some(span) = item.get("embedding") else {
        return Err(broken("the answer has no vectors"));
    };
    let mut cursor = Cursor::at(text, span.start);
    match cursor.kind()? {
        Kind::Array if base64 => {
            let floats: Vec<f32> = serde_json::from_str(&text[span.clone()])
                .map_err(|_| broken("a vector is not made of numbers"))?;
            let bytes: Vec<u8> = floats
                .iter()
                .flat_map(|float| float.to_le_bytes())
                .collect();
            edits.replace(span, format!("\"{}\"", STANDARD.encode(bytes)));
        }
        Kind::String if !base64 => {
            let bytes = STANDARD
                .decode(cursor.string()?.decode().as_bytes())
                .map_err(|_| broken("a vector is not base64"))?;
            if bytes.len() % 4 != 0 {
                return Err(broken("a vector is not made of 32-bit numbers"));
            }
            let floats: Vec<f32> = bytes
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                .collect();
            let list = serde_json::to_string(&floats)
                .map_err(|_| broken("a vector is not made of numbers"))?;
            edits.replace(span, list);
        }
        Kind::Array | Kind::String => {}
        Kind::Object | Kind::Number | Kind::Bool | Kind::Null => {
            return Err(broken("the answer has no vectors"));
        }
    }
    Ok(())
}
