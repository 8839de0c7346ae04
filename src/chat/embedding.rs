//! A request for embeddings, for targets of another dialect than OpenAI's.
//!
//! <https://platform.openai.com/docs/api-reference/embeddings/create> (read 2026-11). Where the target
//! speaks OpenAI's words the bytes go as they came, and nothing is read here.

use std::borrow::Cow;

use super::{Unsupported, asked};
use crate::wire::json::{Cursor, Invalid, Kind};

/// The most inputs of one request, as at OpenAI.
pub const MAX_INPUTS: usize = 2048;

/// What is to be embedded, and how the vectors are to come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EmbeddingRequest {
    /// At least one and at most [`MAX_INPUTS`], none of them empty.
    pub inputs: Vec<String>,
    /// How many numbers a vector is to have.
    pub dimensions: Option<u64>,
    /// The vectors are wanted as base64 of little-endian 32-bit floats.
    pub base64: bool,
    /// Every other field that was set, by its name.
    pub asked: Vec<Cow<'static, str>>,
}

/// Reads a request's body.
///
/// # Errors
/// Tokens in place of text, which only the tokenizer's own provider knows; or no request.
pub fn read(text: &str) -> Result<EmbeddingRequest, Unsupported> {
    let mut request = EmbeddingRequest::default();
    let mut cursor = Cursor::new(text);
    walk(&mut request, &mut cursor).map_err(|Refused(why)| why)?;
    asked::checked(&request.asked)?;
    if request.inputs.is_empty() {
        return Err(Unsupported::invalid(
            "input",
            "`input` must be a string, or a list of at least one.",
        ));
    }
    Ok(request)
}

/// [`Unsupported`], as the cursor's callbacks return it.
struct Refused(Unsupported);

impl From<Invalid> for Refused {
    fn from(invalid: Invalid) -> Self {
        Self(Unsupported::invalid(
            "",
            format!("The request body is not JSON: {}.", invalid.what),
        ))
    }
}

fn refused<T>(
    param: impl Into<Cow<'static, str>>,
    message: impl Into<Cow<'static, str>>,
) -> Result<T, Refused> {
    Err(Refused(Unsupported::invalid(param, message)))
}

fn walk(request: &mut EmbeddingRequest, cursor: &mut Cursor<'_>) -> Result<(), Refused> {
    cursor.object(|cursor, key| {
        let kind = cursor.kind()?;
        match &*key.decode() {
            "model" => {
                cursor.skip()?;
            }
            "input" => inputs(request, cursor, kind)?,
            _ if kind == Kind::Null => {
                cursor.skip()?;
            }
            "dimensions" => match cursor.integer_or_skip()? {
                Some(dimensions @ 1..) => request.dimensions = Some(dimensions),
                Some(0) | None => {
                    return refused("dimensions", "`dimensions` must be a positive integer.");
                }
            },
            "encoding_format" => match cursor.string_or_skip()? {
                Some(format) if format.says("float") => request.base64 = false,
                Some(format) if format.says("base64") => request.base64 = true,
                Some(_) | None => {
                    return refused(
                        "encoding_format",
                        "`encoding_format` must be `float` or `base64`.",
                    );
                }
            },
            other => {
                asked::note(&mut request.asked, other.to_owned());
                cursor.skip()?;
            }
        }
        Ok(())
    })?;
    Ok(cursor.end()?)
}

fn inputs(
    request: &mut EmbeddingRequest,
    cursor: &mut Cursor<'_>,
    kind: Kind,
) -> Result<(), Refused> {
    request.inputs.clear();
    match kind {
        Kind::String => one(request, cursor),
        Kind::Array => {
            cursor.array(|cursor| match cursor.kind()? {
                Kind::String => one(request, cursor),
                Kind::Number | Kind::Array => Err(Refused(Unsupported::parameter(
                    "input",
                    "`input` must be text: this provider does not know the tokens.",
                ))),
                Kind::Object | Kind::Bool | Kind::Null => {
                    refused("input", "`input` must be a string or a list of strings.")
                }
            })?;
            Ok(())
        }
        Kind::Object | Kind::Number | Kind::Bool | Kind::Null => {
            refused("input", "`input` must be a string or a list of strings.")
        }
    }
}

fn one(request: &mut EmbeddingRequest, cursor: &mut Cursor<'_>) -> Result<(), Refused> {
    let text = cursor.string()?.decode().into_owned();
    if text.is_empty() {
        return refused("input", "`input` must not hold an empty string.");
    }
    if request.inputs.len() == MAX_INPUTS {
        return refused("input", "`input` holds more than 2048 strings.");
    }
    request.inputs.push(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read() {
        type Row = (&'static str, &'static [&'static str], Option<u64>, bool);
        let table: [(Row, &[&str]); 4] = [
            (
                (r#"{"model":"m","input":"a\nb"}"#, &["a\nb"], None, false),
                &[],
            ),
            (
                (
                    r#"{"input":["a","ж"],"model":"m","dimensions":256,"encoding_format":"base64"}"#,
                    &["a", "ж"],
                    Some(256),
                    true,
                ),
                &[],
            ),
            (
                (
                    r#"{"input":"a","dimensions":null,"encoding_format":"float","user":null}"#,
                    &["a"],
                    None,
                    false,
                ),
                &[],
            ),
            (
                (
                    r#"{"input":"a","user":"u","input_type":"query"}"#,
                    &["a"],
                    None,
                    false,
                ),
                &["user", "input_type"],
            ),
        ];
        for ((text, inputs, dimensions, base64), asked) in table {
            let request = read(text).unwrap();
            assert_eq!(request.inputs, inputs, "{text}");
            assert_eq!(request.dimensions, dimensions, "{text}");
            assert_eq!(request.base64, base64, "{text}");
            assert_eq!(request.asked, asked, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_embedded_is_refused_by_name() {
        let long = format!("{{\"input\":[{}\"x\"]}}", "\"x\",".repeat(MAX_INPUTS));
        let table = [
            (r#"{"input":[1,2]}"#, Unsupported::PARAMETER, "input"),
            (r#"{"input":[[1],[2]]}"#, Unsupported::PARAMETER, "input"),
            (r#"{"input":[]}"#, Unsupported::INVALID, "input"),
            (r#"{"input":""}"#, Unsupported::INVALID, "input"),
            (r#"{"input":["a",""]}"#, Unsupported::INVALID, "input"),
            (r#"{"input":{"a":1}}"#, Unsupported::INVALID, "input"),
            (r#"{"input":null}"#, Unsupported::INVALID, "input"),
            (r#"{"model":"m"}"#, Unsupported::INVALID, "input"),
            (&long, Unsupported::INVALID, "input"),
            (
                r#"{"input":"a","dimensions":0}"#,
                Unsupported::INVALID,
                "dimensions",
            ),
            (
                r#"{"input":"a","dimensions":"256"}"#,
                Unsupported::INVALID,
                "dimensions",
            ),
            (
                r#"{"input":"a","encoding_format":"int8"}"#,
                Unsupported::INVALID,
                "encoding_format",
            ),
            ("[]", Unsupported::INVALID, ""),
            ("{", Unsupported::INVALID, ""),
        ];
        for (text, code, param) in table {
            let refused = read(text).unwrap_err();
            assert_eq!((refused.code, &*refused.param), (code, param), "{text}");
        }
    }
}
