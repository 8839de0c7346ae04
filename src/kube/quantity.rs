//! Amounts of CPU and memory, as Kubernetes writes them.
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/> (read 2026-11)

use std::fmt;

/// An amount above zero, in the words of who wrote it.
#[derive(Debug, Clone)]
pub struct Quantity {
    text: String,
    /// In thousand-millionths, the finest that Kubernetes knows; to compare by.
    nanos: u128,
}

/// What a suffix multiplies by.
enum Unit {
    PowerOfTwo(u32),
    PowerOfTen(i32),
}

/// What a sidecar needs, with nothing to do.
const LEAST_MEMORY: u32 = 16;

impl Quantity {
    pub(super) fn millicores(count: u32) -> Self {
        Self {
            text: format!("{count}m"),
            nanos: u128::from(count) * 1_000_000,
        }
    }

    pub(super) fn mebibytes(count: u32) -> Self {
        Self {
            text: format!("{count}Mi"),
            nanos: u128::from(count) * (1_000_000_000 << 20),
        }
    }

    /// # Errors
    /// It is none, for the operator.
    pub fn try_new(text: &str) -> Result<Self, String> {
        let nanos = nanos(text).filter(|amount| *amount > 0);
        let nanos = nanos.ok_or_else(|| {
            format!("`{text}` is not an amount above zero such as `10m` or `64Mi`")
        })?;
        Ok(Self {
            text: text.to_owned(),
            nanos,
        })
    }

    /// An amount of memory that a sidecar can be held to.
    ///
    /// # Errors
    /// It is none, or too little to live by, for the operator.
    pub fn memory_limit(text: &str) -> Result<Self, String> {
        let (limit, least) = (Self::try_new(text)?, Self::mebibytes(LEAST_MEMORY));
        if limit.nanos < least.nanos {
            return Err(format!(
                "`{text}` of memory is too little for a sidecar, which needs {least}; `Mi` are mebibytes, `m` is a thousandth of a byte"
            ));
        }
        Ok(limit)
    }

    /// The smaller of the two.
    #[must_use]
    pub fn at_most(&self, limit: Option<&Self>) -> Self {
        match limit {
            Some(limit) if limit.nanos < self.nanos => limit.clone(),
            Some(_) | None => self.clone(),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// By Kubernetes' grammar: a sign, digits with a point among them, and a suffix or an exponent.
fn nanos(text: &str) -> Option<u128> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part = part.trim_end_matches('0');
    let digits = if number.contains(|c: char| c.is_ascii_digit()) {
        format!("0{whole}{part}")
    } else {
        return None;
    };
    // No more than makes sense: what overflows is a mistake. A second point is no digit.
    let digits: u128 = digits.parse().ok()?;
    let scale = i32::try_from(part.len()).ok()?;
    let (digits, tens) = match unit(suffix)? {
        Unit::PowerOfTwo(twos) => (digits.checked_mul(1 << twos)?, 9 - scale),
        Unit::PowerOfTen(tens) => (digits, tens.checked_add(9 - scale)?),
    };
    let power = 10_u128.checked_pow(tens.unsigned_abs())?;
    // What is finer is rounded up, as Kubernetes does.
    if tens < 0 {
        Some(digits.div_ceil(power))
    } else {
        digits.checked_mul(power)
    }
}

fn unit(suffix: &str) -> Option<Unit> {
    Some(match suffix {
        "Ki" => Unit::PowerOfTwo(10),
        "Mi" => Unit::PowerOfTwo(20),
        "Gi" => Unit::PowerOfTwo(30),
        "Ti" => Unit::PowerOfTwo(40),
        "Pi" => Unit::PowerOfTwo(50),
        "Ei" => Unit::PowerOfTwo(60),
        "n" => Unit::PowerOfTen(-9),
        "u" => Unit::PowerOfTen(-6),
        "m" => Unit::PowerOfTen(-3),
        "" => Unit::PowerOfTen(0),
        "k" => Unit::PowerOfTen(3),
        "M" => Unit::PowerOfTen(6),
        "G" => Unit::PowerOfTen(9),
        "T" => Unit::PowerOfTen(12),
        "P" => Unit::PowerOfTen(15),
        "E" => Unit::PowerOfTen(18),
        exponent => Unit::PowerOfTen(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_compared() {
        const ONE: u128 = 1_000_000_000;
        for (text, expected) in [
            ("10m", Some(ONE / 100)),
            ("0.5", Some(ONE / 2)),
            (".5", Some(ONE / 2)),
            ("1", Some(ONE)),
            ("1.", Some(ONE)),
            ("+1", Some(ONE)),
            ("100n", Some(100)),
            ("100u", Some(100_000)),
            ("0.0000000001", Some(1)),
            ("1e3", Some(1000 * ONE)),
            ("1E3", Some(1000 * ONE)),
            ("5e-1", Some(ONE / 2)),
            ("1E", Some(ONE.pow(3))),
            ("2T", Some(2000 * ONE * ONE)),
            ("24Mi", Some((24 << 20) * ONE)),
            ("1.5Gi", Some((1536 << 20) * ONE)),
            ("1Ti", Some((1 << 40) * ONE)),
            ("4Ei", Some((1 << 62) * ONE)),
            ("", None),
            ("0", None),
            ("Mi", None),
            (".", None),
            (".Mi", None),
            ("-1", None),
            ("1 Mi", None),
            ("256mi", None),
            ("24mb", None),
            ("1e", None),
            ("1e3Mi", None),
            ("1e99999999999", None),
            ("1e2147483647", None),
            ("1.2.3", None),
            ("9999999999999999999999999999999999", None),
        ] {
            let read = Quantity::try_new(text).ok().map(|amount| amount.nanos);
            assert_eq!(read, expected, "{text}");
        }
        let [small, large] = ["24Mi", "128Mi"].map(|text| Quantity::try_new(text).unwrap());
        assert_eq!(large.at_most(Some(&small)).to_string(), "24Mi");
        assert_eq!(small.at_most(Some(&large)).to_string(), "24Mi");
        assert_eq!(large.at_most(None).to_string(), "128Mi");
    }

    #[test]
    fn a_limit_is_enough_to_live_by() {
        for text in ["128m", "1", "10M", "15.9Mi"] {
            let why = Quantity::memory_limit(text).unwrap_err();
            assert!(
                why.contains("too little for a sidecar, which needs 16Mi"),
                "{why}"
            );
        }
        for text in ["16Mi", "17M", "1e8", "1Ti"] {
            assert!(Quantity::memory_limit(text).is_ok(), "{text}");
        }
    }
}
