//! A [`Conversation`] as a chat request, for callers of another surface.
//!
//! In the order that the strictest of the compatible servers take: instructions first, what came of
//! a call right behind it, words behind that. What the model thought is said again to those alone
//! that want it back with the calls that followed ([`Facts::reasoning_back`]).
//! <https://platform.openai.com/docs/api-reference/chat/create> (read 2026-11).

mod body;
mod ids;
mod messages;

use bytes::Bytes;

use crate::chat::{Choice, Conversation, Effort, Force, Format, Unsupported, Wish, turns};
use crate::dialect::support::{Column, drop_field, limited, refused, settle};
use crate::dialect::{Dropped, Encoded, Receiver};
use crate::facts::{Facts, Sampling};
use body::{
    Body, FormatObject, FunctionName, JsonSchema, Limit, NamedFunction, StreamOptions, ToolChoice,
    ToolObject, User,
};

/// What a provider of this dialect knows, beside the dialect itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether it has the newer names `max_completion_tokens` and `safety_identifier`, as `OpenAI`
    /// has, or `max_tokens` and `user` alone, as most compatible servers.
    pub newer_names: bool,
    /// Whether it takes `stream_options`.
    pub usage: bool,
}

/// The most stop sequences.
const MAX_STOPS: usize = 4;

/// The fields that are kept in this dialect but that a conversation does not hold: their callers are
/// of this dialect, and what they send goes as it came.
const NOT_HELD: [&str; 2] = ["logit_bias", "verbosity"];
/// The same, for those without which the answer would have another form.
const NOT_HELD_IN_FORM: [&str; 2] = ["logprobs", "top_logprobs"];

/// The request for a streamed answer to `conversation`.
///
/// # Errors
/// It asks for something that this dialect, or this model, has no words for.
pub fn write(
    conversation: &Conversation,
    to: Receiver<'_>,
    options: Options,
) -> Result<Encoded, Unsupported> {
    let mut dropped = settle(&conversation.asked, Column::OpenAi)?;
    for name in &conversation.asked {
        if NOT_HELD_IN_FORM.contains(&&**name) {
            return Err(refused(name.clone()));
        }
        if NOT_HELD.contains(&&**name) {
            drop_field(&mut dropped, name.clone());
        }
    }
    let facts = to.facts;
    let rules = turns::Rules {
        pure_results: false,
        between: None,
        prefill: facts.prefill,
    };
    let ordered = turns::ordered(conversation, rules)?;
    let messages = messages::write(&ordered, to)?;
    let (tools, tool_choice) = tools(conversation, facts, &mut dropped)?;
    let limit = conversation.max_tokens.map(|asked| {
        let tokens = limited(asked, facts.max_output, &mut dropped);
        if options.newer_names {
            Limit::MaxCompletionTokens(tokens)
        } else {
            Limit::MaxTokens(tokens)
        }
    });
    let user = conversation.user.as_deref().map(|user| {
        if options.newer_names {
            User::SafetyIdentifier(ids::user(user))
        } else {
            User::User(ids::user(user))
        }
    });
    let effort = effort(conversation, facts, &mut dropped);
    let thinks = effort.map_or(facts.thinks_unasked, |effort| effort != Effort::None);
    let (temperature, top_p) = sampling(conversation, facts, thinks, &mut dropped);
    let mut stop = conversation.stop.as_slice();
    if !facts.stop && !stop.is_empty() {
        stop = &[];
        drop_field(&mut dropped, "stop");
    }
    if stop.len() > MAX_STOPS {
        stop = &stop[..MAX_STOPS];
        drop_field(&mut dropped, "stop");
    }
    let has_tools = !tools.is_empty();
    let mut penalty = |penalty: Option<f64>, name: &'static str| {
        let kept = penalty.filter(|_| facts.penalties);
        if kept != penalty {
            drop_field(&mut dropped, name);
        }
        kept
    };
    let body = Body {
        model: to.model,
        presence_penalty: penalty(conversation.presence_penalty, "presence_penalty"),
        frequency_penalty: penalty(conversation.frequency_penalty, "frequency_penalty"),
        messages,
        parallel_tool_calls: conversation.parallel_calls.filter(|_| has_tools),
        tools,
        tool_choice,
        limit,
        temperature,
        top_p,
        seed: conversation.seed,
        stop,
        response_format: format(&conversation.format, facts)?,
        reasoning_effort: effort.map(Effort::name),
        user,
        stream: true,
        stream_options: options.usage.then_some(StreamOptions {
            include_usage: true,
        }),
    };
    let body = serde_json::to_vec(&body)
        .map_err(|_| Unsupported::invalid("messages", "The request cannot be written as JSON."))?;
    Ok(Encoded {
        body: Bytes::from(body),
        dropped,
    })
}

