//! What a request needs of the provider that takes it.

use super::calls::word;
use crate::wire::edit::Object;
use crate::wire::json::{Cursor, Invalid, Kind};

/// Needs that not every target can meet, each by the first field that has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Something that its own provider keeps, or is to keep: an earlier response, a conversation, a
    /// file. No other provider can serve it.
    pub stored: Option<String>,
    /// Something that the provider runs: another attempt might run it twice.
    pub executes: Option<String>,
}

/// Tools that the application runs, or that run nothing.
const OURS: [&str; 7] = [
    "function",
    "custom",
    "namespace",
    "local_shell",
    "apply_patch",
    "computer",
    "computer_use_preview",
];

/// Looks through a request's body. Of one that is not what the schema says as much as there is.
pub fn needs(body: &str) -> Needs {
    let mut needs = Needs::default();
    // The body was read before: it is JSON.
    let _ = Cursor::new(body).object(|cursor, key| {
        let name = key.raw();
        match name {
            "previous_response_id" | "conversation" | "prompt" if cursor.kind()? != Kind::Null => {
                needs.store(name.to_owned());
            }
            "store" | "background" if &body[cursor.skip()?] == "true" => {
                needs.store(name.to_owned());
            }
            "tools" if cursor.kind()? == Kind::Array => each(cursor, |cursor, at| {
                let tool = Object::read(cursor)?;
                let kind = word(body, &tool, "type");
                if kind == "file_search" {
                    needs.store(format!("tools[{at}].vector_store_ids"));
                }
                if !kind.is_empty() && !OURS.contains(&kind) {
                    needs.executes.get_or_insert(format!("tools[{at}]"));
                }
                Ok(())
            })?,
            "input" if cursor.kind()? == Kind::Array => each(cursor, |cursor, at| {
                let item = Object::read(cursor)?;
                needs.item(body, &item, at)
            })?,
            _ => {}
        }
        Ok::<(), Invalid>(())
    });
    needs
}

impl Needs {
    fn store(&mut self, path: String) {
        self.stored.get_or_insert(path);
    }

    fn item(&mut self, body: &str, item: &Object<'_>, at: usize) -> Result<(), Invalid> {
        let kind = word(body, item, "type");
        if kind == "item_reference" || kind.is_empty() && item.get("role").is_none() {
            self.store(format!("input[{at}]"));
        }
        for key in ["content", "output"] {
            let Some(parts) = item
                .get(key)
                .filter(|span| body.as_bytes()[span.start] == b'[')
            else {
                continue;
            };
            each(&mut Cursor::at(body, parts.start), |cursor, number| {
                let part = Object::read(cursor)?;
                if !word(body, &part, "file_id").is_empty() {
                    self.store(format!("input[{at}].{key}[{number}].file_id"));
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The objects of a list, with their numbers.
fn each<'a>(
    cursor: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>, usize) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let mut at = 0;
    cursor.array(|cursor| {
        if cursor.kind()? == Kind::Object {
            each(cursor, at)?;
        }
        at += 1;
        Ok::<(), Invalid>(())
    })?;
    Ok(())
}
