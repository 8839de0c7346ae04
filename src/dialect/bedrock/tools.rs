//! The tools, and which of them must be called.

use serde_json::value::{RawValue, to_raw_value};

use super::cache::Points;
use super::wire::{InputSchema, Tool, ToolChoice, ToolConfig, ToolSpec};
use crate::chat::{self, Choice, Conversation, Force, Part, Unsupported};
use crate::dialect::support::drop_field;
use crate::dialect::{Dropped, schema};
use crate::facts::{Extras, Facts};

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
    let schema = schema::of_arguments(tool.schema.as_deref())?;
    let strict = tool.strict.filter(|_| facts.strict_tools);
    Ok(ToolSpec {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema: InputSchema {
            json: match strict {
                Some(true) if facts.extras == Extras::Claude => schema::binding(schema)?,
                Some(_) | None => schema,
            },
        },
        strict,
    })
}

/// No arguments.
pub(super) fn empty_object() -> Box<RawValue> {
    // An empty map is always JSON.
    to_raw_value(&serde_json::Map::new()).unwrap_or_default()
}
