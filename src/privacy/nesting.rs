//! How often a value is escaped where it is put into a text that comes in pieces: once for each string of JSON that is
//! open there, as arguments of a tool may hold a string that is JSON itself.
//!
//! A whole text is walked instead, and known to be JSON. Of one that is still coming that is told by how it begins.

use super::unmask::Form;
use super::walk::DEEPEST;

/// What has come of a text.
#[derive(Debug)]
pub(super) struct Nesting {
    form: Form,
    text: Text,
}

impl Nesting {
    pub(super) fn of(form: Form) -> Self {
        let text = match form {
            Form::Text => Text::Empty,
            Form::Json => Text::Json(Box::default()),
        };
        Self { form, text }
    }

    pub(super) fn take(&mut self, text: &str) {
        if !matches!(self.text, Text::Plain) {
            for c in text.chars() {
                self.text.take(c, 0);
            }
        }
    }

    /// A placeholder, whatever it is written with.
    pub(super) fn pass(&mut self) {
        self.text.take('x', 0);
    }

    /// How often what comes now is escaped.
    pub(super) fn depth(&self) -> usize {
        let least = usize::from(self.form == Form::Json);
        self.text.depth().max(least)
    }
}

#[derive(Debug)]
enum Text {
    /// Blanks at most.
    Empty,
    /// A bracket, behind which JSON goes on otherwise than a sentence does.
    Opened(char),
    Json(Box<Json>),
    Plain,
}

/// What has come of a text that is JSON.
#[derive(Debug, Default)]
struct Json {
    /// Lists and objects that are open.
    open: u32,
    /// The last of them has been closed.
    over: bool,
    escape: Escape,
    /// The string that is open.
    string: Option<Text>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Escape {
    #[default]
    None,
    Begun,
    /// Digits of `\u`, and what they come to.
    Number(u8, u32),
}

impl Text {
    fn take(&mut self, c: char, depth: u8) {
        match self {
            Self::Empty if c.is_whitespace() => {}
            Self::Empty if matches!(c, '{' | '[') && depth < DEEPEST => *self = Self::Opened(c),
            Self::Opened('{') if c.is_whitespace() || matches!(c, '"' | '}') => self.open(c, depth),
            Self::Opened('[')
                if c.is_whitespace()
                    || c.is_ascii_digit()
                    || matches!(c, '"' | '{' | '[' | ']' | '-') =>
            {
                self.open(c, depth);
            }
            Self::Empty | Self::Opened(_) => *self = Self::Plain,
            // `[1] says "…`: what goes on behind its end was none.
            Self::Json(json) if json.over && !c.is_whitespace() => *self = Self::Plain,
            Self::Json(json) => json.take(c, depth),
            Self::Plain => {}
        }
    }

    fn open(&mut self, c: char, depth: u8) {
        let mut json = Box::new(Json {
            open: 1,
            ..Json::default()
        });
        json.take(c, depth);
        *self = Self::Json(json);
    }

    fn depth(&self) -> usize {
        match self {
            Self::Json(json) => json.string.as_ref().map_or(0, |string| 1 + string.depth()),
            Self::Empty | Self::Opened(_) | Self::Plain => 0,
        }
    }
}

impl Json {
    fn take(&mut self, c: char, depth: u8) {
        let Some(string) = &mut self.string else {
            match c {
                '"' => self.string = Some(Text::Empty),
                '{' | '[' => self.open += 1,
                '}' | ']' => {
                    self.open = self.open.saturating_sub(1);
                    self.over = self.open == 0;
                }
                _ => {}
            }
            return;
        };
        let said = match (self.escape, c) {
            (Escape::None, '\\') => {
                self.escape = Escape::Begun;
                return;
            }
            (Escape::None, '"') => {
                self.string = None;
                return;
            }
            (Escape::Begun, 'u') => {
                self.escape = Escape::Number(0, 0);
                return;
            }
            (Escape::Begun, 'b' | 'f' | 'n' | 'r' | 't') => ' ',
            (Escape::None | Escape::Begun, c) => c,
            (Escape::Number(digits, number), c) => {
                let number = number << 4 | c.to_digit(16).unwrap_or_default();
                if digits < 3 {
                    self.escape = Escape::Number(digits + 1, number);
                    return;
                }
                // Half of a pair is a letter to us.
                char::from_u32(number).unwrap_or('x')
            }
        };
        self.escape = Escape::None;
        string.take(said, depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_open_string_of_json_counts() {
        for (form, text, depth) in [
            (Form::Json, "", 1),
            (Form::Json, r#"{"a":"#, 1),
            (Form::Json, r#"{"a":"x "#, 1),
            (Form::Json, r#"{"a":"say \""#, 1),
            (Form::Json, r#"{"a":"{\"b\":"#, 1),
            (Form::Json, r#"{"a":"{\"b\":\"x "#, 2),
            (Form::Json, r#"{"a":"{\"b\":\"x\", \"c\":"#, 1),
            (Form::Json, r#"{"a":" [\"{\\\"b\\\":\\\""#, 3),
            (Form::Json, r#"{"a":"\u007b\"b\":\"x "#, 2),
            (Form::Json, r#"{"a":"{\"b\":\"x\"}","c":"x \""#, 1),
            (Form::Json, r#"{"a":"[note] \""#, 1),
            (Form::Json, r#"{"a":"{name} \""#, 1),
            (Form::Text, "", 0),
            (Form::Text, r#"She said: ""#, 0),
            (Form::Text, r#"[note] ""#, 0),
            (Form::Text, r#"[1] According to ""#, 0),
            (Form::Text, r#"{"a": ["b"]} says ""#, 0),
            (Form::Text, r#"[{"a": [1, {}], "b": ""#, 1),
            (Form::Json, r#"{"a":"[1] According to ""#, 1),
            (Form::Text, r#"{"a": "#, 0),
            (Form::Text, r#"{"a": "x "#, 1),
            (Form::Text, " \n[1, \"x ", 1),
        ] {
            let mut nesting = Nesting::of(form);
            nesting.take(text);
            assert_eq!(nesting.depth(), depth, "{text}");
            let mut nesting = Nesting::of(form);
            for c in text.chars() {
                nesting.take(c.encode_utf8(&mut [0; 4]));
            }
            assert_eq!(nesting.depth(), depth, "{text}, letter by letter");
        }
    }

    #[test]
    fn a_text_that_begins_with_a_placeholder_is_no_list() {
        let mut nesting = Nesting::of(Form::Json);
        nesting.take(r#"{"a":""#);
        nesting.pass();
        nesting.take(r#", \""#);
        assert_eq!(nesting.depth(), 1);
    }
}
