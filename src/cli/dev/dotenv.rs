//! `.env`: variables in a file, as the libraries of that name read them.
//!
//! Lines of `NAME=value`, `export` before them or not; `#` begins a comment, within a line behind white space.
//! A value may stand in `"…"`, with `\n`, `\t`, `\"` and the like, in `'…'`, as it is but for `\'` and `\\`, or in
//! `` `…` ``; all may go over lines. `${NAME}` and `${NAME:-else}` are replaced where there are no quotes or `"…"`.
//! As python-dotenv 1.2 and dotenv 17 for Node have it (read 2026-11), where they agree; of what one of them alone
//! can read, `'NAME'=value` is the one's and `NAME: value` the other's. As with them a line that cannot be read
//! keeps nobody from the rest. It is said by its number and never with its text, which may be a secret.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The longest file. Those that people write have a few kilobytes.
const LARGEST: u64 = 1 << 20;

pub(super) type Variables = Vec<(String, String)>;

/// What a file holds, and which lines of it cannot be read and why. `outside` is the variables of the environment,
/// which `${NAME}` may name.
///
/// # Errors
/// Why the file cannot be read, with its name.
pub(super) fn read(
    file: &Path,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<(Variables, Vec<String>), String> {
    let name = file.display();
    let text = text(file).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let (variables, wrong) = parse(&text, outside);
    let wrong = wrong.iter();
    let told =
        wrong.map(|Wrong { line, why }| format!("{name}, line {line} is left out: it {why}"));
    Ok((variables, told.collect()))
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
fn parse(text: &str, outside: &dyn Fn(&str) -> Option<String>) -> (Variables, Vec<Wrong>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = Variables::new();
    let mut wrong = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let known = |name: &str| {
            let before = || variables.iter().find(|(known, _)| known == name);
            outside(name).or_else(|| before().map(|(_, value)| value.clone()))
        };
        match variable(rest, &known) {
            Ok((Some((name, value)), behind)) => {
                variables.retain(|(known, _)| *known != name);
                variables.push((name, value));
                rest = behind;
            }
            Ok((None, behind)) => rest = behind,
            Err(why) => {
                let line = 1 + text[..text.len() - rest.len()].matches('\n').count();
                wrong.push(Wrong { line, why });
                // Not what a quote that is never closed would reach to.
                rest = rest.split_once('\n').map_or("", |(_, behind)| behind);
            }
        }
    }
    (variables, wrong)
}

/// What one line says, if it says anything, and the lines behind it.
type Said<'a> = (Option<(String, String)>, &'a str);

fn variable<'a>(
    text: &'a str,
    known: &dyn Fn(&str) -> Option<String>,
) -> Result<Said<'a>, &'static str> {
    let (whole, behind) = text.split_once('\n').unwrap_or((text, ""));
    let line = whole.trim_start();
    if is_over(line) {
        return Ok((None, behind));
    }
    let exported = line
        .strip_prefix("export")
        .filter(|it| it.starts_with([' ', '\t']));
    let (name, after) = name_of(exported.unwrap_or(line).trim_start());
    let is_named = is_name(name);
    let value = match after.trim_start().strip_prefix('=') {
        Some(value) if is_named => value,
        Some(_) => return Err(NO_NAME),
        None if is_named && (after.starts_with(": ") || after.starts_with(":\t")) => &after[1..],
        // It marks a variable of another line, as a shell has it.
        None if is_named && exported.is_some() && is_over(after) => return Ok((None, behind)),
        None if after.contains('=') => return Err(NO_NAME),
        None => return Err("is no `NAME=value`"),
    };
    // It may go over lines.
    let (value, behind) = value_of(&text[whole.len() - value.len()..])?;
    let value = match value {
        Value::AsItIs(value) => value,
        Value::Open(value) => replaced(&value, known),
    };
    Ok((Some((name.to_owned(), value)), behind))
}

const NO_NAME: &str = "has no variable's name before `=` (letters, digits, `_`, `.` and `-`)";

/// Whether a line has no more to say.
fn is_over(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// The name with which a line begins, and what stands behind it.
fn name_of(line: &str) -> (&str, &str) {
    let quoted = line.strip_prefix('\'');
    if let Some(found) = quoted.and_then(|inner| inner.split_once('\'')) {
        return found;
    }
    let end = line.find(|c: char| !c.is_ascii() || !is_part(c as u8));
    line.split_at(end.unwrap_or(line.len()))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_part)
}

fn is_part(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')
}

enum Value {
    AsItIs(String),
    /// Variables in it are to be replaced.
    Open(String),
}

