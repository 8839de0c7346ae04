//! What a route does about personal data in its requests.

use crate::privacy::Classes;

/// What is done about which classes; each is in one of the three at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privacy {
    /// Counted, and nothing else.
    pub observe: Classes,
    /// Taken out of what any provider gets.
    pub mask: Classes,
    /// A request that holds one is refused.
    pub block: Classes,
    /// Whether what was taken out is put back into the answer.
    pub unmask: bool,
    pub unscannable: Unscannable,
    /// Those that rules of the route ask for.
    pub told: Classes,
}

/// What a record holds of its exchange's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Nothing,
    /// The request and the answer, without what any detector knows of.
    Masked,
}

/// What becomes of what nobody can look into, where something is to be masked or blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unscannable {
    /// It counts as holding every class.
    Refuse,
    /// It goes as it came.
    Pass,
}

impl Unscannable {
    /// As the operator writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Pass => "pass",
        }
    }
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            observe: Classes::NONE,
            mask: Classes::NONE,
            block: Classes::NONE,
            unmask: true,
            unscannable: Unscannable::Refuse,
            told: Classes::NONE,
        }
    }
}

impl Privacy {
    /// Whether every request is looked into, whatever its rules ask.
    pub fn looks(&self) -> bool {
        !self.observe.and(self.mask).and(self.block).is_empty()
    }

    /// All classes that something depends on.
    pub fn asked(&self) -> Classes {
        self.observe.and(self.mask).and(self.block).and(self.told)
    }

    /// Whether what cannot be looked into must not go where it is not said to go.
    pub fn refuses(&self) -> bool {
        self.unscannable == Unscannable::Refuse && !self.mask.and(self.block).is_empty()
    }
}
