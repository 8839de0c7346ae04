//! What one currency is in another, month by month.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Money;

/// The currency of the vendors' price lists, and the one that rates are told for.
pub const DOLLAR: &str = "USD";

/// A rate of one.
const ONE: u64 = 1_000_000;

/// A calendar month, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    pub fn of(time: Timestamp) -> Self {
        let date = time.to_zoned(TimeZone::UTC).date();
        Self {
            year: date.year(),
            month: date.month(),
        }
    }
}

impl Month {
    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 {
            Self {
                year: self.year + 1,
                month: 1,
            }
        } else {
            Self {
                month: self.month + 1,
                ..self
            }
        }
    }
}

/// Text that is not like `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMonth;

impl fmt::Display for NoMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not a month such as `2026-11`")
    }
}

impl FromStr for Month {
    type Err = NoMonth;

    fn from_str(text: &str) -> Result<Self, NoMonth> {
        let (year, month) = text.split_once('-').ok_or(NoMonth)?;
        let digits = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(year, 4) || !digits(month, 2) {
            return Err(NoMonth);
        }
        let month = month.parse().map_err(|_| NoMonth)?;
        if !(1..=12).contains(&month) {
            return Err(NoMonth);
        }
        Ok(Self {
            year: year.parse().map_err(|_| NoMonth)?,
            month,
        })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// What one dollar comes to in another currency, in millionths, by month.
pub type Months = BTreeMap<Month, u64>;

/// The currency that the operator counts in, and what a dollar comes to in this and in others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub currency: Arc<str>,
    /// By currency. None of the rates is zero.
    pub rates: BTreeMap<Arc<str>, Arc<Months>>,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            currency: DOLLAR.into(),
            rates: BTreeMap::new(),
        }
    }
}

impl Exchange {
    /// What a dollar comes to in `currency` in that very month.
    pub fn rate(&self, currency: &str, month: Month) -> Option<u64> {
        if currency == DOLLAR {
            return Some(ONE);
        }
        self.rates.get(currency)?.get(&month).copied()
    }

    /// `amount` of one currency in another, by the rates of that very month.
    pub fn convert(&self, amount: Money, from: &str, to: &str, month: Month) -> Option<Money> {
        if from == to {
            return Some(amount);
        }
        amount.times_over(self.rate(to, month)?, self.rate(from, month)?)
    }

    /// The rates from the price lists' currency into the operator's, where those are two.
    pub fn of_lists(&self) -> Lists {
        match self.rates.get(&self.currency) {
            _ if &*self.currency == DOLLAR => Lists::Same,
            Some(months) => Lists::By(Arc::clone(months)),
            None => Lists::Unknown,
        }
    }
}

/// How a price list's dollars become the operator's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lists {
    Same,
    By(Arc<Months>),
    Unknown,
}

/// The rate that holds in `month` while traffic runs: that of the month, else of the last one before.
pub(super) fn in_force(months: &Months, month: Month) -> Option<u64> {
    months.range(..=month).next_back().map(|(_, rate)| *rate)
}

/// An amount at a rate.
pub(super) fn at(amount: Money, rate: u64) -> Money {
    amount.times_over(rate, ONE).unwrap_or(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_has_four_digits_and_two() {
        for text in ["2026-11", "1999-01", "2026-12"] {
            assert_eq!(month(text).to_string(), text);
        }
        for text in [
            "2026-13",
            "2026-00",
            "2026-1",
            "26-11",
            "2026",
            "2026-11-01",
            "+026-11",
            "",
        ] {
            assert_eq!(text.parse::<Month>(), Err(NoMonth), "{text}");
        }
        let time: Timestamp = "2026-11-30T23:59:59.999Z".parse().unwrap();
        assert_eq!(Month::of(time), month("2026-11"));
        assert_eq!(month("2026-11").next(), month("2026-12"));
        assert_eq!(month("2026-12").next(), month("2027-01"));
    }

    #[test]
    fn a_report_goes_by_its_own_months_rate_and_traffic_by_the_last_one_known() {
        let months: Months = [
            (month("2026-10"), 470_000_000),
            (month("2026-11"), 480_000_000),
        ]
        .into();
        for (asked, rate) in [
            ("2026-09", None),
            ("2026-10", Some(470_000_000)),
            ("2026-11", Some(480_000_000)),
            ("2027-02", Some(480_000_000)),
        ] {
            assert_eq!(in_force(&months, month(asked)), rate, "{asked}");
        }
        let exchange = Exchange {
            currency: "KZT".into(),
            rates: [
                ("KZT".into(), Arc::new(months)),
                ("EUR".into(), Arc::new([(month("2026-11"), 900_000)].into())),
            ]
            .into(),
        };
        let of = |amount: &str, from, to, at| {
            let converted = exchange.convert(Money::parse(amount).unwrap(), from, to, month(at))?;
            Some(converted.to_string())
        };
        assert_eq!(
            of("2.5", "USD", "KZT", "2026-11").as_deref(),
            Some("1200.00")
        );
        assert_eq!(of("960", "KZT", "EUR", "2026-11").as_deref(), Some("1.80"));
        assert_eq!(of("1", "USD", "KZT", "2026-12"), None);
        assert_eq!(of("1", "USD", "GBP", "2026-11"), None);
        assert_eq!(of("1", "GBP", "GBP", "2026-11").as_deref(), Some("1.00"));
    }
}
