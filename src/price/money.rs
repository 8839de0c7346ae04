//! Amounts of money, exact to a millionth of a millionth.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// An amount in millionths of a millionth of its currency's unit, which is kept beside it. Never a
/// float: $0.0375 for a million tokens is exactly 37,500 of these for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(u128);

impl Money {
    pub const ZERO: Self = Self(0);
    const WHOLE: u128 = 1_000_000_000_000;
    const DECIMALS: usize = 12;

    pub const fn from_picos(picos: u128) -> Self {
        Self(picos)
    }

    pub const fn picos(self) -> u128 {
        self.0
    }

    /// As a float, for graphs alone.
    #[expect(
        clippy::cast_precision_loss,
        reason = "graphs need not be exact to the last digit"
    )]
    pub fn about(self) -> f64 {
        self.0 as f64 / 1e12
    }

    /// Reads `12.5`: digits, and at most twelve decimals.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let dot_for_nothing = decimals.is_empty() && text.contains('.');
        if whole.is_empty()
            || dot_for_nothing
            || !is_number(whole)
            || !is_number(decimals)
            || decimals.len() > Self::DECIMALS
        {
            return None;
        }
        let digits = |text: &str| match text {
            "" => Some(0),
            text => text.parse::<u128>().ok(),
        };
        let missing = u32::try_from(Self::DECIMALS - decimals.len()).ok()?;
        let decimals = digits(decimals)? * 10_u128.pow(missing);
        let whole = digits(whole)?.checked_mul(Self::WHOLE)?;
        whole.checked_add(decimals).map(Self)
    }

    /// This amount `times` over `by`, to the nearest; a half goes up. `None` over nothing.
    pub fn times_over(self, times: u64, by: u64) -> Option<Self> {
        let by = u128::from(by);
        let product = self.0.saturating_mul(u128::from(times));
        let half = by / 2;
        Some(Self(product.saturating_add(half).checked_div(by)?))
    }
}

impl Money {
    /// For people: to the nearest of so many decimals, twelve at most.
    pub fn rounded(self, decimals: usize) -> String {
        let decimals = decimals.min(Self::DECIMALS);
        let unit = (decimals..Self::DECIMALS).fold(1, |unit, _| unit * 10);
        let near = self.0.saturating_add(unit / 2) / unit;
        let one = Self::WHOLE / unit;
        format!("{}.{:0decimals$}", near / one, near % one)
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

/// A decimal, exact. Cents are always there, as on a price tag.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:012}", self.0 / Self::WHOLE, self.0 % Self::WHOLE);
        let short = text.trim_end_matches('0');
        let cents = text.len() - (Self::DECIMALS - 2);
        f.pad(&text[..short.len().max(cents)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_and_shows_cents() {
        for (picos, text) in [
            (0, "0.00"),
            (1, "0.000000000001"),
            (37_500, "0.0000000375"),
            (1_000_000_000_000, "1.00"),
            (12_500_000_000_000, "12.50"),
            (12_345_000_000_000, "12.345"),
        ] {
            let money = Money::from_picos(picos);
            assert_eq!(money.to_string(), text);
            assert_eq!(Money::parse(text), Some(money));
        }
    }

    #[test]
    fn whatever_is_written_is_read_again() {
        let mut rng = fastrand::Rng::with_seed(4);
        for _ in 0..10_000 {
            let money = Money::from_picos(u128::from(rng.u64(..) >> rng.u32(..64)));
            assert_eq!(Money::parse(&money.to_string()), Some(money));
        }
    }

    #[test]
    fn what_is_no_amount_is_not_read() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1.0000000000001",
            " 1",
            "1,5",
            "0x1",
            "340282366920938463463374607431768211456",
        ] {
            assert_eq!(Money::parse(text), None, "{text}");
        }
        assert_eq!(Money::parse("7"), Some(Money::from_picos(7 * Money::WHOLE)));
    }

    #[test]
    fn people_see_some_decimals() {
        let money = Money::parse("1.005678").unwrap();
        assert_eq!(money.rounded(2), "1.01");
        assert_eq!(money.rounded(4), "1.0057");
        assert_eq!(Money::parse("0.999999").unwrap().rounded(4), "1.0000");
        assert_eq!(money.rounded(12), "1.005678000000");
    }

    #[test]
    fn shares_are_to_the_nearest() {
        let ten = Money::from_picos(10);
        assert_eq!(ten.times_over(1, 4), Some(Money::from_picos(3)));
        assert_eq!(ten.times_over(1, 3), Some(Money::from_picos(3)));
        assert_eq!(ten.times_over(480, 1), Some(Money::from_picos(4800)));
        assert_eq!(ten.times_over(1, 0), None);
    }
}
