//! `.env`: variables in a file, as the libraries of that name read them.
//!
//! Lines of `NAME=value`, `export` before them or not; `#` begins a comment, within a line behind white space.
//! A value may stand in `"…"`, with `\n`, `\t`, `\"` and the like, or in `'…'`, as it is; both may go over lines.
//! `${NAME}` and `${NAME:-else}` are replaced but in `'…'`. As python-dotenv 1.2 and dotenv 17 for Node have it
//! (read 2026-11), where they agree. What is wrong is said by its line and never with its text, which may be a
//! secret.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The longest file. Those that people write have a few kilobytes.
const LARGEST: u64 = 1 << 20;

pub(super) type Variables = Vec<(String, String)>;

/// What a file holds. `outside` is the variables of the environment, which `${NAME}` may name.
///
/// # Errors
/// What is wrong with the file, with its name.
pub(super) fn read(
    file: &Path,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<Variables, String> {
    let text = text(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    parse(&text, outside)
        .map_err(|Wrong { line, why }| format!("{}, line {line}: {why}", file.display()))
}

fn text(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?
        .take(LARGEST + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

/// A line that cannot be read.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    /// From 1 on.
    line: usize,
    why: &'static str,
}

/// Later ones of a name go before earlier ones.
fn parse(text: &str, outside: &dyn Fn(&str) -> Option<String>) -> Result<Variables, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = Variables::new();
    let mut rest = text;
    while !rest.is_empty() {
        let line = 1 + text[..text.len() - rest.len()].matches('\n').count();
        let wrong = |why| Wrong { line, why };
        let (first, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        let said = first.trim();
        if said.is_empty() || said.starts_with('#') {
            rest = behind;
            continue;
        }
        let (name, _) = first.split_once('=').ok_or(wrong("is no `NAME=value`"))?;
        let value = &rest[name.len() + 1..];
        let name = name.trim();
        let exported = name
            .strip_prefix("export")
            .filter(|it| it.starts_with([' ', '\t']));
        let name = exported.unwrap_or(name).trim();
        if !is_name(name) {
            return Err(wrong(
                "what stands before `=` is no variable's name (letters, digits, `_`, `.` and `-`)",
            ));
        }
        let (value, behind) = value_of(value).map_err(wrong)?;
        rest = behind;
        let value = match value {
            Value::AsItIs(value) => value,
            Value::Open(value) => {
                let known = |name: &str| {
                    let before = || {
                        variables
                            .iter()
                            .find(|(known, _): &&(String, String)| known == name)
                    };
                    outside(name).or_else(|| before().map(|(_, value)| value.clone()))
                };
                replaced(&value, &known).map_err(wrong)?
            }
        };
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value));
    }
    Ok(variables)
}

fn is_name(name: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    !name.is_empty() && name.bytes().all(is_part)
}

enum Value {
    AsItIs(String),
    /// Variables in it are to be replaced.
    Open(String),
}

/// What stands behind `=`, and the lines behind it.
fn value_of(text: &str) -> Result<(Value, &str), &'static str> {
    let inner = text.trim_start_matches([' ', '\t']);
    match inner.chars().next() {
        Some('\'') => {
            let (value, behind) = inner[1..]
                .split_once('\'')
                .ok_or("has a `'` that is not closed")?;
            Ok((Value::AsItIs(value.to_owned()), after_quotes(behind)?))
        }
        Some('"') => {
            let (value, behind) = double(&inner[1..])?;
            Ok((Value::Open(value), after_quotes(behind)?))
        }
        _ => {
            let (line, behind) = text.split_once('\n').unwrap_or((text, ""));
            let comment = line
                .match_indices('#')
                .find(|(at, _)| line[..*at].ends_with([' ', '\t']) || *at == 0);
            let end = comment.map_or(line.len(), |(at, _)| at);
            Ok((Value::Open(line[..end].trim().to_owned()), behind))
        }
    }
}

