//! Percent-encoding (RFC 3986 §2.1). Pure.

use std::fmt::Write as _;

/// `text` with all bytes encoded but letters, digits and those that are `kept`.
pub(crate) fn escaped(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
