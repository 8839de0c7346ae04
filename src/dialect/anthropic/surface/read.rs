//! A Messages request as a conversation.
//!
//! What other dialects have no word for is named in `asked`, by the names of
//! [`support`](crate::dialect::support): `stop_sequences` is `stop` there, `output_config.effort`
//! is `reasoning_effort`. Of what every dialect has, nothing is named.

use std::borrow::Cow;

use super::blocks::{Blocks, lifetime};
use super::fields::{Fields, Path, items, string};
use super::tools;
use crate::chat::asked::{self, note};
use crate::chat::{
    Conversation, Effort, Format, Lifetime, Part, Role, Thinking, Turn, Unsupported,
};

/// The names of what was asked for, each once.
pub(super) type Asked = Vec<Cow<'static, str>>;

/// Reads `body` for a target of another dialect.
///
/// # Errors
/// A field that is not what its schema says, or content that only Anthropic could read.
pub fn read(body: &str) -> Result<Conversation, Unsupported> {
    let top = Fields::read(body, &Path::Root)?;
    let mut conversation = Conversation {
        max_tokens: top.integer("max_tokens")?,
        temperature: top.number("temperature")?,
        top_p: top.number("top_p")?,
        top_k: top.integer("top_k")?,
        service_tier: top.text("service_tier")?,
        ..Conversation::default()
    };
    if conversation.max_tokens == Some(0) {
        // It fills Anthropic's cache and asks for no answer.
        return Err(Unsupported::parameter(
            "max_tokens",
            "`max_tokens` of 0 warms Anthropic's cache, which this route does not lead to.",
        ));
    }
    name_fields(&top, &mut conversation.asked);
    system(&top, &mut conversation)?;
    messages(&top, &mut conversation)?;
    tools::read(&top, &mut conversation)?;
    output(&top, &mut conversation)?;
    thinking(&top, &mut conversation)?;
    if let Some(raw) = top.raw("stop_sequences") {
        let path = Path::Key(&Path::Root, "stop_sequences");
        let sequences = items(raw, &path)?.into_iter().enumerate();
        conversation.stop = sequences
            .map(|(index, raw)| string(raw, &Path::Index(&path, index)))
            .collect::<Result<_, _>>()?;
    }
    if let Some(raw) = top.raw("metadata") {
        let path = Path::Key(&Path::Root, "metadata");
        let metadata = Fields::read(raw, &path)?;
        conversation.user = metadata.text("user_id")?;
        if conversation.user.is_some() {
            note(&mut conversation.asked, "user");
        }
        if metadata.names().any(|name| name != "user_id") {
            note(&mut conversation.asked, "metadata");
        }
    }
    if top.raw("cache_control").is_some()
        && let Some(last) = conversation.turns.last_mut()
    {
        // At the top it stands for a mark on the last block that can bear one.
        last.parts.extend(lifetime(&top)?.map(Part::CachePoint));
    }
    asked::checked(&conversation.asked)?;
    Ok(conversation)
}

/// Names every field of the top that other dialects may not have. Those with members of their own
/// are named where these are read.
fn name_fields(top: &Fields<'_, '_>, asked: &mut Asked) {
    for name in top.names() {
        let named: Cow<'static, str> = match name {
            "model" | "messages" | "system" | "max_tokens" | "stream" | "tools" | "metadata"
            | "output_config" | "tool_choice" | "anthropic_version" | "anthropic_beta" => continue,
            // None of them is nothing asked for.
            "mcp_servers" | "fallbacks" if is_empty_list(top.raw(name)) => continue,
            "stop_sequences" => "stop".into(),
            "output_format" => "response_format".into(),
            other => Cow::Owned(other.to_owned()),
        };
        note(asked, named);
    }
}

fn is_empty_list(raw: Option<&str>) -> bool {
    raw.is_some_and(|raw| {
        let inner = raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']'));
        inner.is_some_and(|inner| inner.trim().is_empty())
    })
}

fn system(top: &Fields<'_, '_>, conversation: &mut Conversation) -> Result<(), Unsupported> {
    let Some(raw) = top.raw("system") else {
        return Ok(());
    };
    let path = Path::Key(&Path::Root, "system");
    instructions(raw, &path, conversation)
}

/// Instructions: a string, or blocks of text. They are hoisted wherever they stood; Claude Code puts
/// them between a call and its result, where no other provider would take them.
fn instructions(
    raw: &str,
    path: &Path<'_>,
    conversation: &mut Conversation,
) -> Result<(), Unsupported> {
    if raw.starts_with('"') {
        say(&string(raw, path)?, None, conversation);
        return Ok(());
    }
    for (index, raw) in items(raw, path)?.into_iter().enumerate() {
        let path = Path::Index(path, index);
        let block = Fields::read(raw, &path)?;
        if block.some_text("type")? != "text" {
            return Err(Path::Key(&path, "type").must_be("`text`"));
        }
        say(&block.some_text("text")?, lifetime(&block)?, conversation);
    }
    Ok(())
}

