//! Replacing parts of a text and leaving every other byte as it came.
//!
//! [`Edits`] are gathered while the text is walked and applied in one copy. An [`Object`] lists its
//! members, and keeps the commas right when some are taken out or added.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use super::json::{Cursor, Invalid, Text};

/// What is to be replaced, by where it stands.
#[derive(Debug, Default)]
pub struct Edits<'a> {
    list: SmallVec<[(Range<usize>, Cow<'a, str>); 4]>,
}

impl<'a> Edits<'a> {
    pub fn replace(&mut self, span: Range<usize>, with: impl Into<Cow<'a, str>>) {
        self.list.push((span, with.into()));
    }

    pub fn insert(&mut self, at: usize, text: impl Into<Cow<'a, str>>) {
        self.replace(at..at, text);
    }

    pub fn remove(&mut self, span: Range<usize>) {
        self.replace(span, "");
    }

    pub fn is_empty(&self) -> bool {
        self.list
            .iter()
            .all(|(span, with)| span.is_empty() && with.is_empty())
    }

    /// Keeps a place for an insertion whose text is known later.
    fn reserve(&mut self, at: usize) -> usize {
        self.insert(at, "");
        self.list.len() - 1
    }

    fn fill(&mut self, place: usize, text: Cow<'a, str>) {
        self.list[place].1 = text;
    }

    /// Hands `text` with the edits made to `put`, piece by piece.
    pub fn apply<'t>(&'t mut self, text: &'t str, mut put: impl FnMut(&'t str)) {
        // Edits of nested values may be gathered out of order; at one place, insertions keep theirs.
        self.list.sort_by_key(|(span, _)| span.start);
        let mut done = 0;
        for (span, with) in &self.list {
            put(&text[done..span.start.max(done)]);
            put(with);
            done = span.end.max(done);
        }
        put(&text[done..]);
    }

    /// `body`, whose text the edits are of, with the edits made: in pieces, the large ones shared.
    pub fn slices(mut self, body: &Bytes) -> SmallVec<[Bytes; 5]> {
        self.list.sort_by_key(|(span, _)| span.start);
        let mut pieces = SmallVec::new();
        let mut put = |piece: Bytes| {
            if !piece.is_empty() {
                pieces.push(piece);
            }
        };
        let mut done = 0;
        for (span, with) in self.list {
            put(body.slice(done..span.start.max(done)));
            put(Bytes::from(with.into_owned()));
            done = span.end.max(done);
        }
        put(body.slice(done..));
        pieces
    }

    /// Takes those of a list's items out that are not kept, with their commas.
    pub fn thin(&mut self, items: &[(Range<usize>, bool)]) {
        // Where the last item ended, and where a run taken out at the list's start begins.
        let (mut end, mut leading, mut kept) = (0, None, false);
        for (span, keep) in items {
            if *keep {
                if let Some(from) = leading.take() {
                    self.remove(from..span.start);
                }
                kept = true;
            } else if kept {
                self.remove(end..span.end);
            } else {
                leading.get_or_insert(span.start);
            }
            end = span.end;
        }
        if let Some(from) = leading {
            self.remove(from..end);
        }
    }

    /// The same for one part of the text, after [`apply`](Self::apply). `None` when an edit crosses
    /// an end of the part.
    pub fn apply_within<'t>(
        &'t self,
        text: &'t str,
        part: Range<usize>,
        mut put: impl FnMut(&'t str),
    ) -> Option<()> {
        let mut done = part.start;
        for (span, with) in &self.list {
            let outside =
                span.end <= part.start && span.start < part.start || span.start >= part.end;
            if outside || span.is_empty() && with.is_empty() {
                continue;
            }
            if span.start < done || span.end > part.end {
                return None;
            }
            put(&text[done..span.start]);
            put(with);
            done = span.end;
        }
        put(&text[done..part.end]);
        Some(())
    }
}

/// The most members of an object that is read as one. None of the schema has a tenth of them, and
/// each look-up passes them all.
const MAX_MEMBERS: usize = 256;

/// One object's members, in the order of the text.
#[derive(Debug)]
pub struct Object<'a> {
    /// Where it stands, with its braces.
    pub span: Range<usize>,
    members: SmallVec<[Member<'a>; 8]>,
}

#[derive(Debug)]
pub struct Member<'a> {
    pub key: Text<'a>,
    /// Where its value stands.
    pub value: Range<usize>,
}

