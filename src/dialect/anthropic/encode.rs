//! A conversation as a request to Claude.
//!
//! What this API wants otherwise than the others do: turns that alternate, a limit to every answer,
//! sampling only where the model takes it, no thinking beside a forced tool. What is left out for a
//! model's sake is named in [`Encoded::dropped`].

use std::borrow::Cow;

use serde::Deserialize;

use super::blocks::{Caches, Writer};
use super::ids::Ids;
use super::request::{Block, Format, Message, Metadata, OutputConfig, Request};
use super::thinking::{self, Limits};
use super::{blocks, tools};
use crate::chat::turns::{self, Rules};
use crate::chat::{self, Conversation, Unsupported};
use crate::dialect::support::{Column, drop_field, limited, settle, stops, told};
use crate::dialect::{Dropped, Encoded, Receiver, schema};
use crate::facts::{self, Facts, Sampling};
use crate::outcome::{Failure, broken};

/// How long an answer may be where nobody says, and nothing is known of the model.
const MAX_TOKENS: u64 = 4096;
/// The longest `metadata.user_id`.
const LONGEST_USER: usize = 256;

/// Where the API stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// At its maker: the model in the body, the version in a header.
    Direct,
    /// In a cloud: the model in the URL, the version in the body.
    InCloud {
        /// `vertex-2023-10-16`, `bedrock-2023-05-31`.
        version: &'static str,
        /// Whether the body says that a stream is wanted; elsewhere the URL does.
        stream_in_body: bool,
    },
}

/// The request that asks `to` for a stream.
///
/// # Errors
/// What this target cannot be told, or what is no request anywhere.
pub fn encode(
    conversation: &Conversation,
    to: Receiver<'_>,
    form: Form,
) -> Result<Encoded, Unsupported> {
    write(conversation, to, form, Wanted::Answer)
}

/// The request that asks how many tokens `conversation` is. In a cloud, too, the model stands in the
/// body: the URL is the same for all.
///
/// # Errors
/// As [`encode`].
pub fn encode_count(
    conversation: &Conversation,
    to: Receiver<'_>,
    form: Form,
) -> Result<Encoded, Unsupported> {
    write(conversation, to, form, Wanted::Count)
}

/// The answer to a count.
///
/// # Errors
/// `broken` when it is none.
pub fn read_count(body: &[u8]) -> Result<u64, Failure> {
    #[derive(Deserialize)]
    struct Count {
        input_tokens: u64,
    }
    let count: Count =
        serde_json::from_slice(body).map_err(|_| broken("the answer is no count of tokens"))?;
    Ok(count.input_tokens)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Answer,
    Count,
}

fn write<'a>(
    conversation: &'a Conversation,
    to: Receiver<'a>,
    form: Form,
    wanted: Wanted,
) -> Result<Encoded, Unsupported> {
    let facts = to.facts;
    let mut dropped = settle(&conversation.asked, Column::Anthropic)?;
    let mut caches = Caches::new(facts.cache_points, form);
    let offer = tools::offer(conversation, &to, form, &mut caches, &mut dropped)?;
    let rules = Rules {
        pure_results: false,
        between: (!facts.results_with_text).then_some("Understood."),
        prefill: facts.prefill,
    };
    let ordered = turns::ordered(conversation, rules)?;
    let mut writer = Writer {
        to,
        form,
        // Its signatures hold only behind the same tools. Models that think as they see fit do
        // without what they thought; the others do not bind it.
        thoughts: !(offer.narrowed && facts.thinking == facts::Thinking::Adaptive),
        caches: &mut caches,
        ids: Ids::default(),
    };
    let mut system = writer.system(&ordered);
    let mut messages = writer.messages(&ordered)?;

    let max_tokens = match (conversation.max_tokens, facts.max_output) {
        (Some(asked), most) => limited(asked, most, &mut dropped),
        (None, most) => most.unwrap_or(MAX_TOKENS),
    };
    let limits = Limits {
        max_tokens,
        impossible: offer.forced && !facts.forced_tools_thinking
            || facts.thinking == facts::Thinking::Budget && lacks_thinking(&messages, facts),
    };
    let plan = thinking::plan(conversation, facts, limits, &mut dropped);
    if !plan.may_think(facts) {
        messages = blocks::without_thinking(messages);
    }
    let sampling = sampling(conversation, facts, plan.thinks(), &mut dropped);
    let format = format(conversation, facts, &mut system)?;
    let filled = |stop: &str| !stop.trim().is_empty();
    let stop_sequences = stops(&conversation.stop, filled, &mut dropped);
    let (anthropic_version, model, stream) = match form {
        Form::Direct => (None, Some(to.model), Some(true)),
        Form::InCloud {
            version,
            stream_in_body,
        } => (Some(version), None, stream_in_body.then_some(true)),
    };
    let mut request = Request {
        anthropic_version,
        model,
        max_tokens: Some(max_tokens),
        stream,
        tools: offer.tools,
        tool_choice: offer.choice,
        system,
        messages,
        thinking: plan.thinking,
        output_config: OutputConfig {
            effort: plan.effort.map(chat::Effort::name),
            format,
        },
        stop_sequences,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        metadata: user(conversation, form, &mut dropped),
        service_tier: service_tier(conversation, form, &mut dropped),
    };
    caches.limit(points(&mut request));
    if caches.lost {
        drop_field(&mut dropped, "cache_control");
    }
    if wanted == Wanted::Count {
        request = Request {
            model: Some(to.model),
            max_tokens: None,
            stream: None,
            stop_sequences: Vec::new(),
            temperature: None,
            top_p: None,
            top_k: None,
            metadata: None,
            service_tier: None,
            ..request
        };
    }
    let body = serde_json::to_vec(&request)
        .map_err(|_| Unsupported::invalid("messages", "The request cannot be written as JSON."))?;
    Ok(Encoded {
        body: body.into(),
        dropped,
    })
}

