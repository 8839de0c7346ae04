//! What a value may look like, and how its text becomes a value that cannot be wrong.
//!
//! A [`Shape`] is data: the table of keys is built from them, and the checker, the schema and the
//! environment layer read the same table. Never here: names of keys.

use std::net::SocketAddr;
use std::time::Duration;

use figment::value::Value;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::snapshot::{BaseUrl, Percent};

/// What a value may look like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Bool,
    Integer {
        least: u64,
        most: u64,
    },
    Text,
    /// A file's path.
    File,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `300ms`, `8s`, `5m`, `1h`.
    Duration {
        zero: bool,
    },
    /// `32MiB`, `100MB`, or bytes; never zero.
    Size,
    /// `40%`.
    Percent,
    /// `2027-06-30`, as the instant at which that day begins in UTC.
    Date,
    Address,
    Url,
    /// Where a secret is; its text is never repeated in a message, for it may be the secret.
    Reference,
    /// `sha256:` and 64 hexadecimal digits; never repeated either.
    Hash,
    List {
        of: &'static Shape,
        least: usize,
        most: usize,
    },
    /// Entries under names of the operator's choice; the word says what such a name is.
    Map {
        name: &'static str,
        of: &'static Shape,
    },
    Table(&'static [Key]),
    /// The first of these that takes this type of value.
    AnyOf(&'static [Shape]),
}

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) presence: Presence,
    /// One line for the reader of an editor's pop-up.
    pub(super) help: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Presence {
    Required,
    Optional,
    /// As the operator would write it.
    Default(&'static str),
}

impl Shape {
    /// Whether this shape is meant for the type of this value, be the value right or wrong.
    pub(super) fn takes(&self, value: &Value) -> bool {
        match self {
            Self::Bool => matches!(value, Value::Bool(..)),
            Self::Integer { .. } => matches!(value, Value::Num(..)),
            Self::Size => matches!(value, Value::Num(..) | Value::String(..)),
            Self::Date => value.as_str().is_some() || toml_date(value).is_some(),
            Self::List { .. } => matches!(value, Value::Array(..)),
            Self::Map { .. } | Self::Table(_) => matches!(value, Value::Dict(..)),
            Self::AnyOf(shapes) => shapes.iter().any(|shape| shape.takes(value)),
            Self::Text
            | Self::File
            | Self::Word(_)
            | Self::Duration { .. }
            | Self::Percent
            | Self::Address
            | Self::Url
            | Self::Reference
            | Self::Hash => matches!(value, Value::String(..)),
        }
    }

    /// What is expected, with an article.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Bool => "true or false".into(),
            Self::Integer {
                least,
                most: u64::MAX,
            } => format!("a whole number from {least}"),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Text => "text".into(),
            Self::File => "a file's path".into(),
            Self::Word(words) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                match &*quoted {
                    [one] => one.clone(),
                    all => format!("one of {}", all.join(", ")),
                }
            }
            Self::Duration { zero: true } => "a duration such as `300ms`, `8s`, `5m`, `1h`".into(),
            Self::Duration { zero: false } => {
                "a duration above zero such as `300ms`, `8s`, `5m`, `1h`".into()
            }
            Self::Size => "a size such as `32MiB`, `100MB` or a number of bytes".into(),
            Self::Percent => "a percentage from `0%` to `100%`".into(),
            Self::Date => "a date such as `2027-06-30`".into(),
            Self::Address => "an IP address and a port such as `127.0.0.1:4100`".into(),
            Self::Url => "a URL such as `https://api.openai.com/v1`".into(),
            Self::Reference => {
                "a reference to a secret: `env:NAME`, `file:/path`, `aws` or `google`".into()
            }
            Self::Hash => "`sha256:` and 64 hexadecimal digits".into(),
            Self::List { .. } => "a list".into(),
            Self::Map { name, .. } => format!("a map with an entry for each {name}"),
            Self::Table(_) => "a map of keys".into(),
            Self::AnyOf(shapes) => {
                let each: Vec<_> = shapes.iter().map(Self::expected).collect();
                each.join(", or ")
            }
        }
    }
}

