//! A conversation as a `generateContent` request.
//!
//! What a model of the family does not take is left out or refused here, by its
//! [`Facts`](crate::facts::Facts); what Gemini has no word for at all, by the table in
//! [`support`](crate::dialect::support).

use serde::Serialize;

use super::names::theirs;
use super::parts::{Encoder, system};
use super::wire::{
    FunctionCallingConfig, FunctionDeclaration, GenerationConfig, Mode, Prompt, Request,
    ToolConfig, Tools,
};
use super::{Form, schema, thinking};
use crate::chat::turns::{self, Ordered, Rules};
use crate::chat::{Choice, Conversation, Force, Format, Offer, Tool, Unsupported};
use crate::dialect::support::{self, Column, drop_field, limited, settle};
use crate::dialect::{Dropped, Encoded, Receiver};
use crate::facts::{Facts, Sampling};

/// The most stop sequences.
const MAX_STOPS: usize = 5;

/// Writes `conversation` for `to`: the body of `:generateContent` and of `:streamGenerateContent`.
///
/// # Errors
/// What it asks for and this target cannot be told.
pub fn encode(
    conversation: &Conversation,
    to: Receiver<'_>,
    form: Form,
) -> Result<Encoded, Unsupported> {
    let mut dropped = settle(&conversation.asked, Column::Gemini)?;
    let ordered = ordered(conversation, to.facts.prefill)?;
    let encoder = Encoder::new(&ordered, to, form);
    let offer = offer(conversation, to.facts)?;
    let request = Request {
        prompt: prompt(conversation, &offer, &encoder, &ordered)?,
        tool_config: tool_config(&offer, &mut dropped),
        generation_config: generation_config(conversation, to, &mut dropped)?,
        service_tier: service_tier(conversation, form, &mut dropped),
    };
    Ok(Encoded {
        body: written(&request)?.into(),
        dropped,
    })
}

pub(super) fn ordered(
    conversation: &Conversation,
    prefill: bool,
) -> Result<Ordered<'_>, Unsupported> {
    let rules = Rules {
        pure_results: true,
        between: None,
        prefill,
    };
    turns::ordered(conversation, rules)
}

pub(super) fn prompt<'o, 'a: 'o>(
    conversation: &'a Conversation,
    offer: &Offer<'a>,
    encoder: &Encoder<'a>,
    ordered: &'o Ordered<'_>,
) -> Result<Prompt<'o>, Unsupported> {
    Ok(Prompt {
        system_instruction: system(ordered),
        contents: encoder.contents(ordered)?,
        tools: tools(conversation, offer),
    })
}

/// # Errors
/// JSON that cannot be written: of what was read from JSON, nothing is.
pub(super) fn written(request: &impl Serialize) -> Result<Vec<u8>, Unsupported> {
    serde_json::to_vec(request)
        .map_err(|_| Unsupported::invalid("messages", "The request cannot be written as JSON."))
}

/// The tools as this model can be told of them.
///
/// # Errors
/// As [`Conversation::offer`], and where it takes none.
pub(super) fn offer<'a>(
    conversation: &'a Conversation,
    facts: &Facts,
) -> Result<Offer<'a>, Unsupported> {
    let force = if facts.forced_tools {
        Force::Named
    } else {
        Force::Nothing
    };
    let offer = conversation.offer(force)?;
    if !facts.tools && !offer.tools.is_empty() {
        return Err(Unsupported::parameter(
            "tools",
            "This model does not call tools.",
        ));
    }
    Ok(offer)
}

fn tools<'a>(conversation: &'a Conversation, offer: &Offer<'a>) -> Option<[Tools<'a>; 1]> {
    // Nothing says "these, or none": then the others are not told. Else they stand beside a list of
    // those that may be called.
    let function_declarations: Vec<_> = if offer.choice.is_some_and(Choice::forces) {
        conversation.tools.iter().map(declaration).collect()
    } else {
        offer.tools.iter().copied().map(declaration).collect()
    };
    (!function_declarations.is_empty()).then_some([Tools {
        function_declarations,
    }])
}

fn declaration(tool: &Tool) -> FunctionDeclaration<'_> {
    FunctionDeclaration {
        name: theirs(&tool.name),
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        parameters_json_schema: tool.schema.as_deref().and_then(schema::accepted),
    }
}

