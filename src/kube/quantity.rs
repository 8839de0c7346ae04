//! Amounts of CPU and memory, as Kubernetes writes them.
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/> (read 2026-11)

use std::fmt;

/// An amount above zero, in the words of who wrote it.
#[derive(Debug, Clone)]
pub struct Quantity {
    text: String,
    /// In thousandths, to compare by.
    thousandths: u128,
}

/// Suffixes and what they multiply by, in thousandths.
const SUFFIXES: &[(&str, u128)] = &[
    ("m", 1),
    ("", 1000),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("Ki", 1000 << 10),
    ("Mi", 1000 << 20),
    ("Gi", 1000 << 30),
];

impl Quantity {
    pub(super) fn millicores(count: u32) -> Self {
        Self {
            text: format!("{count}m"),
            thousandths: count.into(),
        }
    }

    pub(super) fn mebibytes(count: u32) -> Self {
        Self {
            text: format!("{count}Mi"),
            thousandths: u128::from(count) * (1000 << 20),
        }
    }

    /// # Errors
    /// It is none, for the operator.
    pub fn try_new(text: &str) -> Result<Self, String> {
        let thousandths = thousandths(text).filter(|amount| *amount > 0);
        let thousandths = thousandths.ok_or_else(|| {
            format!("`{text}` is not an amount above zero such as `10m` or `64Mi`")
        })?;
        Ok(Self {
            text: text.to_owned(),
            thousandths,
        })
    }

    /// The smaller of the two.
    #[must_use]
    pub fn at_most(&self, limit: Option<&Self>) -> Self {
        match limit {
            Some(limit) if limit.thousandths < self.thousandths => limit.clone(),
            Some(_) | None => self.clone(),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn thousandths(text: &str) -> Option<u128> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, suffix) = text.split_at(digits.unwrap_or(text.len()));
    let (_, unit) = SUFFIXES.iter().find(|(known, _)| *known == suffix)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    // No more than makes sense: what is longer is a mistake, and must not overflow.
    if whole.is_empty() || whole.len() > 15 || part.len() > 3 {
        return None;
    }
    let whole = whole.parse::<u128>().ok()? * unit;
    if part.is_empty() {
        return (!number.ends_with('.')).then_some(whole);
    }
    let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
    Some(whole + part.parse::<u128>().ok()? * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_compared() {
        for (text, expected) in [
            ("10m", Some(10)),
            ("0.5", Some(500)),
            ("1", Some(1000)),
            ("24Mi", Some(24 * 1024 * 1024 * 1000)),
            ("1.5Gi", Some(1536 * 1024 * 1024 * 1000)),
            ("", None),
            ("0", None),
            ("Mi", None),
            ("1.", None),
            ("-1", None),
            ("1 Mi", None),
            ("24mb", None),
            ("1.2.3", None),
            ("9999999999999999999999", None),
        ] {
            let read = Quantity::try_new(text)
                .ok()
                .map(|amount| amount.thousandths);
            assert_eq!(read, expected, "{text}");
        }
        let [small, large] = ["24Mi", "128Mi"].map(|text| Quantity::try_new(text).unwrap());
        assert_eq!(large.at_most(Some(&small)).to_string(), "24Mi");
        assert_eq!(small.at_most(Some(&large)).to_string(), "24Mi");
        assert_eq!(large.at_most(None).to_string(), "128Mi");
    }
}
