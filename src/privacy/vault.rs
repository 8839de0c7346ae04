//! The values of one request that were taken out, and what stands in their place.

use std::collections::{HashMap, HashSet};
use std::fmt;

use zeroize::Zeroizing;

use super::class::Class;
use super::detect::escapes::Unescaped;
use super::detect::normal::normal;
use super::detect::{Detectors, Hit};
use super::placeholder::{self, Reading};

/// What was taken out of one request. It is made for one, goes with it, and is zeroed when dropped; it
/// cannot be printed.
#[derive(Default)]
pub struct Vault {
    entries: Vec<Entry>,
    /// By class and normal form: the same value has the same placeholder, however it is written.
    by_value: HashMap<(Class, Normal), usize>,
    /// By what stands between the brackets.
    by_name: HashMap<String, usize>,
    /// The classes' words, and the last number that was given.
    labels: HashMap<Class, (String, u32)>,
    /// What the request itself holds that reads like a placeholder.
    reserved: HashSet<String>,
}

#[derive(Clone)]
struct Entry {
    class: Class,
    placeholder: String,
    value: Zeroizing<String>,
}

/// A normal form, which is as personal as the value.
#[derive(Clone, PartialEq, Eq)]
struct Normal(Zeroizing<String>);

impl std::hash::Hash for Normal {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} values)", self.entries.len())
    }
}

impl Vault {
    /// An empty one, with what a request holds that reads like a placeholder.
    pub(super) fn reserving(reserved: HashSet<String>) -> Self {
        Self {
            reserved,
            ..Self::default()
        }
    }

    /// Another one that begins with the same values under the same placeholders; more of these are reserved.
    pub(super) fn going_on(&self, reserved: &HashSet<String>) -> Self {
        Self {
            entries: self.entries.clone(),
            by_value: self.by_value.clone(),
            by_name: self.by_name.clone(),
            labels: self.labels.clone(),
            reserved: self.reserved.union(reserved).cloned().collect(),
        }
    }

    /// Takes those `hits` out that lie within placeholders of these values.
    pub(super) fn pass_over(&self, text: &str, hits: &mut Vec<Hit>) {
        if self.is_empty() || hits.is_empty() {
            return;
        }
        let (mut places, mut at) = (Vec::new(), 0);
        while let Some(place) = placeholder::next(text, at) {
            at = match placeholder::read(text, place, |_| false) {
                Reading::Whole { start, end, name } => {
                    if self.by_name.contains_key(&name) {
                        places.push(start..end);
                    }
                    end
                }
                Reading::Nothing { next } => next.max(place + 1),
                Reading::Begun => place + 1,
            };
        }
        hits.retain(|hit| {
            let before = places.partition_point(|place| place.start <= hit.span.start);
            let place = before.checked_sub(1).and_then(|at| places.get(at));
            place.is_none_or(|place| place.end < hit.span.end)
        });
    }

    /// What was noted by [`reserve`](Self::reserve).
    pub(super) fn into_reserved(self) -> HashSet<String> {
        self.reserved
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many values are in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Notes what in `text` reads like a placeholder: no value is given such a one. To be told of every
    /// text of a request before the first is masked.
    pub fn reserve(&mut self, text: &str) {
        let mut at = 0;
        while let Some(place) = placeholder::next(text, at) {
            at = match placeholder::read(text, place, |_| false) {
                Reading::Whole { end, name, .. } => {
                    if name.ends_with(|c: char| c.is_ascii_digit()) {
                        self.reserved.insert(name);
                    }
                    end
                }
                Reading::Nothing { next } => next.max(place + 1),
                Reading::Begun => place + 1,
            };
        }
    }

    /// Which entry a value has: the one that was made for it, or a new one with the next number of its class.
    pub(super) fn entry(&mut self, detectors: &Detectors, class: Class, value: &str) -> usize {
        // Where it goes back to, escapes are not what they were: what they stand for is kept.
        let plain = (!class.is_own()).then(|| Unescaped::of(value)).flatten();
        let plain = plain.map(|plain| Zeroizing::new(plain.text));
        let value = plain.as_ref().map_or(value, |plain| plain.as_str());
        let form = Normal(Zeroizing::new(normal(class, value)));
        let known = (class, form);
        match self.by_value.get(&known) {
            Some(&at) => at,
            None => self.keep(detectors, class, value, known.1),
        }
    }

    /// What stands in the place of an entry's value.
    pub(super) fn placeholder(&self, entry: usize) -> &str {
        let entry = self.entries.get(entry);
        entry.map_or("", |entry| entry.placeholder.as_str())
    }

    fn keep(&mut self, detectors: &Detectors, class: Class, value: &str, form: Normal) -> usize {
        let at = self.entries.len();
        let (label, last) = self
            .labels
            .entry(class)
            .or_insert_with(|| (detectors.label(class), 0));
        let name = loop {
            *last += 1;
            let name = format!("{label}_{last}");
            if !self.reserved.contains(&name) {
                break name;
            }
        };
        self.entries.push(Entry {
            class,
            placeholder: format!("[{name}]"),
            value: Zeroizing::new(value.to_owned()),
        });
        self.by_value.insert((class, form), at);
        self.by_name.insert(name, at);
        at
    }

    /// The value behind what stands between the brackets.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let at = self.by_name.get(name)?;
        self.entries.get(*at).map(|entry| entry.value.as_str())
    }

    /// Whether a name that is known may begin so.
    pub(super) fn begins(&self, beginning: &str) -> bool {
        self.labels.values().any(|(label, _)| {
            let number = beginning.strip_prefix(label.as_str());
            label.starts_with(beginning)
                || number.is_some_and(|rest| {
                    let digits = rest.strip_prefix('_').unwrap_or(rest);
                    (rest.len() > digits.len() || rest.is_empty())
                        && digits.len() <= 10
                        && digits.bytes().all(|byte| byte.is_ascii_digit())
                })
        })
    }

    /// The values, with their places and classes.
    pub(super) fn entries(&self) -> impl Iterator<Item = (usize, Class, &str)> {
        let entries = self.entries.iter().enumerate();
        entries.map(|(at, entry)| (at, entry.class, entry.value.as_str()))
    }
}
