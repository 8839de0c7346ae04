//! What kinds of personal data there are, by name, and sets of them.

use std::collections::BTreeMap;

/// How many classes there may be: a set of them is one word.
const MOST: u8 = 64;

/// A kind of personal data. The operator's own ones are numbered by the [`Detectors`](super::Detectors)
/// that know their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(u8);

/// The built-in classes, by their names in a configuration.
pub(super) const BUILT_IN: [&str; 10] = [
    "email", "phone", "card", "iban", "iin", "bin", "passport", "contract", "address", "ip",
];

impl Class {
    pub const EMAIL: Self = Self(0);
    pub const PHONE: Self = Self(1);
    pub const CARD: Self = Self(2);
    pub const IBAN: Self = Self(3);
    /// The number of a person in Kazakhstan.
    pub const IIN: Self = Self(4);
    /// The number of a business in Kazakhstan.
    pub const BIN: Self = Self(5);
    pub const PASSPORT: Self = Self(6);
    pub const CONTRACT: Self = Self(7);
    pub const ADDRESS: Self = Self(8);
    pub const IP: Self = Self(9);

    /// How many of the operator's own there may be.
    pub const OWN: usize = MOST as usize - BUILT_IN.len();

    pub(super) fn at(index: usize) -> Option<Self> {
        let index = u8::try_from(index).ok()?;
        (index < MOST).then_some(Self(index))
    }

    /// Whether its name and all its patterns are the operator's.
    pub(super) fn is_own(self) -> bool {
        self.index() >= BUILT_IN.len()
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A set of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Classes(u64);

impl Classes {
    pub const NONE: Self = Self(0);
    /// Every class that there is, also the operator's own.
    pub const ALL: Self = Self(u64::MAX);

    pub fn has(self, class: Class) -> bool {
        self.0 & (1 << class.0) != 0
    }

    #[must_use]
    pub fn with(self, class: Class) -> Self {
        Self(self.0 | 1 << class.0)
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether both hold one.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Class> {
        (0..MOST).map(Class).filter(move |class| self.has(*class))
    }
}

impl FromIterator<Class> for Classes {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        classes.into_iter().fold(Self::NONE, Self::with)
    }
}

/// How often each class was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found(BTreeMap<Class, u64>);

impl Found {
    pub(super) fn add(&mut self, class: Class) {
        *self.0.entry(class).or_default() += 1;
    }

    /// Takes in what was found of other classes.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (class, count) in other.0 {
            *self.0.entry(class).or_default() += count;
        }
        self
    }

    pub fn count(&self, class: Class) -> u64 {
        self.0.get(&class).copied().unwrap_or_default()
    }

    pub fn classes(&self) -> Classes {
        self.0.keys().copied().collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (Class, u64)> {
        self.0.iter().map(|(class, count)| (*class, *count))
    }
}