/// Whether a model that must begin with its thinking would have to go on without it: in the middle
/// of calls and their results whose thinking is lost, or in what the assistant already says.
fn lacks_thinking(messages: &[Message<'_>], facts: &Facts) -> bool {
    let Some((last, before)) = messages.split_last() else {
        return false;
    };
    if last.role == "assistant" {
        return true;
    }
    let answers_calls = matches!(last.content.first(), Some(Block::ToolResult { .. }));
    let turn = before.last().and_then(|turn| turn.content.first());
    facts.thinking_before_calls && answers_calls && turn.is_some_and(|block| !block.is_thinking())
}

struct Samples {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
}

/// What the model takes of the sampling. A temperature of 1 is what it has anyway, so nobody is told
/// that it was left out.
fn sampling(
    conversation: &Conversation,
    facts: &Facts,
    thinks: bool,
    dropped: &mut Dropped,
) -> Samples {
    /// What a model that thinks still takes of `top_p`.
    const LEAST_TOP_P: f64 = 0.95;
    let Conversation {
        temperature,
        top_p,
        top_k,
        ..
    } = *conversation;
    let (warm, cut, few) = match facts.sampling {
        Sampling::None => (false, false, false),
        Sampling::Any | Sampling::OneOf if thinks => {
            (false, top_p.is_some_and(|p| p >= LEAST_TOP_P), false)
        }
        Sampling::Any => (true, true, true),
        Sampling::OneOf => (true, temperature.is_none(), true),
    };
    if !warm && temperature.is_some_and(|t| (t - 1.0).abs() > f64::EPSILON) {
        drop_field(dropped, "temperature");
    }
    if !cut && top_p.is_some_and(|p| (p - 1.0).abs() > f64::EPSILON) {
        drop_field(dropped, "top_p");
    }
    if !few && top_k.is_some() {
        drop_field(dropped, "top_k");
    }
    Samples {
        temperature: temperature
            .filter(|_| warm)
            .map(|t| told(dropped, "temperature", &t, t.clamp(0.0, 1.0))),
        top_p: top_p.filter(|_| cut),
        top_k: top_k.filter(|_| few),
    }
}

/// The form of the answer: bound where the model can be, else asked for in words.
fn format<'a>(
    conversation: &'a Conversation,
    facts: &Facts,
    system: &mut Vec<Block<'a>>,
) -> Result<Option<Format<'a>>, Unsupported> {
    if let chat::Format::JsonSchema {
        schema: Some(schema),
        ..
    } = &conversation.format
        && facts.json_schema
        && (facts.json_with_tools || conversation.tools.is_empty())
    {
        let schema = schema::binding(Cow::Borrowed(&**schema)).map_err(|error| Unsupported {
            param: "response_format".into(),
            ..error
        })?;
        return Ok(Some(Format { schema }));
    }
    if let Some(words) = conversation.format.in_words()? {
        system.push(Block::text(words));
    }
    Ok(None)
}

fn user<'a>(
    conversation: &'a Conversation,
    form: Form,
    dropped: &mut Dropped,
) -> Option<Metadata<'a>> {
    let user_id = conversation
        .user
        .as_deref()
        .filter(|user| !user.is_empty())?;
    if form == Form::Direct && user_id.chars().count() <= LONGEST_USER {
        Some(Metadata { user_id })
    } else {
        let named = |name: &str| conversation.asked.iter().any(|asked| asked == name);
        let older = named("user") || !named("safety_identifier");
        drop_field(dropped, if older { "user" } else { "safety_identifier" });
        None
    }
}

fn service_tier(
    conversation: &Conversation,
    form: Form,
    dropped: &mut Dropped,
) -> Option<&'static str> {
    let tier = match (conversation.service_tier.as_deref()?, form) {
        ("auto", Form::Direct) => Some("auto"),
        ("default" | "standard_only", Form::Direct) => Some("standard_only"),
        _ => None,
    };
    if tier.is_none() {
        drop_field(dropped, "service_tier");
    }
    tier
}

/// The places of cache points, in the order in which the provider reads them.
fn points<'r, 'a>(request: &'r mut Request<'a>) -> Vec<&'r mut Option<super::request::Cache<'a>>> {
    let tools = request.tools.iter_mut().map(|tool| &mut tool.cache_control);
    let system = request.system.iter_mut().filter_map(Block::cache);
    let messages = request.messages.iter_mut();
    let blocks = messages.flat_map(|message| message.content.iter_mut().filter_map(Block::cache));
    tools.chain(system).chain(blocks).collect()
}
