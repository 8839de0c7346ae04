//! A conversation as a request for Converse, streamed or not: the body is the same.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::blocks::Writer;
use super::cache::Points;
use super::wire::{
    Count, CountInput, InferenceConfig, NovaInference, OutputConfig, Request, ServiceTier,
    Structure, SystemBlock, TextFormat,
};
use super::{thinking, tools, wire};
use crate::chat::turns::{Ordered, Rules, ordered};
use crate::chat::{Conversation, Format, Part, Unsupported};
use crate::dialect::support::{Column, drop_field, limited, settle, stops, told};
use crate::dialect::{Dropped, Encoded, Receiver, schema};
use crate::facts::{self, Extras, Facts, Sampling};

/// The longest list of sequences that end an answer.
const MOST_STOPS: usize = 2500;
/// Below this a thinking Claude refuses `top_p`.
const LEAST_TOP_P: f64 = 0.95;

/// Writes `conversation` for `to`.
///
/// # Errors
/// It asks for something that this target cannot be asked for.
pub fn encode(conversation: &Conversation, to: Receiver<'_>) -> Result<Encoded, Unsupported> {
    let mut dropped = settle(&conversation.asked, Column::Converse)?;
    let ordered = ordered(conversation, rules(conversation, to.facts))?;
    let request = request(conversation, &ordered, to, &mut dropped)?;
    written(&request, dropped)
}

/// Writes the question how many tokens `conversation` has, for `/count-tokens`.
///
/// # Errors
/// As [`encode`].
pub fn encode_count(conversation: &Conversation, to: Receiver<'_>) -> Result<Encoded, Unsupported> {
    let mut dropped = settle(&conversation.asked, Column::Converse)?;
    let ordered = ordered(conversation, rules(conversation, to.facts))?;
    let request = request(conversation, &ordered, to, &mut dropped)?;
    // All that is counted, and all that may be sent.
    let converse = Request {
        messages: request.messages,
        system: request.system,
        tool_config: request.tool_config,
        additional_model_request_fields: request.additional_model_request_fields,
        ..Request::default()
    };
    let input = CountInput { converse };
    written(&Count { input }, dropped)
}

fn written(request: &impl Serialize, dropped: Dropped) -> Result<Encoded, Unsupported> {
    let body = serde_json::to_vec(request)
        .map_err(|_| Unsupported::invalid("messages", "The request cannot be written as JSON."))?;
    Ok(Encoded {
        body: Bytes::from(body),
        dropped,
    })
}

/// Calls and results are told as text where the request has no tools, or none that may be called:
/// they may not stand without.
fn tells(conversation: &Conversation) -> bool {
    let none = conversation.tools.is_empty()
        || conversation.tool_choice == Some(crate::chat::ToolChoice::None);
    none && tools::in_history(conversation)
}

fn rules(conversation: &Conversation, facts: &Facts) -> Rules {
    Rules {
        pure_results: false,
        between: (!facts.results_with_text && !tells(conversation)).then_some("Understood."),
        prefill: facts.prefill,
    }
}

fn request<'a>(
    conversation: &'a Conversation,
    ordered: &'a Ordered<'a>,
    to: Receiver<'a>,
    dropped: &mut Dropped,
) -> Result<Request<'a>, Unsupported> {
    let facts = to.facts;
    let forced = tools::forces(conversation) && facts.forced_tools;
    let mut plan = thinking::plan(conversation, &ordered.turns, to, forced, dropped);
    let mut points = Points::of(conversation, facts);
    let tool_config = tools::config(conversation, facts, plan.thinks, &mut points, dropped)?;
    let mut system = system(ordered, &mut points);
    let output_config = format(conversation, facts, &mut system)?;
    let inference_config = inference(conversation, facts, &mut plan, dropped)?;
    // Claude's signatures hold only behind the same tools, where it binds them at all.
    let narrowed = tools::count(tool_config.as_ref()) != conversation.tools.len();
    let thoughts =
        plan.may_think(facts) && !(narrowed && facts.thinking == facts::Thinking::Adaptive);
    let mut writer = Writer::new(to, thoughts, &mut points);
    if tells(conversation) {
        writer.tell(&ordered.turns);
    }
    let turns = ordered.turns.iter();
    let messages = turns.map(|turn| writer.message(turn));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    if points.lost {
        drop_field(dropped, "cache_control");
    }
    // Which sequence was hit, Claude says only to those who ask.
    let asks = facts.extras == Extras::Claude && !inference_config.stop_sequences.is_empty();
    Ok(Request {
        messages,
        system,
        tool_config,
        additional_model_request_fields: Some(plan.extras)
            .filter(|extras| *extras != wire::Extras::default()),
        additional_model_response_field_paths: if asks { &["/delta/stop_sequence"] } else { &[] },
        output_config,
        inference_config: Some(inference_config).filter(|c| *c != InferenceConfig::default()),
        service_tier: service_tier(conversation, dropped),
    })
}

