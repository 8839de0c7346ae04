//! How a value becomes one that cannot be wrong: durations, sizes, decimals, dates, hashes.
//!
//! Each reads one form and says `None` to everything else. Never here: which key has which form.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use figment::value::Value;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::snapshot::{BaseUrl, Percent};

/// The longest span that means anything here; sums of a few stay far from overflow.
const LONGEST: Duration = Duration::from_hours(10 * 366 * 24);

pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    let span = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(60 * 60)?),
        "d" => Duration::from_secs(number.checked_mul(24 * 60 * 60)?),
        _ => return None,
    };
    (span <= LONGEST).then_some(span)
}

/// The duration as the operator would write it, in the largest unit that is exact.
pub(super) fn duration_text(span: Duration) -> String {
    let millis = span.as_millis();
    for (unit, of) in [
        ("d", 24 * 3_600_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ] {
        if millis > 0 && millis.is_multiple_of(of) {
            return format!("{}{unit}", millis / of);
        }
    }
    format!("{millis}ms")
}

/// A duration above zero, or two of them, of which the first is not the longer.
pub(super) fn duration_range(text: &str) -> Option<(Duration, Duration)> {
    let (shortest, longest) = text.split_once("..").unwrap_or((text, text));
    let range = (duration(shortest)?, duration(longest)?);
    (!range.0.is_zero() && range.0 <= range.1).then_some(range)
}

/// A number without a sign in millionths. `None` when it has more than six decimals.
///
/// A fraction has been a float on its way here, which is told by its shortest digits: those that
/// were written, as long as there are no more than fifteen.
pub(super) fn millionths(value: &Value) -> Option<u64> {
    let number = value.to_num()?;
    let text = match number.to_f64() {
        Some(fraction) => fraction.to_string(),
        None => unsigned(value)?.to_string(),
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let decimals = format!("{decimals:0<6}");
    if decimals.len() > 6 {
        return None;
    }
    let (whole, decimals): (u64, u64) = (whole.parse().ok()?, decimals.parse().ok()?);
    whole.checked_mul(1_000_000)?.checked_add(decimals)
}

pub(super) fn unsigned(value: &Value) -> Option<u64> {
    let number = value.to_num()?;
    let unsigned = number.to_u128().and_then(|n| u64::try_from(n).ok());
    unsigned.or_else(|| number.to_i128().and_then(|n| u64::try_from(n).ok()))
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
    let number = text.strip_suffix('%')?;
    let (percents, places) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(percents) || !are_digits(places) {
        return None;
    }
    let hundredths = match places.len() {
        1 => places.parse::<u16>().ok()? * 10,
        2 => places.parse().ok()?,
        _ => return None,
    };
    Percent::try_of(percents.parse().ok()?, hundredths)
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
    hexadecimal(text.strip_prefix("sha256:")?)
}

/// An Ed25519 key: its bytes in hexadecimal digits or in base64, or the document that `openssl pkey
/// -pubout` writes, with or without its first and last line.
pub(super) fn public_key(text: &str) -> Option<[u8; 32]> {
    /// What stands before the key in such a document.
    /// <https://www.rfc-editor.org/rfc/rfc8410#section-4> (read 2026-11)
    const HEAD: &[u8] = &[
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    if let Some(key) = hexadecimal(text) {
        return Some(key);
    }
    let lines = text.lines().filter(|line| !line.starts_with("-----"));
    let body: String = lines.flat_map(str::split_whitespace).collect();
    let bytes = STANDARD.decode(body).ok()?;
    let key = bytes.strip_prefix(HEAD).unwrap_or(&bytes);
    key.try_into().ok()
}

fn hexadecimal(digits: &str) -> Option<[u8; 32]> {
    let digits = digits.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let digit = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(digit).ok()?;
        }
    }
    Some(bytes)
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
            ("90d", Some(90 * 24 * 3_600_000)),
            ("87840h", Some(3660 * 24 * 3_600_000)),
            ("87841h", None),
            ("3661d", None),
            ("99999999999999999999h", None),
            ("18446744073709551615h", None),
            ("30", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 s", None),
            ("1w", None),
            ("", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_duration_is_told_as_it_is_written() {
        for text in ["2500ms", "18s", "3m", "1h", "90s", "25h", "90d", "0ms"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn a_range_has_the_shorter_first() {
        for (text, millis) in [
            ("5s..60s", Some((5000, 60_000))),
            ("5s..5s", Some((5000, 5000))),
            ("1m", Some((60_000, 60_000))),
            ("60s..5s", None),
            ("0s..5s", None),
            ("0s", None),
            ("5s..", None),
            ("..5s", None),
            ("5s...60s", None),
            ("5s..60s..90s", None),
            ("5s .. 60s", None),
            ("5..60s", None),
        ] {
            let ms = Duration::from_millis;
            let range = millis.map(|(shortest, longest)| (ms(shortest), ms(longest)));
            assert_eq!(duration_range(text), range, "{text}");
        }
    }

    #[test]
    fn six_decimals_are_kept_exactly_and_a_seventh_is_refused() {
        for (value, kept) in [
            (Value::from(0.0375), Some(37_500)),
            (Value::from(0.1), Some(100_000)),
            (Value::from(0.000_001), Some(1)),
            (Value::from(1e-6), Some(1)),
            (Value::from(999_999_998.999_999), Some(999_999_998_999_999)),
            (Value::from(3), Some(3_000_000)),
            (Value::from(3_u64), Some(3_000_000)),
            (Value::from(0.0), Some(0)),
            (Value::from(1e3), Some(1_000_000_000)),
            (Value::from(0.000_000_1), None),
            (Value::from(0.123_456_7), None),
            (Value::from(-1), None),
            (Value::from(-0.5), None),
            (Value::from(-0.0), None),
            (Value::from(f64::NAN), None),
            (Value::from(f64::INFINITY), None),
            (Value::from(1e300), None),
            (Value::from(u64::MAX), None),
            (Value::from("0.5"), None),
        ] {
            assert_eq!(millionths(&value), kept, "{value:?}");
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
            ("+1%", false),
            ("1.5%", true),
            ("0.05%", true),
            ("0.005%", false),
            ("100.0%", true),
            ("100.01%", false),
            ("1.%", false),
            (".5%", false),
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
    fn a_public_key_is_read_in_the_forms_that_tools_write() {
        // The first test vector of RFC 8032, section 7.1.
        let digits = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let key = hexadecimal(digits).unwrap();
        let bare = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let body = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        for text in [digits, bare, body, &pem] {
            assert_eq!(public_key(text), Some(key), "{text}");
        }
        for text in ["", "11qY", &digits[2..], &body[4..], "sha256:00", "é"] {
            assert_eq!(public_key(text), None, "{text}");
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
