//! A whole answer as one object, and the objects that a stream's chunks are made of.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object> (read 2026-11).

use serde::Serialize;

use crate::chat::{Answer, Call, Event, Reason, Thought, Usage, thought};
use crate::dialect::Shown;

/// The same answer as one object.
pub fn answer(answer: &Answer, shown: &Shown) -> Vec<u8> {
    let mut message = Message {
        role: "assistant",
        ..Message::default()
    };
    let (mut thoughts, mut id, mut usage) = (Vec::new(), None, None);
    let mut finish = Reason::Stop;
    let add = |field: &mut Option<String>, text: &str| {
        if !text.is_empty() {
            field.get_or_insert_default().push_str(text);
        }
    };
    for event in &answer.events {
        match event {
            Event::Id(given) => id = id.or(Some(given.as_str())),
            Event::Text(text) => add(&mut message.content, text),
            Event::Reasoning(text) => add(&mut message.reasoning_content, text),
            Event::Refusal(text) => add(&mut message.refusal, text),
            Event::Thought(thought) => {
                if is_signed(thought) {
                    thoughts.push(thought.clone());
                }
            }
            Event::CallBegan => {}
            Event::Call(call) => message
                .tool_calls
                .push(CallObject::new(call, &shown.target)),
            Event::Usage(counted) => usage = UsageObject::new(counted),
            Event::Finish(finished) => finish = finished.reason,
        }
    }
    message.thinking_blocks = blocks(&thoughts, &shown.target);
    if message.tool_calls.is_empty() && message.refusal.is_none() {
        message.content.get_or_insert_default();
    }
    let completion = Completion {
        id: answer_id(id, shown.seed),
        object: "chat.completion",
        created: shown.created,
        model: &shown.model,
        choices: [Choice {
            index: 0,
            finish_reason: reason(finish, !message.tool_calls.is_empty()),
            message,
            logprobs: (),
        }],
        usage,
        system_fingerprint: (),
    };
    let mut out = Vec::new();
    write(&completion, &mut out);
    out
}

/// What is made of strings and numbers always serialises, and a vector takes it.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, value);
}

/// The provider's id in the form that is expected here, or one of our own.
pub(super) fn answer_id(theirs: Option<&str>, seed: u64) -> String {
    match theirs.filter(|id| !id.is_empty()) {
        Some(id) if id.starts_with("chatcmpl-") => id.to_owned(),
        Some(id) => format!("chatcmpl-{id}"),
        None => {
            let mut rng = fastrand::Rng::with_seed(seed);
            format!("chatcmpl-{:024x}", rng.u128(..) >> 32)
        }
    }
}

/// Decided by whether there are calls, which an application can rely on, where the model ended by itself.
pub(super) fn reason(reason: Reason, calls: bool) -> &'static str {
    match reason {
        Reason::Stop | Reason::ToolCalls if calls => "tool_calls",
        Reason::Stop | Reason::ToolCalls => "stop",
        Reason::Length => "length",
        Reason::ContentFilter => "content_filter",
    }
}

/// Whether it can be shown to the model again; its text alone has gone out as reasoning.
pub(super) fn is_signed(thought: &Thought) -> bool {
    thought.signature.is_some() || thought.redacted.is_some()
}

pub(super) fn blocks<'a>(thoughts: &'a [Thought], target: &str) -> Vec<Block<'a>> {
    let block = |it: &'a Thought| match (&it.redacted, &it.signature) {
        (Some(data), _) => Block::RedactedThinking {
            data: thought::seal(target, data),
        },
        (None, signature) => Block::Thinking {
            thinking: &it.text,
            signature: thought::seal(target, signature.as_deref().unwrap_or_default()),
        },
    };
    thoughts.iter().map(block).collect()
}

/// litellm's, as Anthropic's blocks are.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Thinking {
        thinking: &'a str,
        signature: String,
    },
    RedactedThinking {
        data: String,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct CallObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u64>,
    id: &'a str,
    r#type: &'static str,
    pub(super) function: Function<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraContent>,
}

#[derive(Debug, Serialize)]
pub(super) struct Function<'a> {
    name: &'a str,
    pub(super) arguments: &'a str,
}

/// As Google's compatible endpoint has it.
#[derive(Debug, Serialize)]
struct ExtraContent {
    google: Signed,
}

#[derive(Debug, Serialize)]
struct Signed {
    thought_signature: String,
}

impl<'a> CallObject<'a> {
    pub(super) fn new(call: &'a Call, target: &str) -> Self {
        let extra_content = call.signature.as_ref().map(|signature| ExtraContent {
            google: Signed {
                thought_signature: thought::seal(target, signature),
            },
        });
        Self {
            index: None,
            id: &call.id,
            r#type: "function",
            function: Function {
                name: &call.name,
                arguments: &call.arguments,
            },
            extra_content,
        }
    }
}

/// <https://platform.openai.com/docs/api-reference/chat/object> (read 2026-11).
#[derive(Debug, Serialize)]
struct Completion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageObject>,
    system_fingerprint: (),
}

#[derive(Debug, Serialize)]
struct Choice<'a> {
    index: u64,
    message: Message<'a>,
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Debug, Default, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    thinking_blocks: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallObject<'a>>,
    annotations: [(); 0],
}

/// What is not known is left out, as nobody counted it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) struct UsageObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Serialize)]
struct PromptDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl UsageObject {
    pub(super) fn new(usage: &Usage) -> Option<Self> {
        let prompt_tokens_details = (usage.cached.is_some() || usage.cache_write.is_some())
            .then_some(PromptDetails {
                cached_tokens: usage.cached,
                cache_write_tokens: usage.cache_write,
            });
        usage.is_known().then(|| Self {
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            total_tokens: usage
                .prompt
                .zip(usage.completion)
                .map(|(prompt, completion)| prompt.saturating_add(completion)),
            prompt_tokens_details,
            completion_tokens_details: usage
                .reasoning
                .map(|reasoning_tokens| CompletionDetails { reasoning_tokens }),
        })
    }
}
