//! Tools, and which of them must be used.
//!
//! Newer models cannot be forced to use a tool, and no model while it thinks.

use super::blocks::Caches;
use super::encode::Form;
use super::request::{Choice, Tool};
use crate::chat::{self, Conversation, Force, Unsupported};
use crate::dialect::support::{drop_field, refused};
use crate::dialect::{Dropped, Receiver, schema};
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
    let force = if can_force(to.facts) {
        Force::Named
    } else {
        Force::Nothing
    };
    let offer = conversation.offer(force)?;
    if offer.lost {
        drop_field(dropped, "tool_choice");
    }
    if offer.tools.is_empty() {
        return Ok(Offer::default());
    }
    if !to.facts.tools {
        return Err(refused("tools"));
    }
    let disable_parallel_tool_use = conversation.parallel_calls == Some(false);
    // The switch stands nowhere else.
    let unsaid = disable_parallel_tool_use.then_some(chat::Choice::Auto);
    let choice = offer.choice.or(unsaid);
    let tools = offer.tools.into_iter();
    Ok(Offer {
        tools: tools
            .map(|tool| write(tool, to.facts, form, caches))
            .collect::<Result<_, _>>()?,
        choice: choice.map(|choice| match choice {
            chat::Choice::Auto => Choice::Auto {
                disable_parallel_tool_use,
            },
            chat::Choice::Any => Choice::Any {
                disable_parallel_tool_use,
            },
            chat::Choice::Named(name) => Choice::Tool {
                name,
                disable_parallel_tool_use,
            },
            chat::Choice::None => Choice::None,
        }),
        narrowed: offer.narrowed,
        forced: choice.is_some_and(chat::Choice::forces),
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
