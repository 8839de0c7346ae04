//! What was noted of the chains: beside the files, and by the centre.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use crate::proof::chain::{Digest, Head};
use crate::proof::heads::Told;
use crate::proof::note::{Note, What};

#[derive(Debug, Default)]
pub(super) struct Noted {
    /// The heads that must be there, by their hash.
    wanted: HashMap<Digest, Unseen>,
    seen: HashSet<Digest>,
    /// By instance and the number before it: how many were lost, and why.
    gaps: HashMap<(Option<String>, u64), (u64, String)>,
    /// The last hash of what was removed in its time.
    removed: HashMap<Digest, String>,
    /// And the last number of it, by instance and file.
    gone: HashMap<(Option<String>, String), u64>,
}

/// A head that no file holds.
#[derive(Debug, Clone)]
pub(super) struct Unseen {
    pub(super) told: Told,
    pub(super) instance: Option<String>,
}

/// What an instance told the centre, as far as it matters here.
#[derive(Deserialize)]
struct Report {
    instance: Option<String>,
    #[serde(default)]
    heads: Vec<Told>,
}

impl Noted {
    /// # Errors
    /// Some of it is not what it should be; the rest is taken.
    pub(super) fn heads(&mut self, text: &[u8]) -> Result<(), String> {
        self.read(text, true)
    }

    /// The same without demands.
    pub(super) fn notes(&mut self, text: &[u8]) -> Result<(), String> {
        self.read(text, false)
    }

    /// A line is there.
    pub(super) fn see(&mut self, head: Head) {
        if !self.wanted.is_empty() && self.wanted.contains_key(&head.hash) {
            self.seen.insert(head.hash);
        }
    }

    /// How many records were lost behind number `after`, and why.
    pub(super) fn gap(&self, instance: Option<&str>, after: u64) -> Option<(u64, String)> {
        let key = (instance.map(str::to_owned), after);
        self.gaps.get(&key).cloned()
    }

    /// The segment that ended so, if it was removed in its time.
    pub(super) fn removed(&self, hash: Digest) -> Option<&str> {
        self.removed.get(&hash).map(String::as_str)
    }

    /// The furthest head of each chain that no file holds.
    pub(super) fn unseen(&self) -> Vec<Unseen> {
        let mut unseen: BTreeMap<(Option<&str>, &str), &Unseen> = BTreeMap::new();
        for (hash, one) in &self.wanted {
            let key = (one.instance.clone(), one.told.file.clone());
            let gone = self.gone.get(&key).copied().unwrap_or_default();
            if self.seen.contains(hash) || one.told.seq <= gone {
                continue;
            }
            let key = (one.instance.as_deref(), one.told.file.as_str());
            let known = unseen.entry(key).or_insert(one);
            if known.told.seq < one.told.seq {
                *known = one;
            }
        }
        unseen.into_values().cloned().collect()
    }

    /// Notes or reports, a line each; or else a list of them.
    fn read(&mut self, text: &[u8], demands: bool) -> Result<(), String> {
        let whole = serde_json::from_slice(text);
        let mut unknown = 0;
        let all: Vec<Value> = match whole {
            Ok(Value::Array(all)) => all,
            Ok(one) => vec![one],
            // Line by line: one of a process that was killed may be torn.
            Err(_) => text
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
                .filter_map(|line| {
                    let one = serde_json::from_slice(line).ok();
                    unknown += u32::from(one.is_none());
                    one
                })
                .collect(),
        };
        for one in all {
            unknown += u32::from(!self.take(one, demands));
        }
        if unknown > 0 {
            return Err(format!("{unknown} of its entries are no heads"));
        }
        Ok(())
    }

    fn take(&mut self, one: Value, demands: bool) -> bool {
        if one.get("kind").is_none() {
            let Ok(report) = serde_json::from_value::<Report>(one) else {
                return false;
            };
            if demands {
                for told in report.heads {
                    self.want(told, report.instance.clone());
                }
            }
            return true;
        }
        let Ok(note) = serde_json::from_value::<Note>(one) else {
            return false;
        };
        let Note {
            what,
            time,
            file,
            instance,
        } = note;
        match what {
            What::Head { seq, hash, .. } if demands => {
                let told = Told {
                    file,
                    seq,
                    hash,
                    time,
                };
                self.want(told, instance);
            }
            What::Gap { after, lost, why } => {
                self.gaps
                    .insert((instance, after), (lost, why.into_owned()));
            }
            What::Removed { segment, seq, hash } => {
                self.removed.insert(hash, segment);
                let gone = self.gone.entry((instance, file)).or_default();
                *gone = seq.max(*gone);
            }
            What::Head { .. } | What::Torn { .. } | What::Anew { .. } => {}
        }
        true
    }

    fn want(&mut self, told: Told, instance: Option<String>) {
        self.wanted.insert(told.hash, Unseen { told, instance });
    }
}