fn tool_config<'a>(offer: &Offer<'a>, dropped: &mut Dropped) -> Option<ToolConfig<'a>> {
    drop_if(offer.lost, "tool_choice", dropped);
    let (mode, allowed_function_names) = match offer.choice? {
        Choice::Auto => (Mode::Auto, Vec::new()),
        Choice::None => (Mode::None, Vec::new()),
        Choice::Named(name) => (Mode::Any, vec![theirs(name)]),
        Choice::Any if offer.narrowed => {
            let tools = offer.tools.iter();
            (Mode::Any, tools.map(|tool| theirs(&tool.name)).collect())
        }
        Choice::Any => (Mode::Any, Vec::new()),
    };
    Some(ToolConfig {
        function_calling_config: FunctionCallingConfig {
            mode,
            allowed_function_names,
        },
    })
}

fn generation_config<'o>(
    conversation: &'o Conversation,
    to: Receiver<'_>,
    dropped: &mut Dropped,
) -> Result<GenerationConfig<'o>, Unsupported> {
    let facts = to.facts;
    let mut config = GenerationConfig {
        stop_sequences: stops(conversation, dropped)?,
        seed: conversation.seed.map(|seed| self::seed(seed, dropped)),
        max_output_tokens: conversation
            .max_tokens
            .map(|tokens| limited(tokens, facts.max_output, dropped)),
        thinking_config: thinking::config(conversation, facts, dropped),
        ..GenerationConfig::default()
    };
    match facts.sampling {
        Sampling::Any => {
            config.temperature = conversation.temperature;
            config.top_p = conversation.top_p;
            config.top_k = conversation.top_k;
        }
        Sampling::OneOf => {
            config.temperature = conversation.temperature;
            config.top_k = conversation.top_k;
            match conversation.temperature {
                None => config.top_p = conversation.top_p,
                Some(_) => drop_if(conversation.top_p.is_some(), "top_p", dropped),
            }
        }
        Sampling::None => {
            drop_if(conversation.temperature.is_some(), "temperature", dropped);
            drop_if(conversation.top_p.is_some(), "top_p", dropped);
            drop_if(conversation.top_k.is_some(), "top_k", dropped);
        }
    }
    let (presence, frequency) = (
        conversation.presence_penalty,
        conversation.frequency_penalty,
    );
    if facts.penalties {
        config.presence_penalty = presence;
        config.frequency_penalty = frequency;
    } else {
        drop_if(presence.is_some(), "presence_penalty", dropped);
        drop_if(frequency.is_some(), "frequency_penalty", dropped);
    }
    format(conversation, to, &mut config)?;
    Ok(config)
}

fn drop_if(set: bool, name: &'static str, dropped: &mut Dropped) {
    if set {
        drop_field(dropped, name);
    }
}

fn stops<'c>(
    conversation: &'c Conversation,
    dropped: &mut Dropped,
) -> Result<Vec<&'c str>, Unsupported> {
    let stops = support::stops(&conversation.stop, |stop| !stop.is_empty(), dropped);
    if stops.len() > MAX_STOPS {
        return Err(Unsupported::parameter(
            "stop",
            "This provider takes at most 5 stop sequences.",
        ));
    }
    Ok(stops)
}

/// Theirs has 32 bits: of a longer one the lowest 31, the same ones every time.
fn seed(asked: i64, dropped: &mut Dropped) -> i32 {
    i32::try_from(asked).unwrap_or_else(|_| {
        drop_field(dropped, "seed");
        i32::try_from(asked & 0x7fff_ffff).unwrap_or_default()
    })
}

fn format<'o>(
    conversation: &'o Conversation,
    to: Receiver<'_>,
    config: &mut GenerationConfig<'o>,
) -> Result<(), Unsupported> {
    let refused = |message| Err(Unsupported::parameter("response_format", message));
    let schema = match &conversation.format {
        Format::Text => return Ok(()),
        Format::JsonObject => None,
        Format::JsonSchema { .. } if !to.facts.json_schema => {
            return refused("This model cannot be held to a JSON schema.");
        }
        Format::JsonSchema {
            name: _,
            description: _,
            schema,
            strict: _,
        } => schema.as_deref(),
    };
    if !conversation.tools.is_empty() && !to.facts.json_with_tools {
        return refused("This model does not answer in JSON where it has tools to call.");
    }
    config.response_mime_type = Some("application/json");
    config.response_json_schema = schema.and_then(schema::accepted);
    Ok(())
}

fn service_tier(
    conversation: &Conversation,
    form: Form,
    dropped: &mut Dropped,
) -> Option<&'static str> {
    let asked = conversation.service_tier.as_deref()?;
    let tier = match asked {
        "auto" => return None,
        "default" | "standard" | "standard_only" => Some("standard"),
        "flex" => Some("flex"),
        "priority" => Some("priority"),
        _ => None,
    };
    let told = match form {
        Form::AiStudio => tier,
        // There it stands in a header.
        Form::Vertex => None,
    };
    drop_if(told.is_none(), "service_tier", dropped);
    told
}