fn system<'a>(ordered: &'a Ordered<'a>, points: &mut Points) -> Vec<SystemBlock<'a>> {
    let mut blocks: Vec<SystemBlock<'a>> = Vec::with_capacity(ordered.system.len());
    for part in &ordered.system {
        match &**part {
            Part::Text(text) => {
                let text = crate::chat::without_billing(text);
                if !text.is_empty() {
                    blocks.push(SystemBlock::Text(text.into()));
                }
            }
            Part::CachePoint(lifetime) => {
                let point = points.next(lifetime);
                if let (Some(point), Some(SystemBlock::Text(_))) = (point, blocks.last()) {
                    blocks.push(SystemBlock::CachePoint(point));
                }
            }
            // Instructions hold nothing else.
            Part::Image(_)
            | Part::File { .. }
            | Part::Audio { .. }
            | Part::Thought(_)
            | Part::Call(_)
            | Part::Result(_) => {}
        }
    }
    blocks
}

/// The form of the answer: by the API where the model has it, else by a word among the instructions.
fn format<'a>(
    conversation: &'a Conversation,
    facts: &Facts,
    system: &mut Vec<SystemBlock<'a>>,
) -> Result<Option<OutputConfig<'a>>, Unsupported> {
    if let Format::JsonSchema {
        name,
        description,
        schema: Some(schema),
        strict: _,
    } = &conversation.format
        && facts.json_schema
        && (facts.json_with_tools || conversation.tools.is_empty())
    {
        let mut schema = Cow::Borrowed(&**schema);
        if facts.extras == Extras::Claude {
            schema = schema::binding(schema).map_err(|error| Unsupported {
                param: "response_format".into(),
                ..error
            })?;
        }
        return Ok(Some(OutputConfig {
            text_format: TextFormat {
                kind: "json_schema",
                structure: Structure::JsonSchema {
                    schema,
                    name,
                    description: description.as_deref(),
                },
            },
        }));
    }
    if let Some(words) = conversation.format.in_words()? {
        system.push(SystemBlock::Text(words.into()));
    }
    Ok(None)
}

/// What the model takes of the sampling, and its limits. A temperature of 1 is what it has anyway, so
/// nobody is told that it was left out.
fn inference<'a>(
    conversation: &'a Conversation,
    facts: &Facts,
    plan: &mut thinking::Plan,
    dropped: &mut Dropped,
) -> Result<InferenceConfig<'a>, Unsupported> {
    let claude = facts.extras == Extras::Claude;
    // Left to itself, Claude stops early here.
    let limit = conversation
        .max_tokens
        .or(facts.max_output.filter(|_| claude));
    // Claude refuses white space, everybody nothing at all.
    let taken = |stop: &str| !(stop.is_empty() || claude && stop.trim().is_empty());
    let stops = stops(&conversation.stop, taken, dropped);
    if stops.len() > MOST_STOPS {
        return Err(Unsupported::parameter("stop", "Too many stop sequences."));
    }
    let mut config = InferenceConfig {
        max_tokens: limit.map(|limit| limited(limit, facts.max_output, dropped)),
        temperature: within_one("temperature", conversation.temperature, dropped),
        top_p: within_one("top_p", conversation.top_p, dropped),
        stop_sequences: stops,
    };
    let mut top_k = conversation.top_k;
    match facts.sampling {
        Sampling::OneOf if config.temperature.is_some() => {
            drop(&mut config.top_p, "top_p", dropped);
        }
        Sampling::Any | Sampling::OneOf => {}
        Sampling::None => {
            forget_temperature(&mut config, dropped);
            drop(&mut config.top_p, "top_p", dropped);
            drop(&mut top_k, "top_k", dropped);
        }
    }
    if plan.alone {
        forget_temperature(&mut config, dropped);
        drop(&mut config.top_p, "top_p", dropped);
        drop(&mut top_k, "top_k", dropped);
        config.max_tokens = None;
    } else if plan.thinks && claude {
        forget_temperature(&mut config, dropped);
        drop(&mut top_k, "top_k", dropped);
        if config.top_p.is_some_and(|top_p| top_p < LEAST_TOP_P) {
            drop(&mut config.top_p, "top_p", dropped);
        }
    }
    match facts.extras {
        Extras::Claude => plan.extras.top_k = top_k,
        Extras::Nova => {
            plan.extras.inference_config = top_k.map(|top_k| NovaInference { top_k });
        }
        Extras::None | Extras::OpenAi => drop(&mut top_k, "top_k", dropped),
    }
    Ok(config)
}

fn within_one(name: &'static str, asked: Option<f64>, dropped: &mut Dropped) -> Option<f64> {
    asked.map(|asked| told(dropped, name, &asked, asked.clamp(0.0, 1.0)))
}

fn forget_temperature(config: &mut InferenceConfig<'_>, dropped: &mut Dropped) {
    config.temperature = config.temperature.filter(|value| *value < 1.0);
    drop(&mut config.temperature, "temperature", dropped);
}

/// Leaves a field out, and notes it if it was there.
fn drop<T>(field: &mut Option<T>, name: &'static str, dropped: &mut Dropped) {
    if field.take().is_some() {
        drop_field(dropped, name);
    }
}

fn service_tier(conversation: &Conversation, dropped: &mut Dropped) -> Option<ServiceTier> {
    let kind = match conversation.service_tier.as_deref()? {
        "auto" => return None,
        "default" | "standard" | "standard_only" => "default",
        "flex" => "flex",
        "priority" => "priority",
        _ => {
            drop_field(dropped, "service_tier");
            return None;
        }
    };
    Some(ServiceTier { kind })
}
