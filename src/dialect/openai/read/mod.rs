//! A chat request as a [`Conversation`], for a target that speaks another dialect.
//!
//! Read in one pass into [`fields`] and the types of [`wire`]; where a value has the wrong type, a second walk
//! finds out which field it was. What is not a chat completion's field but is sent to chat servers
//! all the same (`thinking`, `cache_control`, `top_k`, `thinking_blocks`) is understood here, too.
//! <https://platform.openai.com/docs/api-reference/chat/create> (read 2026-11).

mod fields;
mod media;
mod message;
mod path;
mod wire;

use std::borrow::Cow;

use crate::chat::asked::{self, note};
use crate::chat::{
    Conversation, Effort, Format, Lifetime, Part, Role, Thinking, Tool, ToolChoice, Turn,
    Unsupported,
};
use fields::Fields;
use wire::{
    AllowedTools, CacheControl, ChoiceObject, ChoiceType, Form, FormatObject, FormatType, Mode,
    ThinkingObject, ThinkingType, ToolObject, ToolType,
};

/// Reads the body of a chat request.
///
/// # Errors
/// A field that is not what its schema says, or that has no counterpart in any other dialect.
pub fn read(body: &str) -> Result<Conversation, Unsupported> {
    let fields: Fields = serde_json::from_str(body).map_err(|error| path::wrong(body, &error))?;
    if fields.members > asked::MOST {
        return Err(asked::too_many());
    }
    let mut asked = fields.asked;
    let tools = tools(fields.tools.unwrap_or_default(), &mut asked)?;
    let user = match fields.safety_identifier {
        Some(id) => Some(id),
        None => fields.user,
    };
    let mut conversation = Conversation {
        tools,
        tool_choice: fields.tool_choice.map(tool_choice).transpose()?,
        parallel_calls: fields.parallel_tool_calls,
        max_tokens: fields.max_completion_tokens.or(fields.max_tokens),
        temperature: fields.temperature,
        top_p: fields.top_p,
        top_k: fields.top_k,
        // Seeds beyond 63 bits are seen; all that matters is that the same one stays the same.
        seed: fields
            .seed
            .and_then(|seed| seed.as_i64().or(seed.as_u64().map(u64::cast_signed))),
        presence_penalty: fields.presence_penalty,
        frequency_penalty: fields.frequency_penalty,
        stop: fields.stop.map(stop).transpose()?.unwrap_or_default(),
        format: fields
            .response_format
            .map(format)
            .transpose()?
            .unwrap_or_default(),
        effort: fields.reasoning_effort.as_deref().map(effort).transpose()?,
        thinking: fields.thinking.as_ref().map(thinking),
        show_reasoning: fields.include_reasoning.unwrap_or(false),
        user: user.filter(|user| !user.is_empty()),
        service_tier: fields.service_tier,
        ..Conversation::default()
    };
    let messages = fields.messages.unwrap_or_default();
    if messages.is_empty() {
        return Err(Unsupported::invalid(
            "messages",
            "`messages` must hold at least one message.",
        ));
    }
    message::read(messages, &mut conversation, &mut asked)?;
    if let Some(cache) = fields.cache_control {
        // Anthropic's form of it: the end of what is sent is worth keeping.
        cache_the_end(&mut conversation, cache.ttl);
    }
    asked::checked(&asked)?;
    conversation.asked = asked;
    Ok(conversation)
}

/// Names, each once.
type Asked = Vec<Cow<'static, str>>;

fn tools(tools: Vec<ToolObject>, asked: &mut Asked) -> Result<Vec<Tool>, Unsupported> {
    let each = tools.into_iter().enumerate();
    each.map(|(at, tool)| {
        match tool.kind.unwrap_or(ToolType::Function) {
            ToolType::Function => {}
            ToolType::Custom => {
                return Err(Unsupported::parameter(
                    format!("tools[{at}].type"),
                    "Custom tools are supported by OpenAI alone.",
                ));
            }
            ToolType::Other => {
                return Err(Unsupported::parameter(
                    format!("tools[{at}].type"),
                    "Only tools of the type `function` can be given to this provider.",
                ));
            }
        }
        let function = tool.function.unwrap_or_default();
        let Some(name) = function.name.filter(|name| !name.is_empty()) else {
            return Err(Unsupported::invalid(
                format!("tools[{at}].function.name"),
                "A tool must have a name.",
            ));
        };
        let cache = tool.cache_control.or(function.cache_control);
        if cache.is_some() {
            note(asked, "cache_control");
        }
        Ok(Tool {
            name,
            description: function.description.filter(|text| !text.is_empty()),
            schema: function.parameters,
            strict: function.strict,
            cache: cache.map(|cache| cache.ttl),
        })
    })
    .collect()
}

