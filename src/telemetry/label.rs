//! The value of a metric's label, made without allocating.
//!
//! Never a caller's text: a label is a word of ours, a name from the configuration, or a status.

use std::fmt::{Error, Write as _};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use http::StatusCode;
use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

/// Equal when the text is, whichever way it is held.
#[derive(Debug, Clone)]
pub enum Label {
    Word(&'static str),
    Name(Arc<str>),
    Status(StatusCode),
}

impl Label {
    /// What is unknown, or does not apply.
    pub const NONE: Self = Self::Word("-");

    pub fn as_str(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Name(name) => name,
            Self::Status(status) => status.as_str(),
        }
    }
}

impl From<&'static str> for Label {
    fn from(word: &'static str) -> Self {
        Self::Word(word)
    }
}

impl From<&Arc<str>> for Label {
    fn from(name: &Arc<str>) -> Self {
        Self::Name(Arc::clone(name))
    }
}

impl From<StatusCode> for Label {
    fn from(status: StatusCode) -> Self {
        Self::Status(status)
    }
}

impl<T: Into<Self>> From<Option<T>> for Label {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::NONE, Into::into)
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Label {}

impl Hash for Label {
    /// By length and end alone: a request looks up ten series, names differ at their ends more than
    /// at their beginnings, and two that do not are still told apart by `eq`.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let text = self.as_str().as_bytes();
        let mut end = [0; 8];
        let length = text.len().min(end.len());
        end[..length].copy_from_slice(&text[text.len() - length..]);
        state.write_u64(u64::from_le_bytes(end) ^ (text.len() as u64).rotate_left(57));
    }
}

impl EncodeLabelValue for Label {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), Error> {
        encoder.write_str(self.as_str())
    }
}
