//! What a request asks for and a target cannot be told.

use std::borrow::Cow;

use crate::wire::json::Invalid;

/// Something that a target cannot be asked for, or that is no request in any dialect. Another target
/// may take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The caller's `error.code`.
    pub code: &'static str,
    /// The field that asks for it, such as `messages[2].content`.
    pub param: Cow<'static, str>,
    /// Why not, for the caller: a sentence.
    pub message: Cow<'static, str>,
}

impl Unsupported {
    /// A field, or a value of it, that this target has no word for.
    pub const PARAMETER: &'static str = "unsupported_parameter";
    /// A field that is not what its schema says.
    pub const INVALID: &'static str = "invalid_value";

    pub fn parameter(
        param: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code: Self::PARAMETER,
            param: param.into(),
            message: message.into(),
        }
    }

    pub fn invalid(
        param: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code: Self::INVALID,
            param: param.into(),
            message: message.into(),
        }
    }
}

impl From<Invalid> for Unsupported {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(
            "",
            format!("The request body is not valid JSON: {}.", invalid.what),
        )
    }
}
