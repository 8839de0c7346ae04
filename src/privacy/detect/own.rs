//! All detectors of a configuration: the built-in ones, and the operator's patterns beside them.

use std::fmt;

use memchr::memmem;
use regex::{Regex, RegexBuilder};

use super::escapes::Unescaped;
use super::words::Lexicon;
use super::{Certainty, Hit, built_in};
use crate::privacy::class::BUILT_IN;
use crate::privacy::{Class, Classes};

/// How large a compiled pattern may be, in bytes.
const LARGEST: usize = 1 << 20;
/// The longest name of a class.
const LONGEST_NAME: usize = 32;

/// What finds personal data. Made once for a configuration, shared by all requests.
#[derive(Debug)]
pub struct Detectors {
    lexicon: &'static Lexicon,
    own: Vec<(Class, Regex)>,
    names: Vec<String>,
}

/// A pattern of the operator's that cannot be taken: a problem of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    /// Which detector's.
    pub name: String,
    pub why: String,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.why)
    }
}

impl Default for Detectors {
    fn default() -> Self {
        Self {
            lexicon: Lexicon::built_in(),
            own: Vec::new(),
            names: BUILT_IN.map(str::to_owned).into(),
        }
    }
}

impl Detectors {
    /// The built-in detectors, and `own` patterns by their names. A name that is built in gets the
    /// pattern in addition.
    ///
    /// # Errors
    /// Every pattern and name that cannot be taken.
    pub fn new<'a>(
        own: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<BadPattern>> {
        let mut detectors = Self::default();
        let mut problems = Vec::new();
        for (name, pattern) in own {
            if let Err(why) = detectors.add(name, pattern) {
                let name = name.to_owned();
                problems.push(BadPattern { name, why });
            }
        }
        if problems.is_empty() {
            Ok(detectors)
        } else {
            Err(problems)
        }
    }

    fn add(&mut self, name: &str, pattern: &str) -> Result<(), String> {
        let class = self.named(name)?;
        let regex = RegexBuilder::new(pattern)
            .size_limit(LARGEST)
            .dfa_size_limit(LARGEST)
            .build()
            .map_err(|error| reason(&error))?;
        if regex.is_match("") {
            return Err("the pattern fits the empty text, so it would be found everywhere".into());
        }
        self.own.push((class, regex));
        Ok(())
    }

    /// The class of that name, which is made if there is none.
    fn named(&mut self, name: &str) -> Result<Class, String> {
        if let Some(class) = self.class(name) {
            return Ok(class);
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !name.chars().all(fits)
            || name.len() > LONGEST_NAME
        {
            return Err(format!(
                "a name is up to {LONGEST_NAME} letters, digits, `-` and `_`, and starts with a letter"
            ));
        }
        // The placeholders of both would be the same.
        if let Some(other) = self.names.iter().find(|other| label(other) == label(name)) {
            return Err(format!("the name reads like `{other}`"));
        }
        let class = Class::at(self.names.len())
            .ok_or_else(|| format!("more than {} detectors of your own", Class::OWN))?;
        self.names.push(name.to_owned());
        Ok(class)
    }

    /// The class of that name.
    pub fn class(&self, name: &str) -> Option<Class> {
        Class::at(self.names.iter().position(|known| known == name)?)
    }

    /// The name of a class, as a configuration and a record have it.
    pub fn name(&self, class: Class) -> &str {
        self.names.get(class.index()).map_or("", String::as_str)
    }

    /// The names of all classes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The word in the placeholders of a class: `EMAIL`.
    pub(in crate::privacy) fn label(&self, class: Class) -> String {
        label(self.name(class))
    }

    /// What of `text` is personal and of one of `classes`: in order, none over another.
    pub fn find(&self, text: &str, classes: Classes) -> Vec<Hit> {
        super::resolve(&self.all(text), classes)
    }

    /// Whether nothing in a text can be personal, nor read like a placeholder, told by how it stands in JSON:
    /// without a digit and the like, and without a character by its number, which may be one.
    pub(in crate::privacy) fn pass(&self, raw: &str) -> bool {
        self.own.is_empty()
            && super::next_start(raw.as_bytes(), 0).is_none()
            && memmem::find(raw.as_bytes(), b"\\u").is_none()
    }

    /// Whatever could be personal, of any class.
    pub(in crate::privacy) fn all(&self, text: &str) -> Vec<Hit> {
        let Some(plain) = Unescaped::of(text) else {
            let mut hits = built_in(self.lexicon, text);
            self.own(text, &mut hits);
            return hits;
        };
        let mut hits = built_in(self.lexicon, &plain.text);
        self.own(&plain.text, &mut hits);
        for hit in &mut hits {
            hit.span = plain.place(hit.span.start)..plain.place(hit.span.end);
        }
        // What a pattern means by a backslash, its operator knows.
        self.own(text, &mut hits);
        hits
    }

    fn own(&self, text: &str, hits: &mut Vec<Hit>) {
        for (class, regex) in &self.own {
            let found = regex.find_iter(text).filter(|found| !found.is_empty());
            hits.extend(found.map(|found| Hit::new(*class, found.range(), Certainty::Own)));
        }
    }
}

fn label(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// Why a pattern is none, in one line.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!("the pattern needs more than {LARGEST} bytes"),
        error => {
            let text = error.to_string();
            let last = text.lines().rfind(|line| !line.trim().is_empty());
            last.map_or_else(String::new, |line| {
                line.trim().trim_start_matches("error: ").to_owned()
            })
        }
    }
}
