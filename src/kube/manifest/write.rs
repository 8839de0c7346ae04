//! Values as YAML in blocks, which reads back as the same by 1.1 and by 1.2.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::scalar::is_plain;

/// A document, without a line before it.
pub(super) fn yaml(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => object(members, 0, out),
        Value::Array(items) if !items.is_empty() => array(items, 0, out),
        value => {
            scalar(value, 1, out);
            out.push('\n');
        }
    }
}

/// Members, each on lines of its own; the first goes on where `out` ends.
fn object(members: &Map<String, Value>, depth: usize, out: &mut String) {
    for (nth, (name, value)) in members.iter().enumerate() {
        if nth > 0 {
            indent(depth, out);
        }
        key(name, out);
        out.push(':');
        match value {
            Value::Object(members) if !members.is_empty() => {
                out.push('\n');
                indent(depth + 1, out);
                object(members, depth + 1, out);
            }
            // As kubectl writes it: the dash below the name.
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                indent(depth, out);
                array(items, depth, out);
            }
            value => {
                out.push(' ');
                scalar(value, depth + 1, out);
                out.push('\n');
            }
        }
    }
}

fn array(items: &[Value], depth: usize, out: &mut String) {
    for (nth, value) in items.iter().enumerate() {
        if nth > 0 {
            indent(depth, out);
        }
        out.push_str("- ");
        match value {
            Value::Object(members) if !members.is_empty() => object(members, depth + 1, out),
            Value::Array(items) if !items.is_empty() => array(items, depth + 1, out),
            value => {
                scalar(value, depth + 1, out);
                out.push('\n');
            }
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn key(name: &str, out: &mut String) {
    if is_plain(name) {
        out.push_str(name);
    } else {
        quoted(name, out);
    }
}

/// A value of one line, or a block of text at this depth, without the end of its last line.
fn scalar(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::String(text) if is_plain(text) => out.push_str(text),
        Value::String(text) if is_block(text) => block(text, depth, out),
        Value::String(text) => quoted(text, out),
        Value::Number(number) if number.is_f64() => float(number.as_f64().unwrap_or_default(), out),
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        // Null, truth values and whole numbers are the same in JSON.
        value => {
            let _ = write!(out, "{value}");
        }
    }
}

/// With a point and a sign, without which YAML 1.1 takes an exponent for text.
fn float(number: f64, out: &mut String) {
    let text = format!("{number:?}");
    let (digits, exponent) = match text.split_once('e') {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (text.as_str(), None),
    };
    out.push_str(digits);
    if !digits.contains('.') {
        out.push_str(".0");
    }
    if let Some(exponent) = exponent {
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        let _ = write!(out, "e{sign}{exponent}");
    }
}

/// Whether a text of several lines may be a literal block: all of it shows there.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && text
            .chars()
            .all(|c| c == '\n' || c == '\t' || is_printable(c))
}

fn block(text: &str, depth: usize, out: &mut String) {
    out.push('|');
    let body = text.trim_end_matches('\n');
    match text.len() - body.len() {
        0 => out.push('-'),
        1 => {}
        _ => out.push('+'),
    }
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(depth, out);
            out.push_str(line);
        }
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) > 0xffff => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
}

/// What every reader takes for a character of a line.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}