fn tools<'c>(
    conversation: &'c Conversation,
    facts: &Facts,
    dropped: &mut Dropped,
) -> Result<(Vec<ToolObject<'c>>, Option<ToolChoice<'c>>), Unsupported> {
    let force = if facts.forced_tools {
        Force::Named
    } else {
        Force::Nothing
    };
    // Few servers know `allowed_tools`; all of them know a shorter list. None takes a choice among
    // nothing.
    let offer = conversation.offer(force)?;
    if !facts.tools && !offer.tools.is_empty() {
        return Err(refused("tools"));
    }
    if offer.lost {
        drop_field(dropped, "tool_choice");
    }
    let choice = offer.choice.map(|choice| match choice {
        Choice::Auto => ToolChoice::Word("auto"),
        Choice::None => ToolChoice::Word("none"),
        Choice::Any => ToolChoice::Word("required"),
        Choice::Named(name) => ToolChoice::Named(NamedFunction {
            r#type: "function",
            function: FunctionName { name },
        }),
    });
    Ok((
        offer.tools.into_iter().map(ToolObject::new).collect(),
        choice,
    ))
}

/// What the model takes of the sampling. A value of 1 is what it has anyway, so nobody is told that
/// it was left out.
fn sampling(
    conversation: &Conversation,
    facts: &Facts,
    thinks: bool,
    dropped: &mut Dropped,
) -> (Option<f64>, Option<f64>) {
    let (temperature, top_p) = (conversation.temperature, conversation.top_p);
    let both = temperature.is_some() && top_p.is_some();
    let (keep_temperature, keep_top_p) = match facts.sampling {
        _ if thinks && !facts.sampling_thinking => (false, false),
        Sampling::Any => (true, true),
        Sampling::OneOf => (true, !both),
        Sampling::None => (false, false),
    };
    let differs = |value: Option<f64>| value.is_some_and(|it| (it - 1.0).abs() > f64::EPSILON);
    if differs(temperature) && !keep_temperature {
        drop_field(dropped, "temperature");
    }
    if differs(top_p) && !keep_top_p {
        drop_field(dropped, "top_p");
    }
    (
        temperature.filter(|_| keep_temperature),
        top_p.filter(|_| keep_top_p),
    )
}

fn format<'c>(format: &'c Format, facts: &Facts) -> Result<Option<FormatObject<'c>>, Unsupported> {
    match format {
        Format::Text => Ok(None),
        Format::JsonObject => Ok(Some(FormatObject {
            r#type: "json_object",
            json_schema: None,
        })),
        Format::JsonSchema { .. } if !facts.json_schema => Err(refused("response_format")),
        Format::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => Ok(Some(FormatObject {
            r#type: "json_schema",
            json_schema: Some(JsonSchema {
                name,
                description: description.as_deref(),
                schema: schema.as_deref(),
                strict: *strict,
            }),
        })),
    }
}

/// How hard it is to think, as far as this model can be told.
fn effort(conversation: &Conversation, facts: &Facts, dropped: &mut Dropped) -> Option<Effort> {
    let wish = conversation.wish();
    if !facts.reasoning_effort {
        // Without thinking there is nothing to turn off.
        if wish.is_on() {
            drop_field(dropped, conversation.wished_by());
        }
        return None;
    }
    let wanted = match wish {
        // As it sees fit is what models do by themselves.
        Wish::Unsaid => return None,
        Wish::On(amount) => amount.effort()?,
        // Where a model cannot be told so, it would refuse the word: it is said for who said it.
        Wish::Off if conversation.thinking.is_some() && !facts.efforts.contains(&Effort::None) => {
            return None;
        }
        Wish::Off => Effort::None,
    };
    if !facts.efforts.is_empty() {
        return facts.effort(wanted);
    }
    // Nothing is known of this model: of Anthropic's words, the one that few know is not said.
    Some(match wanted {
        Effort::Max => Effort::High,
        Effort::None
        | Effort::Minimal
        | Effort::Low
        | Effort::Medium
        | Effort::High
        | Effort::Xhigh => wanted,
    })
}