impl<'a> Object<'a> {
    /// Reads the object that comes next.
    ///
    /// # Errors
    /// Where the text stops being an object, or has more members than any answer needs.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Invalid> {
        let mut members = SmallVec::new();
        let span = cursor.object(|cursor, key| {
            if members.len() == MAX_MEMBERS {
                return Err(Invalid {
                    at: key.span().start,
                    what: "an object has more members than are allowed",
                });
            }
            members.push(Member {
                key,
                value: cursor.skip()?,
            });
            Ok::<(), Invalid>(())
        })?;
        Ok(Self { span, members })
    }

    /// Where the value of `key` stands; the last one, as parsers take it.
    pub fn get(&self, key: &str) -> Option<Range<usize>> {
        let named = |member: &&Member<'a>| member.key.says(key);
        self.members
            .iter()
            .rfind(named)
            .map(|member| member.value.clone())
    }

    /// Its members, in order: each key, and where its value stands.
    pub fn members(&self) -> impl Iterator<Item = (Text<'a>, Range<usize>)> + '_ {
        let members = self.members.iter();
        members.map(|member| (member.key, member.value.clone()))
    }

    /// How many members it has.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Where the key itself stands, with its quotes.
    pub fn key(&self, key: &str) -> Option<Range<usize>> {
        let named = |member: &&Member<'a>| member.key.says(key);
        self.members
            .iter()
            .rfind(named)
            .map(|member| member.key.span())
    }

    /// Takes out the members that `unwanted` names and writes `added` (members without a comma at
    /// either end; empty for none) at the front.
    pub fn rewrite(
        &self,
        edits: &mut Edits<'a>,
        unwanted: impl Fn(&str) -> bool,
        added: impl Into<Cow<'a, str>>,
    ) {
        let mut added = added.into();
        if added.is_empty()
            && !self
                .members
                .iter()
                .any(|member| unwanted(&member.key.decode()))
        {
            return;
        }
        // Where the last member ended, and where a run taken out at the object's start begins.
        let (mut end, mut leading, mut kept) = (0, None, false);
        let open = self.span.start + 1;
        let at = edits.reserve(open);
        for Member { key, value } in &self.members {
            let start = key.span().start;
            if !unwanted(&key.decode()) {
                if let Some(from) = leading.take() {
                    edits.remove(from..start);
                }
                kept = true;
            } else if kept {
                edits.remove(end..value.end);
            } else {
                leading.get_or_insert(start);
            }
            end = value.end;
        }
        if let Some(from) = leading {
            edits.remove(from..end);
        }
        if kept && !added.is_empty() {
            added.to_mut().push(',');
        }
        edits.fill(at, added);
    }
}

/// Members to be added to an object, as text.
#[derive(Debug, Default)]
pub struct Added(String);

impl Added {
    /// `value` is JSON.
    pub fn push(&mut self, key: &str, value: impl fmt::Display) {
        let comma = if self.0.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(self.0, "{comma}\"{key}\":{value}");
    }
}

impl From<Added> for Cow<'_, str> {
    fn from(added: Added) -> Self {
        Cow::Owned(added.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str, unwanted: &str, added: &str) -> serde_json::Value {
        let mut edits = Edits::default();
        let object = Object::read(&mut Cursor::new(text)).unwrap();
        object.rewrite(&mut edits, |key| unwanted.contains(key), added.to_owned());
        let mut out = String::new();
        edits.apply(text, |piece| out.push_str(piece));
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{out}: {error}"))
    }

    #[test]
    fn any_members_can_be_taken_out_and_others_added() {
        let text = r#"{ "a":1, "b":[2] ,"c":{"a":3}, "d":4 }"#;
        for mask in 0..16_u32 {
            let unwanted: String = "abcd"
                .chars()
                .zip(0..)
                .filter(|(_, i)| mask >> i & 1 == 1)
                .map(|(c, _)| c)
                .collect();
            let mut expected: serde_json::Value = serde_json::from_str(text).unwrap();
            expected
                .as_object_mut()
                .unwrap()
                .retain(|key, _| !unwanted.contains(key.as_str()));
            assert_eq!(rewritten(text, &unwanted, ""), expected, "{unwanted}");
            expected["e"] = 5.into();
            assert_eq!(
                rewritten(text, &unwanted, r#""e":5"#),
                expected,
                "{unwanted}"
            );
        }
        assert_eq!(rewritten("{}", "", r#""e":5"#), serde_json::json!({"e": 5}));
    }

    #[test]
    fn any_items_can_be_taken_out() {
        let text = "[ 0, [1] ,{\"a\":2}, 3 ]";
        for mask in 0..16_u32 {
            let keep = |at: &u32| mask >> at & 1 == 1;
            let mut items = Vec::new();
            let mut cursor = Cursor::new(text);
            cursor
                .array(|cursor| {
                    let at = u32::try_from(items.len()).unwrap_or_default();
                    items.push((cursor.skip()?, keep(&at)));
                    Ok::<(), Invalid>(())
                })
                .unwrap();
            let mut edits = Edits::default();
            edits.thin(&items);
            let left = edits.slices(&Bytes::from_static(text.as_bytes())).concat();
            let left: Vec<serde_json::Value> = serde_json::from_slice(&left).unwrap();
            let all: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
            let expected = all.into_iter().zip(0..).filter(|(_, at)| keep(at));
            assert_eq!(left, expected.map(|(item, _)| item).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_object_has_so_many_members_and_no_more() {
        for (count, fine) in [(MAX_MEMBERS, true), (MAX_MEMBERS + 1, false)] {
            let text = format!("{{{}}}", vec!["\"a\":1"; count].join(","));
            let read = Object::read(&mut Cursor::new(&text));
            assert_eq!(read.is_ok(), fine, "{count}");
        }
    }

    #[test]
    fn edits_apply_in_the_order_of_the_text() {
        let mut edits = Edits::default();
        edits.replace(4..5, "E");
        edits.insert(0, "<");
        edits.insert(6, ">");
        edits.remove(1..3);
        let mut out = String::new();
        edits.apply("abcdef", |piece| out.push_str(piece));
        assert_eq!(out, "<adEf>");
        let pieces = edits.slices(&Bytes::from_static(b"abcdef"));
        assert_eq!(pieces.concat(), b"<adEf>");
    }
}
