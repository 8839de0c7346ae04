//! Records on their way to the sinks, numbered.

/// Records without their seals, and the number of the first of them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) first: u64,
    pub(super) bare: Vec<Vec<u8>>,
}

impl Batch {
    /// Each with its number.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first..).zip(self.bare.iter().map(Vec::as_slice))
    }

    pub(super) fn count(&self) -> u64 {
        self.bare.len() as u64
    }

    #[cfg(test)]
    pub(super) fn of(first: u64, bare: &[&str]) -> Self {
        Self {
            first,
            bare: bare.iter().map(|it| it.as_bytes().to_owned()).collect(),
        }
    }
}
