//! What is noted beside an audit file, in `FILE.heads`: one JSON object a line.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::{Digest, Head};

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    #[serde(flatten)]
    pub what: What,
    pub time: String,
    /// The audit file, as the configuration names it.
    pub file: String,
    pub instance: Option<String>,
}

/// What is noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum What {
    /// The chain has come so far, and that is on the disk.
    #[serde(rename = "pillion.audit.head")]
    Head {
        seq: u64,
        hash: Digest,
        why: Why,
        /// The name that the file has from now on, when it was rotated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        segment: Option<String>,
    },
    /// So many records behind number `after` could not be written.
    #[serde(rename = "pillion.audit.gap")]
    Gap {
        after: u64,
        lost: u64,
        why: Cow<'static, str>,
    },
    /// The beginning of a line was cut off, which a process that was killed had left behind this one.
    #[serde(rename = "pillion.audit.torn")]
    Torn {
        bytes: u64,
        seq: Option<u64>,
        hash: Option<Digest>,
    },
    /// A chain begins anew although there were records before.
    #[serde(rename = "pillion.audit.anew")]
    Anew { why: Cow<'static, str> },
    /// A segment that ended so was removed: it was older than `retention`.
    #[serde(rename = "pillion.audit.removed")]
    Removed {
        segment: String,
        seq: u64,
        hash: Digest,
    },
}

/// For an operator's log.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head { seq, .. } => write!(f, "the chain has come to number {seq}"),
            Self::Gap { after, lost, why } => {
                write!(f, "{lost} records behind number {after} are missing: {why}")
            }
            Self::Torn { bytes, seq, .. } => {
                write!(f, "the beginning of a line, {bytes} bytes, was cut off")?;
                match seq {
                    Some(seq) => write!(f, " behind number {seq}"),
                    None => Ok(()),
                }
            }
            Self::Anew { why } => write!(f, "a chain begins anew: {why}"),
            Self::Removed { segment, seq, .. } => {
                write!(f, "{segment}, which ended with number {seq}, was removed")
            }
        }
    }
}

/// Why a head is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    Start,
    Checkpoint,
    Rotation,
    /// The file was opened anew: somebody else has renamed it.
    Reopen,
    Exit,
}

impl Note {
    pub fn new(file: &str, instance: Option<&str>, what: What, now: Timestamp) -> Self {
        Self {
            what,
            time: format!("{now:.3}"),
            file: file.to_owned(),
            instance: instance.map(str::to_owned),
        }
    }
}

impl What {
    pub fn head(head: Head, why: Why) -> Self {
        Self::Head {
            seq: head.seq,
            hash: head.hash,
            why,
            segment: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let hash = Digest::try_new(&[b'a'; 64]).unwrap();
        let now: Timestamp = "2026-11-20T08:09:10.1239Z".parse().unwrap();
        for (what, begins) in [
            (
                What::head(Head { seq: 7, hash }, Why::Exit),
                r#"{"kind":"pillion.audit.head","seq":7,"hash":"aaaa"#,
            ),
            (
                What::Gap {
                    after: 7,
                    lost: 2,
                    why: "full".into(),
                },
                r#"{"kind":"pillion.audit.gap","after":7,"lost":2,"why":"full","time":"2026-11-20T08:09:10.123Z","file":"/a","instance":"pod-1"}"#,
            ),
        ] {
            let note = Note::new("/a", Some("pod-1"), what, now);
            let text = serde_json::to_string(&note).unwrap();
            assert!(text.starts_with(begins), "{text}");
            assert_eq!(serde_json::from_str::<Note>(&text).unwrap(), note);
        }
    }
}
