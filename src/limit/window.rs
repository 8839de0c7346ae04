//! The days and months that budgets are for, in UTC. Pure.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// How long a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    Day,
    Month,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// `2026-11-26`, or `2026-11`.
    pub name: String,
    /// The first instant of the next one.
    pub ends: Timestamp,
}

impl Per {
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The one that `now` is in: each begins at 00:00 UTC.
    pub fn window(self, now: Timestamp) -> Window {
        let date = now.to_zoned(TimeZone::UTC).date();
        let (year, month) = (date.year(), date.month());
        let (name, next) = match self {
            Self::Day => (
                format!("{year:04}-{month:02}-{:02}", date.day()),
                date.saturating_add(1.day()),
            ),
            Self::Month => (
                format!("{year:04}-{month:02}"),
                date.first_of_month().saturating_add(1.month()),
            ),
        };
        let ends = next.to_zoned(TimeZone::UTC);
        Window {
            name,
            ends: ends.map_or(Timestamp::MAX, |ends| ends.timestamp()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_turn_at_midnight_in_utc() {
        for (now, per, name, ends) in [
            (
                "2026-11-26T23:59:59.999Z",
                Per::Day,
                "2026-11-26",
                "2026-11-27T00:00:00Z",
            ),
            (
                "2026-11-27T00:00:00Z",
                Per::Day,
                "2026-11-27",
                "2026-11-28T00:00:00Z",
            ),
            (
                "2026-12-31T12:00:00Z",
                Per::Day,
                "2026-12-31",
                "2027-01-01T00:00:00Z",
            ),
            (
                "2026-12-31T23:59:59Z",
                Per::Month,
                "2026-12",
                "2027-01-01T00:00:00Z",
            ),
            (
                "2028-02-29T00:00:00Z",
                Per::Month,
                "2028-02",
                "2028-03-01T00:00:00Z",
            ),
        ] {
            let window = per.window(now.parse().unwrap());
            assert_eq!(window.name, name);
            assert_eq!(window.ends, ends.parse().unwrap(), "{now}");
        }
    }
}
