//! The tools, and which of them must be called.

use std::borrow::Cow;

use serde_json::value::{RawValue, to_raw_value};

use super::cache::Points;
use super::wire::{InputSchema, Tool, ToolChoice, ToolConfig, ToolSpec};
use crate::chat::{self, Choice, Conversation, Force, Part, Unsupported};
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
    let force = match facts.extras {
        _ if !facts.forced_tools || thinks && !facts.forced_tools_thinking => Force::Nothing,
        Extras::Claude | Extras::Nova => Force::Named,
        Extras::None | Extras::OpenAi => Force::Any,
    };
    let offer = conversation.offer(force)?;
    if offer.lost {
        drop_field(dropped, "tool_choice");
    }
    if offer.tools.is_empty() {
        return Ok(None);
    }
    if !facts.tools {
        return Err(Unsupported::parameter(
            "tools",
            "This model has no tools at the provider that this route leads to.",
        ));
    }
    let tool_choice = match offer.choice {
        Some(Choice::None) => return Ok(None),
        Some(Choice::Any) => Some(ToolChoice::Any {}),
        Some(Choice::Named(name)) => Some(ToolChoice::Tool { name }),
        Some(Choice::Auto) if offer.lost => Some(ToolChoice::Auto {}),
        Some(Choice::Auto) | None => None,
    };
    let mut tools = Vec::with_capacity(offer.tools.len());
    for tool in offer.tools {
        tools.push(Tool::ToolSpec(spec(tool, facts)?));
        let point = tool
            .cache
            .as_ref()
            .and_then(|lifetime| points.next(lifetime));
        match point {
            Some(point) if facts.extras == Extras::Claude => tools.push(Tool::CachePoint(point)),
            // Nova has none behind tools.
            Some(_) => points.lost = true,
            None => {}
        }
    }
    Ok(Some(ToolConfig { tools, tool_choice }))
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