/// What stands before the closing `"`, with its escapes read, and what stands behind it.
fn double(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(same @ ('"' | '\\' | '\'')) => value.push(same),
                Some(other) => value.extend(['\\', other]),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err("has a `\"` that is not closed")
}

/// The next line, behind a closing quote.
fn after_quotes(text: &str) -> Result<&str, &'static str> {
    let (line, behind) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(behind);
    }
    Err("has more behind the closing quote")
}

/// With its variables. One that nobody knows is empty.
fn replaced(value: &str, known: &dyn Fn(&str) -> Option<String>) -> Result<String, &'static str> {
    let mut whole = String::new();
    let mut rest = value;
    while let Some((before, inner)) = rest.split_once("${") {
        let (inner, behind) = inner
            .split_once('}')
            .ok_or("has a `${` that is not closed")?;
        let (name, otherwise) = inner.split_once(":-").unwrap_or((inner, ""));
        whole += before;
        whole += &known(name)
            .filter(|value| !value.is_empty())
            .unwrap_or_else(|| otherwise.to_owned());
        rest = behind;
    }
    Ok(whole + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Variables, Wrong> {
        parse(text, &|name| {
            (name == "HOME").then(|| "/home/me".to_owned())
        })
    }

    #[test]
    fn a_value_is_read_in_each_way_that_it_may_be_written() {
        for (line, expected) in [
            ("A=sk-1", "sk-1"),
            ("A = sk-1  ", "sk-1"),
            ("export A=sk-1", "sk-1"),
            ("  export\tA=sk-1\r", "sk-1"),
            ("A=", ""),
            ("A= # none", ""),
            ("A=#none", ""),
            ("A=sk#1", "sk#1"),
            ("A=sk-1 # mine", "sk-1"),
            ("A=a b=c", "a b=c"),
            (
                "A='sk \"1\" # ${HOME} \\n' # mine",
                "sk \"1\" # ${HOME} \\n",
            ),
            (
                "A=\"sk '1' # \\\"x\\\"\\n\\\\ \\q\"",
                "sk '1' # \"x\"\n\\ \\q",
            ),
            ("A=\"two\nlines\"", "two\nlines"),
            ("A='two\nlines'", "two\nlines"),
            ("A=${HOME}/x", "/home/me/x"),
            ("A=\"${HOME}${NOBODY}${NOBODY:-else}\"", "/home/meelse"),
            ("A=$HOME", "$HOME"),
            ("\u{feff}A=1", "1"),
        ] {
            let read = read(line);
            assert_eq!(
                read,
                Ok(vec![("A".to_owned(), expected.to_owned())]),
                "{line:?}"
            );
        }
    }

    #[test]
    fn lines_follow_each_other() {
        let text = "# mine\n\nlog.level-2=x\nA=1\r\nB=\"x\ny\" # two\nC=${A}${B}\nA=2\nD='z'";
        let variables = read(text).unwrap();
        let variables: Vec<_> = variables
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(
            variables,
            [
                ("log.level-2", "x"),
                ("B", "x\ny"),
                ("C", "1x\ny"),
                ("A", "2"),
                ("D", "z")
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_said_by_its_line_and_without_its_text() {
        for (text, line, why) in [
            ("A=1\ncanary\n", 2, "is no `NAME=value`"),
            ("\n# x\nca/nary=1", 3, "no variable's name"),
            ("ca nary=1", 1, "no variable's name"),
            ("=canary", 1, "no variable's name"),
            ("A=\"x\ny\"\nB='canary", 3, "a `'` that is not closed"),
            ("A=\"canary\\", 1, "a `\"` that is not closed"),
            ("A='canary' canary", 1, "more behind the closing quote"),
            ("A=${canary", 1, "a `${` that is not closed"),
        ] {
            let wrong = read(text).unwrap_err();
            assert_eq!(wrong.line, line, "{text}");
            assert!(
                wrong.why.contains(why) && !wrong.why.contains("canary"),
                "{}",
                wrong.why
            );
        }
    }
}
