//! Tools, and which of them must be used.
//!
//! Newer models cannot be forced to use a tool, and no model while it thinks. Then the named tool is
//! the only one that is offered, or the choice is the model's own.

use smallvec::SmallVec;

use super::blocks::Caches;
use super::encode::Form;
use super::request::{Choice, Tool};
use super::schema;
use crate::chat::{self, Conversation, ToolChoice, Unsupported};
use crate::dialect::support::{drop_field, refused};
use crate::dialect::{Dropped, Receiver};
use crate::facts::{Facts, ThinkingOff};

/// What stands in a request about tools.
#[derive(Debug, Default)]
pub(super) struct Offer<'a> {
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) choice: Option<Choice<'a>>,
    /// Some tools are left out: the prefix of the conversation is another than the caller's.
    pub(super) narrowed: bool,
    /// A tool must be used.
    pub(super) forced: bool,
}

/// # Errors
/// The model takes no tools, a schema is none, or a tool is named that is not there.
pub(super) fn offer<'a>(
    conversation: &'a Conversation,
    to: &Receiver<'a>,
    form: Form,
    caches: &mut Caches,
    dropped: &mut Dropped,
) -> Result<Offer<'a>, Unsupported> {
    if conversation.tools.is_empty() {
        return Ok(Offer::default());
    }
    if !to.facts.tools {
        return Err(refused("tools"));
    }
    let single = conversation.parallel_calls == Some(false);
    let auto = Choice::Auto {
        disable_parallel_tool_use: single,
    };
    let any = Choice::Any {
        disable_parallel_tool_use: single,
    };
    let can_force = can_force(to.facts);
    let mut only: Option<SmallVec<[&str; 4]>> = None;
    let give_up = |dropped: &mut Dropped| {
        drop_field(dropped, "tool_choice");
        Choice::Auto {
            disable_parallel_tool_use: single,
        }
    };
    let choice = match &conversation.tool_choice {
        None => single.then_some(auto),
        Some(ToolChoice::Auto) => Some(auto),
        Some(ToolChoice::None) => Some(Choice::None),
        Some(ToolChoice::Allowed { names, .. }) if names.is_empty() => Some(Choice::None),
        Some(ToolChoice::Required) if can_force => Some(any),
        Some(ToolChoice::Required) => Some(give_up(dropped)),
        Some(ToolChoice::Named(name)) => {
            known(conversation, name)?;
            if can_force {
                Some(Choice::Tool {
                    name,
                    disable_parallel_tool_use: single,
                })
            } else {
                only = Some(SmallVec::from_slice(&[name.as_str()]));
                Some(give_up(dropped))
            }
        }
        Some(ToolChoice::Allowed { names, required }) => {
            for name in names {
                known(conversation, name)?;
            }
            only = Some(names.iter().map(String::as_str).collect());
            Some(match (required, can_force) {
                (false, _) => auto,
                (true, true) => any,
                (true, false) => give_up(dropped),
            })
        }
    };
    let mut tools = Vec::with_capacity(conversation.tools.len());
    for tool in &conversation.tools {
        if only.as_ref().is_none_or(|only| only.contains(&&*tool.name)) {
            tools.push(write(tool, to.facts, form, caches)?);
        }
    }
    Ok(Offer {
        narrowed: tools.len() != conversation.tools.len(),
        forced: matches!(choice, Some(Choice::Any { .. } | Choice::Tool { .. })),
        tools,
        choice,
    })
}

/// Whether a tool can be forced, if need be by keeping the model from thinking.
fn can_force(facts: &Facts) -> bool {
    let can_be_kept = matches!(
        facts.thinking_off,
        ThinkingOff::Omit | ThinkingOff::Disabled
    );
    facts.forced_tools && (facts.forced_tools_thinking || can_be_kept)
}

fn known(conversation: &Conversation, name: &str) -> Result<(), Unsupported> {
    if conversation.tools.iter().any(|tool| tool.name == name) {
        Ok(())
    } else {
        let message = format!("There is no tool `{name}` in `tools`.");
        Err(Unsupported::invalid("tool_choice", message))
    }
}

fn write<'a>(
    tool: &'a chat::Tool,
    facts: &Facts,
    form: Form,
    caches: &mut Caches,
) -> Result<Tool<'a>, Unsupported> {
    let schema = schema::of_arguments(tool.schema.as_deref())?;
    // The clouds were late with it, and refuse what they do not know.
    let strict = tool.strict == Some(true) && facts.strict_tools && form == Form::Direct;
    let description = tool.description.as_deref();
    Ok(Tool {
        name: &tool.name,
        description: description.filter(|description| !description.is_empty()),
        input_schema: if strict {
            schema::binding(schema)?
        } else {
            schema
        },
        strict,
        cache_control: tool
            .cache
            .as_ref()
            .and_then(|lifetime| caches.point(lifetime)),
    })
}