/// What stands behind `=`, and the lines behind it.
fn value_of(text: &str) -> Result<(Value, &str), &'static str> {
    let inner = text.trim_start_matches([' ', '\t']);
    if let Some(quote @ ('\'' | '"' | '`')) = inner.chars().next() {
        let (value, behind) = quoted(&inner[1..], quote)?;
        let form = match quote {
            '"' => Value::Open,
            _ => Value::AsItIs,
        };
        return Ok((form(value), after_quotes(behind)?));
    }
    let (line, behind) = text.split_once('\n').unwrap_or((text, ""));
    let comment = line
        .match_indices('#')
        .find(|(at, _)| line[..*at].ends_with([' ', '\t']) || *at == 0);
    let end = comment.map_or(line.len(), |(at, _)| at);
    Ok((Value::Open(line[..end].trim().to_owned()), behind))
}

/// What stands before the closing quote, with its escapes read, and what stands behind it.
fn quoted(text: &str, quote: char) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((value, &text[at + 1..])),
            '\\' => match (quote, chars.next().map(|(_, escaped)| escaped)) {
                ('"', Some('n')) => value.push('\n'),
                ('"', Some('r')) => value.push('\r'),
                ('"', Some('t')) => value.push('\t'),
                ('"' | '\'', Some(same @ ('\\' | '\''))) | ('"', Some(same @ '"')) => {
                    value.push(same);
                }
                (_, Some(other)) => value.extend(['\\', other]),
                (_, None) => break,
            },
            other => value.push(other),
        }
    }
    Err("has a quote that is not closed")
}

/// The next line, behind a closing quote.
fn after_quotes(text: &str) -> Result<&str, &'static str> {
    let (line, behind) = text.split_once('\n').unwrap_or((text, ""));
    if is_over(line) {
        return Ok(behind);
    }
    Err("has more behind the closing quote")
}

/// With its variables. One that nobody knows is empty, and what names none stays.
fn replaced(value: &str, known: &dyn Fn(&str) -> Option<String>) -> String {
    let mut whole = String::new();
    let mut rest = value;
    while let Some((before, behind)) = rest.split_once("${") {
        whole += before;
        let Some((inner, after)) = behind.split_once('}') else {
            return whole + "${" + behind;
        };
        let (name, otherwise) = inner.split_once(":-").unwrap_or((inner, ""));
        if name.contains(':') {
            whole.extend(["${", inner, "}"]);
        } else {
            let said = known(name).filter(|value| !value.is_empty());
            whole += said.as_deref().unwrap_or(otherwise);
        }
        rest = after;
    }
    whole + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Variables, Vec<Wrong>) {
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
            ("A=a${b", "a${b"),
            ("A=${HOME:x}${b:c:-d}", "${HOME:x}${b:c:-d}"),
            ("A=it's", "it's"),
            ("A='it\\'s \\\\ \\n'", "it's \\ \\n"),
            ("A=`it's \"${HOME}\"\\n`", "it's \"${HOME}\"\\n"),
            ("'A'=sk-1", "sk-1"),
            ("export 'A' = sk-1", "sk-1"),
            ("A: sk-1 # mine", "sk-1"),
            ("A=b: c", "b: c"),
            ("export A\nA=1\nexport A # for others", "1"),
            ("\u{feff}A=1", "1"),
        ] {
            let read = read(line);
            let expected = vec![("A".to_owned(), expected.to_owned())];
            assert_eq!(read, (expected, vec![]), "{line:?}");
        }
    }

    #[test]
    fn lines_follow_each_other() {
        let text = "# mine\n\nlog.level-2=x\nA=1\r\nB=\"x\ny\" # two\nC=${A}${B}\nA=2\nD='z'";
        let (variables, _) = read(text);
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
    fn what_is_wrong_is_said_by_its_line_and_keeps_nobody_from_the_rest() {
        for (text, line, why) in [
            ("B=1\ncanary\n", 2, "is no `NAME=value`"),
            ("\n# x\nca/nary=1", 3, "no variable's name"),
            ("ca nary=1", 1, "no variable's name"),
            ("'ca nary'=1", 1, "no variable's name"),
            ("=canary", 1, "no variable's name"),
            ("set -a", 1, "is no `NAME=value`"),
            ("canary:1", 1, "is no `NAME=value`"),
            ("B=\"x\ny\"\nB='canary", 3, "a quote that is not closed"),
            ("B=\"canary\\", 1, "a quote that is not closed"),
            ("B='canary' canary", 1, "more behind the closing quote"),
            ("B=`canary", 1, "a quote that is not closed"),
        ] {
            let (variables, wrong) = read(&format!("{text}\nA=sk-1\n"));
            let last = ("A".to_owned(), "sk-1".to_owned());
            assert_eq!(variables.last(), Some(&last), "{text}");
            let [wrong] = &wrong[..] else {
                panic!("{text}: {wrong:?}");
            };
            assert_eq!(wrong.line, line, "{text}");
            let said = wrong.why;
            assert!(said.contains(why) && !said.contains("canary"), "{said}");
        }
    }
}
