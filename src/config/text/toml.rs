//! Positions of a TOML text, by the spans of `toml_edit`, the parser behind figment's own provider.
//!
//! A duplicate key is a syntax error in TOML, so it ends the reading. Never here: values.

use std::ops::Range;

use toml_edit::{ImDocument, Item, Key, Value};

use super::Marks;
use crate::config::path::{Lines, Path};

/// `None` after a problem that ends the reading.
pub(super) fn mark(text: &str, marks: &mut Marks<'_>) -> Option<()> {
    let lines = Lines::of(text);
    match ImDocument::parse(text) {
        Ok(document) => {
            let mut walk = Walk { lines, marks };
            walk.item(document.as_item(), &Path::root());
            Some(())
        }
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start);
            let message = format!("is not TOML: {}", error.message().replace('\n', ", "));
            marks.problem(&Path::root(), lines.position(start), message, None);
            None
        }
    }
}

struct Walk<'a, 'm> {
    lines: Lines<'a>,
    marks: &'a mut Marks<'m>,
}

impl Walk<'_, '_> {
    /// Recursion ends where `toml_edit`'s own limit does.
    fn item(&mut self, item: &Item, path: &Path) {
        match item {
            Item::None => {}
            Item::Value(value) => self.value(value, path),
            Item::Table(table) => {
                for (name, _) in table {
                    if let Some((key, item)) = table.get_key_value(name) {
                        let path = self.key(key, item.span(), path);
                        self.item(item, &path);
                    }
                }
            }
            Item::ArrayOfTables(tables) => {
                for (index, table) in tables.iter().enumerate() {
                    let path = path.index(index);
                    self.begins(&path, table.span());
                    for (name, _) in table {
                        if let Some((key, item)) = table.get_key_value(name) {
                            let path = self.key(key, item.span(), &path);
                            self.item(item, &path);
                        }
                    }
                }
            }
        }
    }

    fn value(&mut self, value: &Value, path: &Path) {
        match value {
            Value::InlineTable(table) => {
                for (name, _) in table {
                    if let Some((key, item)) = table.get_key_value(name) {
                        let path = self.key(key, item.span(), path);
                        self.item(item, &path);
                    }
                }
            }
            Value::Array(array) => {
                for (index, value) in array.iter().enumerate() {
                    let path = path.index(index);
                    self.begins(&path, value.span());
                    self.value(value, &path);
                }
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_) => {}
        }
    }

    /// A key stands where it is first written; one that headers only imply, where its value does.
    fn key(&mut self, key: &Key, value: Option<Range<usize>>, path: &Path) -> Path {
        let path = path.key(key.get());
        self.begins(&path, key.span().or(value));
        path
    }

    fn begins(&mut self, path: &Path, span: Option<Range<usize>>) {
        if let Some(span) = span {
            let position = self.lines.position(span.start);
            self.marks.positions.insert(path.clone(), position);
        }
    }
}