/// The type of a value, with an article, for a message that does not repeat the value.
pub(super) fn describe(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) if toml_date(value).is_some() => "a date",
        Value::Dict(..) => "a map",
        Value::Array(..) => "a list",
    }
}

/// A date written bare in TOML, which figment shows as a map of this one private key.
pub(super) fn toml_date(value: &Value) -> Option<&str> {
    value.as_dict()?.get("$__toml_private_datetime")?.as_str()
}

/// The longest span that means anything here; sums of a few stay far from overflow.
const LONGEST: Duration = Duration::from_hours(365 * 24);

pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    let span = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(60 * 60)?),
        _ => return None,
    };
    (span <= LONGEST).then_some(span)
}

/// The duration as the operator would write it, in the largest unit that is exact.
pub(super) fn duration_text(span: Duration) -> String {
    let millis = span.as_millis();
    for (unit, of) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if millis > 0 && millis.is_multiple_of(of) {
            return format!("{}{unit}", millis / of);
        }
    }
    format!("{millis}ms")
}

pub(super) fn size(text: &str) -> Option<u64> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit: u64 = match unit {
        "" | "B" => 1,
        "KB" | "kB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

pub(super) fn percent(text: &str) -> Option<Percent> {
    Percent::try_new(text.strip_suffix('%')?.parse().ok()?)
}

pub(super) fn date(text: &str) -> Option<Timestamp> {
    // jiff would also read a time and a zone after the date, and drop them.
    if text.len() != "2027-06-30".len() {
        return None;
    }
    let date: Date = text.parse().ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

pub(super) fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

/// # Errors
/// What is wrong with it, for the operator.
pub(super) fn url(text: &str) -> Result<BaseUrl, String> {
    BaseUrl::try_new(text)
}

pub(super) fn hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("sha256:")?.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let digit = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(digit).ok()?;
        }
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, millis) in [
            ("300ms", Some(300)),
            ("8s", Some(8000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("0s", Some(0)),
            ("8760h", Some(365 * 24 * 3_600_000)),
            ("8761h", None),
            ("99999999999999999999h", None),
            ("18446744073709551615h", None),
            ("30", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 s", None),
            ("1d", None),
            ("", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_duration_is_told_as_it_is_written() {
        for text in ["2500ms", "18s", "3m", "1h", "90s", "0ms"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes_count_bytes() {
        for (text, bytes) in [
            ("100MB", Some(100_000_000)),
            ("32MiB", Some(32 << 20)),
            ("1GiB", Some(1 << 30)),
            ("64KiB", Some(65536)),
            ("512", Some(512)),
            ("99999999999999GB", None),
            ("MB", None),
            ("1.5MB", None),
            ("1 MB", None),
            ("1TB", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn percentages_and_dates() {
        for (text, fits) in [
            ("0%", true),
            ("40%", true),
            ("100%", true),
            ("101%", false),
            ("300%", false),
            ("40", false),
            ("-1%", false),
            ("1.5%", false),
        ] {
            assert_eq!(percent(text).is_some(), fits, "{text}");
        }
        assert_eq!(
            date("2027-06-30").unwrap().to_string(),
            "2027-06-30T00:00:00Z"
        );
        for text in [
            "2027-02-30",
            "2027-6-3",
            "30.06.2027",
            "2027-06-30T10:00:00Z",
            "",
            "20270630",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn a_hash_is_64_digits_after_its_name() {
        let digits = "0f".repeat(32);
        assert_eq!(hash(&format!("sha256:{digits}")), Some([0x0f; 32]));
        assert_eq!(
            hash(&format!("sha256:{}", digits.to_uppercase())),
            Some([0x0f; 32])
        );
        for text in [
            digits.clone(),
            format!("sha256:{digits}0"),
            format!("sha256:{}", "zz".repeat(32)),
            format!("sha512:{digits}"),
            format!("sha256:{}", "é".repeat(32)),
        ] {
            assert_eq!(hash(&text), None, "{text}");
        }
    }
}
