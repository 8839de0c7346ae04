//! The tools, and which of them must be called.

use std::borrow::Cow;

use serde_json::value::{RawValue, to_raw_value};

use super::cache::Points;
use super::wire::{InputSchema, Tool, ToolChoice, ToolConfig, ToolSpec};
use crate::chat::{self, Conversation, Part, Unsupported};
use crate::dialect::Dropped;
use crate::dialect::support::drop_field;
use crate::facts::{Extras, Facts};
use crate::wire::edit::Object;
use crate::wire::json::{Cursor, Kind};

/// How many tools are sent.
pub(super) fn count(config: Option<&ToolConfig<'_>>) -> usize {
    let tools = config.into_iter().flat_map(|config| &config.tools);
    tools
        .filter(|tool| matches!(tool, Tool::ToolSpec(_)))
        .count()
}

/// Whether the request forces a call.
pub(super) fn forces(conversation: &Conversation) -> bool {
    use chat::ToolChoice as Choice;
    match &conversation.tool_choice {
        Some(Choice::Required | Choice::Named(_) | Choice::Allowed { required: true, .. }) => {
            !conversation.tools.is_empty()
        }
        Some(Choice::Auto | Choice::None | Choice::Allowed { .. }) | None => false,
    }
}

/// Whether calls stand in the history.
pub(super) fn in_history(conversation: &Conversation) -> bool {
    let mut parts = conversation.turns.iter().flat_map(|turn| &turn.parts);
    parts.any(|part| matches!(part, Part::Call(_) | Part::Result(_)))
}

/// The tools as they are sent. There is no `none`: without calls in the history the tools are left
/// out; with them they must stay, and may be called.
///
/// # Errors
/// This model has no tools, or the one that is to be called is not among them.
pub(super) fn config<'a>(
    conversation: &'a Conversation,
    facts: &Facts,
    thinks: bool,
    points: &mut Points,
    dropped: &mut Dropped,
) -> Result<Option<ToolConfig<'a>>, Unsupported> {
    use chat::ToolChoice as Choice;
    if conversation.tools.is_empty() {
        return Ok(None);
    }
    if !facts.tools {
        return Err(Unsupported::parameter(
            "tools",
            "This model has no tools at the provider that this route leads to.",
        ));
    }
    let can_force = facts.forced_tools && (facts.forced_tools_thinking || !thinks);
    let (only, tool_choice): (Option<&[String]>, _) = match &conversation.tool_choice {
        None | Some(Choice::Auto) => (None, None),
        Some(Choice::None) => return Ok(None),
        Some(Choice::Required) => (None, Some(any(can_force, dropped))),
        Some(Choice::Named(name)) => match facts.extras {
            Extras::Claude | Extras::Nova if can_force => (None, Some(ToolChoice::Tool { name })),
            // One of one is that one.
            Extras::None | Extras::Claude | Extras::Nova | Extras::OpenAi => (
                Some(std::slice::from_ref(name)),
                Some(any(can_force, dropped)),
            ),
        },
        Some(Choice::Allowed { names, required }) => {
            let choice = required.then(|| any(can_force, dropped));
            (Some(names), choice)
        }
    };
    if let Some(Choice::Named(name)) = &conversation.tool_choice
        && !conversation.tools.iter().any(|tool| tool.name == *name)
    {
        return Err(Unsupported::invalid(
            "tool_choice",
            "The tool that is to be called is not among the tools.",
        ));
    }
    let mut tools = Vec::with_capacity(conversation.tools.len());
    for tool in &conversation.tools {
        if only.is_some_and(|names| !names.contains(&tool.name)) {
            continue;
        }
        tools.push(Tool::ToolSpec(spec(tool, facts)?));
        let point = tool
            .cache
            .as_ref()
            .and_then(|lifetime| points.next(lifetime));
        // Nova has none behind tools.
        if let Some(point) = point.filter(|_| facts.extras == Extras::Claude) {
            tools.push(Tool::CachePoint(point));
        }
    }
    if tools.is_empty() {
        return Err(Unsupported::invalid(
            "tool_choice",
            "None of the tools may be called.",
        ));
    }
    Ok(Some(ToolConfig { tools, tool_choice }))
}

/// A call of any tool, or what comes nearest to it.
fn any<'a>(can_force: bool, dropped: &mut Dropped) -> ToolChoice<'a> {
    if can_force {
        ToolChoice::Any {}
    } else {
        drop_field(dropped, "tool_choice");
        ToolChoice::Auto {}
    }
}

fn spec<'a>(tool: &'a chat::Tool, facts: &Facts) -> Result<ToolSpec<'a>, Unsupported> {
    Ok(ToolSpec {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema: InputSchema {
            json: schema(tool.schema.as_deref())?,
        },
        strict: tool.strict.filter(|_| facts.strict_tools),
    })
}

/// The schema as it came, and as what it must be: one of an object.
fn schema(schema: Option<&RawValue>) -> Result<Cow<'_, RawValue>, Unsupported> {
    let invalid =
        || Unsupported::invalid("tools", "A tool's parameters must be a JSON Schema object.");
    let text = schema.map_or("{}", RawValue::get);
    let mut cursor = Cursor::new(text);
    if cursor.kind().map_err(|_| invalid())? != Kind::Object {
        return Err(invalid());
    }
    let object = Object::read(&mut cursor).map_err(|_| invalid())?;
    if let (Some(schema), Some(_)) = (schema, object.get("type")) {
        return Ok(Cow::Borrowed(schema));
    }
    let members = text.trim_start().strip_prefix('{').unwrap_or_default();
    let whole = if object.len() == 0 {
        r#"{"type":"object","properties":{}}"#.to_owned()
    } else {
        format!("{{\"type\":\"object\",{members}")
    };
    let raw = RawValue::from_string(whole).map_err(|_| invalid())?;
    Ok(Cow::Owned(raw))
}

/// No arguments.
pub(super) fn empty_object() -> Box<RawValue> {
    // An empty map is always JSON.
    to_raw_value(&serde_json::Map::new()).unwrap_or_default()
}
