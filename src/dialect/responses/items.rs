//! The items of `input` as turns.
//!
//! What the model said (reasoning, messages, calls) is one assistant's turn as long as nothing
//! comes between; results of calls that follow one another are one user's turn.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::carrier::{self, Carried};
use super::parts::{self, text_of};
use super::{kept_elsewhere, value};
use crate::chat::{Call, CallResult, Part, Role, Thought, Turn, Unsupported};

/// What `input` says.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) system: Vec<Part>,
    pub(super) turns: Vec<Turn>,
}

/// Every field of the items that are read; `ResponseInputItemParam` of the official SDK (3.54, read
/// 2026-11). Its users send nulls for what they did not set.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    call_id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    encrypted_content: Option<String>,
}

impl Input {
    pub(super) fn read(raw: &str) -> Result<Self, Unsupported> {
        let mut input = Self::default();
        if raw.starts_with('"') {
            let said = value("input", raw, "a string")?;
            input.push(Role::User, Part::Text(said));
            return Ok(input);
        }
        let items: Vec<&RawValue> = value("input", raw, "a string or a list of items")?;
        // Signatures of calls that follow, by the ids of the calls.
        let mut signatures = BTreeMap::new();
        for (at, raw) in items.into_iter().enumerate() {
            let path = format!("input[{at}]");
            let item: Item<'_> = value(&path, raw.get(), "an item of the Responses API")?;
            input.item(&path, item, &mut signatures)?;
        }
        Ok(input)
    }

    fn item(
        &mut self,
        path: &str,
        item: Item<'_>,
        signatures: &mut BTreeMap<String, String>,
    ) -> Result<(), Unsupported> {
        match item.kind.as_deref() {
            Some("message") | None if item.role.is_some() => self.message(path, &item),
            Some("function_call") => {
                let id = named(path, "call_id", item.call_id)?;
                let call = Call {
                    name: named(path, "name", item.name)?,
                    arguments: item.arguments.map(text_of).unwrap_or_default(),
                    whole: true,
                    signature: signatures.remove(&id),
                    id,
                };
                self.push(Role::Assistant, Part::Call(call));
                Ok(())
            }
            Some("function_call_output") => {
                let result = CallResult {
                    id: named(path, "call_id", item.call_id)?,
                    parts: match item.output {
                        Some(output) => parts::result(&format!("{path}.output"), output)?,
                        None => Vec::new(),
                    },
                    is_error: false,
                };
                self.result(result);
                Ok(())
            }
            Some("reasoning") => {
                let sealed = item.encrypted_content.as_deref().and_then(carrier::open);
                let thought = match sealed {
                    Some(Carried {
                        thought,
                        signatures: carried,
                    }) => {
                        signatures.extend(carried);
                        thought
                    }
                    // Another provider's: to be read by none but it. Only what an open model thought
                    // stands there as text.
                    None => match item.content {
                        Some(content) => raw_thought(&format!("{path}.content"), content)?,
                        None => None,
                    },
                };
                if let Some(thought) = thought {
                    self.push(Role::Assistant, Part::Thought(thought));
                }
                Ok(())
            }
            Some("item_reference") | None => Err(kept_elsewhere(path)),
            Some(kind) => Err(Unsupported::parameter(
                path.to_owned(),
                format!(
                    "An item of type `{kind}` can only be read by a provider that serves the Responses API itself."
                ),
            )),
        }
    }

    fn message(&mut self, path: &str, item: &Item<'_>) -> Result<(), Unsupported> {
        let said = match item.content {
            Some(content) => parts::message(&format!("{path}.content"), content)?,
            None => Vec::new(),
        };
        match item.role.as_deref().unwrap_or_default() {
            "system" | "developer" => {
                for part in said {
                    match part {
                        Part::Text(text) if text.is_empty() => {}
                        Part::Text(_) => self.system.push(part),
                        _ => {
                            return Err(Unsupported::parameter(
                                format!("{path}.content"),
                                "Instructions must be text.",
                            ));
                        }
                    }
                }
            }
            "user" => self.turns.push(Turn {
                role: Role::User,
                parts: said,
            }),
            "assistant" => said
                .into_iter()
                .for_each(|part| self.push(Role::Assistant, part)),
            _ => {
                return Err(Unsupported::invalid(
                    format!("{path}.role"),
                    format!(
                        "`{path}.role` is one of `user`, `assistant`, `system` and `developer`."
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Adds to the last turn if it is this role's.
    fn push(&mut self, role: Role, part: Part) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.parts.push(part),
            _ => self.turns.push(Turn {
                role,
                parts: vec![part],
            }),
        }
    }

    fn result(&mut self, result: CallResult) {
        let part = Part::Result(result);
        match self.turns.last_mut() {
            Some(turn) if matches!(turn.parts.last(), Some(Part::Result(_))) => {
                turn.parts.push(part);
            }
            _ => self.turns.push(Turn {
                role: Role::User,
                parts: vec![part],
            }),
        }
    }
}

fn named(path: &str, field: &str, given: Option<String>) -> Result<String, Unsupported> {
    given.filter(|given| !given.is_empty()).ok_or_else(|| {
        Unsupported::invalid(
            format!("{path}.{field}"),
            format!("`{path}` has no `{field}`."),
        )
    })
}

#[derive(Deserialize)]
struct ThoughtPart {
    text: Option<String>,
}

fn raw_thought(path: &str, content: &RawValue) -> Result<Option<Thought>, Unsupported> {
    let parts: Vec<ThoughtPart> = value(path, content.get(), "a list of parts")?;
    let text: String = parts.into_iter().filter_map(|part| part.text).collect();
    Ok((!text.is_empty()).then_some(Thought {
        text,
        ..Thought::default()
    }))
}
