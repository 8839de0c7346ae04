//! A caller's request, read as a conversation.
//!
//! What only a provider that keeps responses can do is refused by its field's name; what has no
//! counterpart elsewhere is named in [`Conversation::asked`], unless what it asks for is so anyway
//! (`store: false`). A null is a field that was not set.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::items::Input;
use super::tools::{tool_choice, tools};
use super::{kept_elsewhere, value};
use crate::chat::asked::{self, note};
use crate::chat::{Conversation, Effort, Format, Part, Unsupported};
use crate::wire::json::{Cursor, Invalid};

/// Reads the body of a request.
///
/// # Errors
/// It asks for what no other dialect can say, or is not what the schema says.
pub fn read(body: &str) -> Result<Conversation, Unsupported> {
    let mut fields = Vec::new();
    Cursor::new(body)
        .object(|cursor, key| {
            fields.push((key.decode(), &body[cursor.skip()?]));
            Ok::<(), Invalid>(())
        })
        .map_err(|_| Unsupported::invalid("body", "The request body is not a JSON object."))?;
    if fields.len() > asked::MOST {
        return Err(asked::too_many());
    }
    let mut conversation = Conversation::default();
    for (name, raw) in fields {
        if raw != "null" && raw != "[]" && raw != "{}" {
            field(&mut conversation, &name, raw)?;
        }
    }
    Ok(conversation)
}

fn field(conversation: &mut Conversation, name: &str, raw: &str) -> Result<(), Unsupported> {
    match name {
        // Streams always bear usage here, and are not padded.
        "model" | "stream" | "stream_options" => return Ok(()),
        "input" => {
            let Input { system, turns } = Input::read(raw)?;
            conversation.system.extend(system);
            conversation.turns = turns;
            return Ok(());
        }
        "instructions" => {
            let text: String = value(name, raw, "a string")?;
            if !text.is_empty() {
                conversation.system.insert(0, Part::Text(text));
            }
            return Ok(());
        }
        "max_output_tokens" => {
            conversation.max_tokens = Some(value(name, raw, "a number of tokens")?);
            return Ok(());
        }
        "tools" => conversation.tools = tools(raw)?,
        "tool_choice" => conversation.tool_choice = Some(tool_choice(raw)?),
        "parallel_tool_calls" => {
            let parallel = value(name, raw, "true or false")?;
            conversation.parallel_calls = Some(parallel);
            if parallel {
                return Ok(());
            }
        }
        "temperature" => conversation.temperature = Some(value(name, raw, "a number")?),
        "top_p" => conversation.top_p = Some(value(name, raw, "a number")?),
        "user" | "safety_identifier" => {
            let user = value(name, raw, "a string")?;
            // The newer field of the two says the same better.
            if name == "safety_identifier" || conversation.user.is_none() {
                conversation.user = Some(user);
            }
        }
        "service_tier" => {
            let tier: String = value(name, raw, "a string")?;
            if tier == "auto" {
                return Ok(());
            }
            conversation.service_tier = Some(tier);
        }
        "text" => return text(conversation, raw),
        "reasoning" => return reasoning(conversation, raw),
        "include" => return include(conversation, raw),
        "top_logprobs" => {
            let count: u64 = value(name, raw, "a number")?;
            if count > 0 {
                return Err(no_logprobs(name));
            }
            return Ok(());
        }
        "store" | "background" => {
            let asked: bool = value(name, raw, "true or false")?;
            return if asked {
                Err(kept_elsewhere(name))
            } else {
                Ok(())
            };
        }
        "truncation" => {
            let how: String = value(name, raw, "a string")?;
            return if how == "disabled" {
                Ok(())
            } else {
                Err(Unsupported::parameter(
                    "truncation",
                    "Only a provider of its own Responses cuts a conversation that is too long: `truncation` must be `disabled`.",
                ))
            };
        }
        "previous_response_id" | "conversation" | "prompt" => return Err(kept_elsewhere(name)),
        _ => {}
    }
    note(&mut conversation.asked, name.to_owned());
    Ok(())
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    format: Option<AnswerFormat<'a>>,
    verbosity: Option<String>,
}

#[derive(Deserialize)]
struct AnswerFormat<'a> {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    description: Option<String>,
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
    strict: Option<bool>,
}

fn text(conversation: &mut Conversation, raw: &str) -> Result<(), Unsupported> {
    let text: Text<'_> = value("text", raw, "an object with `format` and `verbosity`")?;
    if let Some(format) = text.format {
        conversation.format = match &*format.kind {
            "text" => Format::Text,
            "json_object" => Format::JsonObject,
            "json_schema" => Format::JsonSchema {
                name: format.name.unwrap_or_else(|| "response".into()),
                description: format.description,
                schema: format.schema.map(ToOwned::to_owned),
                strict: format.strict,
            },
            _ => {
                return Err(Unsupported::invalid(
                    "text.format.type",
                    "`text.format.type` is one of `text`, `json_object` and `json_schema`.",
                ));
            }
        };
        if format.kind != "text" {
            note(&mut conversation.asked, "text.format");
        }
    }
    if text.verbosity.is_some() {
        note(&mut conversation.asked, "text.verbosity");
    }
    Ok(())
}

#[derive(Deserialize)]
struct Reasoning {
    effort: Option<String>,
    summary: Option<String>,
    /// What `summary` was called before.
    generate_summary: Option<String>,
    mode: Option<String>,
}

fn reasoning(conversation: &mut Conversation, raw: &str) -> Result<(), Unsupported> {
    let reasoning: Reasoning = value("reasoning", raw, "an object with `effort` and `summary`")?;
    if let Some(effort) = reasoning.effort {
        let known = Effort::named(&effort).ok_or_else(|| {
            Unsupported::invalid(
                "reasoning.effort",
                "`reasoning.effort` is one of `none`, `minimal`, `low`, `medium`, `high`, `xhigh` and `max`.",
            )
        })?;
        conversation.effort = Some(known);
        note(&mut conversation.asked, "reasoning");
    }
    conversation.show_reasoning =
        reasoning.summary.is_some() || reasoning.generate_summary.is_some();
    if reasoning.mode.is_some_and(|mode| mode != "standard") {
        note(&mut conversation.asked, "reasoning.mode");
    }
    Ok(())
}

/// Encrypted reasoning is included anyway.
fn include(conversation: &mut Conversation, raw: &str) -> Result<(), Unsupported> {
    let wanted: Vec<String> = value("include", raw, "a list of strings")?;
    if wanted.iter().any(|it| it == "message.output_text.logprobs") {
        return Err(no_logprobs("include"));
    }
    if wanted.iter().any(|it| it != "reasoning.encrypted_content") {
        note(&mut conversation.asked, "include");
    }
    Ok(())
}

fn no_logprobs(name: &str) -> Unsupported {
    Unsupported::parameter(
        name.to_owned(),
        "Log probabilities are not to be had from the provider that this route leads to.",
    )
}