fn tool_choice(choice: Form<ChoiceObject>) -> Result<ToolChoice, Unsupported> {
    let wrong = || {
        Unsupported::invalid(
            "tool_choice",
            "`tool_choice` must be `none`, `auto`, `required`, or name a function or allowed tools.",
        )
    };
    let object = match choice {
        Form::Text(word) => {
            return match &*word {
                "auto" => Ok(ToolChoice::Auto),
                "none" => Ok(ToolChoice::None),
                // Mistral's word is the second.
                "required" | "any" => Ok(ToolChoice::Required),
                _ => Err(wrong()),
            };
        }
        Form::List(_) => return Err(wrong()),
        Form::One(object) => object,
    };
    match object.kind.ok_or_else(wrong)? {
        ChoiceType::Function => {
            let name = object.function.and_then(|function| function.name);
            name.map(ToolChoice::Named).ok_or_else(wrong)
        }
        ChoiceType::AllowedTools => allowed(object.allowed_tools.ok_or_else(wrong)?),
        ChoiceType::Custom => Err(Unsupported::parameter(
            "tool_choice",
            "Custom tools are supported by OpenAI alone.",
        )),
        ChoiceType::Other => Err(wrong()),
    }
}

fn allowed(allowed: AllowedTools) -> Result<ToolChoice, Unsupported> {
    let mut names = Vec::with_capacity(allowed.tools.len());
    for (at, tool) in allowed.tools.into_iter().enumerate() {
        let Some(name) = tool.function.and_then(|function| function.name) else {
            return Err(Unsupported::parameter(
                format!("tool_choice.allowed_tools.tools[{at}]"),
                "Only functions can be allowed.",
            ));
        };
        names.push(name);
    }
    Ok(ToolChoice::Allowed {
        names,
        required: allowed.mode == Mode::Required,
    })
}

fn stop(stop: Form<String>) -> Result<Vec<String>, Unsupported> {
    match stop {
        Form::Text(text) => Ok(vec![text]),
        Form::List(texts) => Ok(texts),
        Form::One(_) => Err(Unsupported::invalid(
            "stop",
            "`stop` must be a string or a list of strings.",
        )),
    }
}

fn format(format: FormatObject) -> Result<Format, Unsupported> {
    match format.kind {
        Some(FormatType::Text) => Ok(Format::Text),
        Some(FormatType::JsonObject) => Ok(Format::JsonObject),
        Some(FormatType::JsonSchema) => {
            let schema = format.json_schema.ok_or_else(|| {
                Unsupported::invalid(
                    "response_format.json_schema",
                    "`json_schema` must be set for a format of this type.",
                )
            })?;
            Ok(Format::JsonSchema {
                name: schema.name.unwrap_or_else(|| "response".into()),
                description: schema.description,
                schema: schema.schema,
                strict: schema.strict,
            })
        }
        Some(FormatType::Other) | None => Err(Unsupported::invalid(
            "response_format.type",
            "`response_format.type` must be `text`, `json_object` or `json_schema`.",
        )),
    }
}

fn effort(name: &str) -> Result<Effort, Unsupported> {
    Effort::named(name).ok_or_else(|| {
        Unsupported::invalid(
            "reasoning_effort",
            "`reasoning_effort` must be `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`.",
        )
    })
}

fn thinking(thinking: &ThinkingObject) -> Thinking {
    match (thinking.kind, thinking.budget_tokens) {
        (ThinkingType::Disabled, _) => Thinking::Disabled,
        (ThinkingType::BetweenTools, _) => Thinking::BetweenTools,
        (ThinkingType::Enabled, Some(budget)) => Thinking::Budget(budget),
        // DeepSeek's form of it has no budget.
        (ThinkingType::Enabled | ThinkingType::Adaptive, _) => Thinking::Adaptive,
    }
}

fn cache_the_end(conversation: &mut Conversation, lifetime: Lifetime) {
    let point = Part::CachePoint(lifetime);
    match conversation.turns.last_mut() {
        Some(turn) => turn.parts.push(point),
        None => conversation.system.push(point),
    }
}

fn user(parts: Vec<Part>) -> Turn {
    Turn {
        role: Role::User,
        parts,
    }
}

impl From<CacheControl> for Part {
    fn from(cache: CacheControl) -> Self {
        Self::CachePoint(cache.ttl)
    }
}