fn say(text: &str, cache: Option<Lifetime>, conversation: &mut Conversation) {
    let text = crate::chat::without_billing(text);
    if text.is_empty() {
        return;
    }
    conversation.system.push(Part::Text(text.to_owned()));
    if let Some(lifetime) = cache {
        conversation.system.push(Part::CachePoint(lifetime));
        note(&mut conversation.asked, "cache_control");
    }
}

fn messages(top: &Fields<'_, '_>, conversation: &mut Conversation) -> Result<(), Unsupported> {
    let path = Path::Key(&Path::Root, "messages");
    let raw = top.raw("messages").ok_or_else(|| path.must_be("a list"))?;
    for (index, raw) in items(raw, &path)?.into_iter().enumerate() {
        let path = Path::Index(&path, index);
        let message = Fields::read(raw, &path)?;
        let content = Path::Key(&path, "content");
        let raw = message
            .raw("content")
            .ok_or_else(|| content.must_be("a string or a list of blocks"))?;
        let role = match message.some_text("role")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => {
                instructions(raw, &content, conversation)?;
                continue;
            }
            _ => {
                return Err(Path::Key(&path, "role").must_be("`user`, `assistant` or `system`"));
            }
        };
        let parts = Blocks::new(role, &mut conversation.asked).read(raw, &content)?;
        conversation.turns.push(Turn { role, parts });
    }
    Ok(())
}

/// The form of the answer, and how hard the model is to think.
fn output(top: &Fields<'_, '_>, conversation: &mut Conversation) -> Result<(), Unsupported> {
    // Before `output_config` it stood at the top.
    if let Some(raw) = top.raw("output_format") {
        let path = Path::Key(&Path::Root, "output_format");
        conversation.format = format(&Fields::read(raw, &path)?)?;
    }
    let Some(raw) = top.raw("output_config") else {
        return Ok(());
    };
    let path = Path::Key(&Path::Root, "output_config");
    let config = Fields::read(raw, &path)?;
    for name in config.names() {
        let named = match name {
            "effort" => "reasoning_effort".into(),
            "format" => "response_format".into(),
            other => Cow::Owned(other.to_owned()),
        };
        note(&mut conversation.asked, named);
    }
    if let Some(effort) = config.text("effort")? {
        let known = Effort::named(&effort);
        let must_be =
            || Path::Key(&path, "effort").must_be("`low`, `medium`, `high`, `xhigh` or `max`");
        conversation.effort = Some(known.ok_or_else(must_be)?);
    }
    if let Some(raw) = config.raw("format") {
        let path = Path::Key(&path, "format");
        conversation.format = format(&Fields::read(raw, &path)?)?;
    }
    Ok(())
}

fn format(format: &Fields<'_, '_>) -> Result<Format, Unsupported> {
    if format.some_text("type")? != "json_schema" {
        return Err(Path::Key(format.path, "type").must_be("`json_schema`"));
    }
    let schema = format.object("schema")?;
    let must_be = || Path::Key(format.path, "schema").must_be("an object");
    Ok(Format::JsonSchema {
        // Others want one; Anthropic has none.
        name: "response".into(),
        description: None,
        schema: Some(schema.ok_or_else(must_be)?),
        // At Anthropic it always holds.
        strict: Some(true),
    })
}

fn thinking(top: &Fields<'_, '_>, conversation: &mut Conversation) -> Result<(), Unsupported> {
    let Some(raw) = top.raw("thinking") else {
        return Ok(());
    };
    let path = Path::Key(&Path::Root, "thinking");
    let thinking = Fields::read(raw, &path)?;
    let asked = match thinking.some_text("type")?.as_str() {
        "disabled" => Thinking::Disabled,
        "between_tools" => Thinking::BetweenTools,
        "adaptive" => Thinking::Adaptive,
        "enabled" => {
            let must_be = || Path::Key(&path, "budget_tokens").must_be("a whole number");
            Thinking::Budget(thinking.integer("budget_tokens")?.ok_or_else(must_be)?)
        }
        _ => {
            return Err(Path::Key(&path, "type")
                .must_be("`adaptive`, `enabled`, `between_tools` or `disabled`"));
        }
    };
    if thinking.raw("block_binding").is_some() {
        note(&mut conversation.asked, "block_binding");
    }
    let hidden = thinking.text("display")?.as_deref() == Some("omitted");
    conversation.show_reasoning = asked != Thinking::Disabled && !hidden;
    conversation.thinking = Some(asked);
    Ok(())
}
