//! Shares, as operators write them.

use std::fmt;
use std::time::Duration;

/// A share from 0 % to 100 %, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u16);

impl Percent {
    pub const ZERO: Self = Self(0);
    pub const ALL: Self = Self(Self::PARTS);
    /// What all of it is, in hundredths of a percent.
    pub const PARTS: u16 = 10_000;

    /// Whole percents.
    pub fn try_new(percents: u8) -> Option<Self> {
        Self::try_of(percents.into(), 0)
    }

    /// Percents and hundredths of one.
    pub fn try_of(percents: u16, hundredths: u16) -> Option<Self> {
        let parts = percents.checked_mul(100)?.checked_add(hundredths)?;
        (hundredths < 100 && parts <= Self::PARTS).then_some(Self(parts))
    }

    /// So many of [`Self::PARTS`], or all of them.
    pub const fn of_parts(parts: u16) -> Self {
        if parts < Self::PARTS {
            Self(parts)
        } else {
            Self::ALL
        }
    }

    /// How many of [`Self::PARTS`] it is.
    pub fn parts(self) -> u16 {
        self.0
    }

    /// This share of `span`.
    pub fn of(self, span: Duration) -> Duration {
        span * u32::from(self.0) / u32::from(Self::PARTS)
    }
}

/// `5%`, `0.5%`.
impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percents, hundredths) = (self.0 / 100, self.0 % 100);
        write!(f, "{percents}")?;
        match hundredths {
            0 => {}
            _ if hundredths % 10 == 0 => write!(f, ".{}", hundredths / 10)?,
            _ => write!(f, ".{hundredths:02}")?,
        }
        f.write_str("%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_an_operator_would() {
        for (parts, text) in [
            (0, "0%"),
            (5, "0.05%"),
            (50, "0.5%"),
            (500, "5%"),
            (1234, "12.34%"),
            (10_000, "100%"),
            (10_001, "100%"),
        ] {
            assert_eq!(Percent::of_parts(parts).to_string(), text);
        }
        assert_eq!(Percent::try_new(100), Some(Percent::ALL));
        assert_eq!(Percent::try_of(99, 100), None);
        assert_eq!(Percent::try_of(100, 1), None);
    }
}
