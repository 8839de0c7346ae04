//! What is asked: each probe as the requests of an application, one after another.
//!
//! Pure: a request may depend on the answers so far, and on nothing else. All speak chat
//! completions; a probe of another surface is one more [`Probe`] with a path of its own here, a
//! reading of its own in [`super::read`], and its line in [`super::judge`].
//! <https://platform.openai.com/docs/api-reference/chat/create> (read 2026-11)

use serde_json::{Value, json};

use super::caller::Answer;
use super::read;

/// One thing that an application may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    Plain,
    Stream,
    Usage,
    Tools,
    ToolsStreamed,
    ParallelTools,
    JsonSchema,
    LongContext,
    Cancel,
    Error,
    /// Asks nothing: whether the answers to the others came within the route's limits.
    Pace,
}

/// What a probe is to be asked of.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The string for `model`.
    pub model: String,
    /// Tokens of the long prompt.
    pub long: u64,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) path: &'static str,
    pub(crate) body: Value,
    /// Whether the caller hangs up after the first token.
    pub(crate) leave: bool,
}

/// What the long prompt hides in its first lines, and is then asked for.
pub(crate) const HIDDEN: &str = "kumquat-7431";
pub(crate) const ORDER: &str = "record_order";

const CHAT: &str = "/chat/completions";
const HELLO: &str = "Say hello in one short sentence.";
const PLACE_ORDER: &str = "Call record_order now for this order, and say nothing else: the customer is Aigul, of the \
                           tier plus; two pieces of A-17 and one of B-3; express delivery.";
const TWO_CITIES: &str =
    "Call get_weather now for Almaty and for Astana: two calls in one turn, and nothing else.";
const COMPLAINT: &str =
    "Classify this message of a customer: \"My parcel has not come for two weeks. Where is it?\"";
const COUNT: &str = "Count from one to three hundred in words, one number a line. Leave none out.";
/// A line of the long prompt, of about twelve tokens.
const FILLER: &str = "Line of an old stock list that nobody needs any more.\n";
const FILLER_TOKENS: u64 = 12;

impl Probe {
    /// In the order in which they are asked and told.
    pub const ALL: [Self; 11] = [
        Self::Plain,
        Self::Stream,
        Self::Usage,
        Self::Tools,
        Self::ToolsStreamed,
        Self::ParallelTools,
        Self::JsonSchema,
        Self::LongContext,
        Self::Cancel,
        Self::Error,
        Self::Pace,
    ];

    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Stream => "stream",
            Self::Usage => "usage",
            Self::Tools => "tools",
            Self::ToolsStreamed => "tools_streamed",
            Self::ParallelTools => "parallel_tools",
            Self::JsonSchema => "json_schema",
            Self::LongContext => "long_context",
            Self::Cancel => "cancel",
            Self::Error => "error",
            Self::Pace => "pace",
        }
    }

    /// The next request, given the answers to those before it; `None` when all is asked.
    pub(crate) fn next(self, question: &Question, answers: &[Answer]) -> Option<Request> {
        let mut request = Request {
            path: CHAT,
            body: Value::Null,
            leave: false,
        };
        let (messages, more) = match (self, answers) {
            (Self::Plain, []) | (Self::Cancel, [_]) => (user(HELLO), json!({})),
            (Self::Stream, []) => (user(HELLO), json!({ "stream": true })),
            (Self::Usage, []) => (
                user(HELLO),
                json!({ "stream": true, "stream_options": { "include_usage": true } }),
            ),
            (Self::Tools, []) => (user(PLACE_ORDER), json!({ "tools": [order_tool()] })),
            (Self::Tools, [called]) => (with_results(called)?, json!({ "tools": [order_tool()] })),
            (Self::ToolsStreamed, []) => (
                user(PLACE_ORDER),
                json!({ "tools": [order_tool()], "stream": true }),
            ),
            (Self::ParallelTools, []) => (user(TWO_CITIES), json!({ "tools": [weather_tool()] })),
            (Self::JsonSchema, []) => {
                let format = json!({ "name": "ticket", "strict": true, "schema": ticket_schema() });
                let format = json!({ "type": "json_schema", "json_schema": format });
                (user(COMPLAINT), json!({ "response_format": format }))
            }
            (Self::LongContext, []) => (user(&long_prompt(question.long)), json!({})),
            (Self::Cancel, []) => {
                request.leave = true;
                (user(COUNT), json!({ "stream": true }))
            }
            // Nobody can answer a conversation in which nothing was said.
            (Self::Error, []) => (json!([]), json!({})),
            (
                Self::Plain
                | Self::Stream
                | Self::Usage
                | Self::Tools
                | Self::ToolsStreamed
                | Self::ParallelTools
                | Self::JsonSchema
                | Self::LongContext
                | Self::Cancel
                | Self::Error
                | Self::Pace,
                _,
            ) => return None,
        };
        request.body = more;
        request.body["model"] = question.model.as_str().into();
        request.body["messages"] = messages;
        Some(request)
    }
}

/// What an application asks that offers a tool: one call is the best answer.
pub(crate) fn order(model: &str, streamed: bool) -> Request {
    let mut body = json!({
        "model": model,
        "messages": user(PLACE_ORDER),
        "tools": [order_tool()],
    });
    if streamed {
        body["stream"] = true.into();
    }
    Request {
        path: CHAT,
        body,
        leave: false,
    }
}

fn user(text: &str) -> Value {
    json!([{ "role": "user", "content": text }])
}

/// The conversation after the tool was called: every call with its result.
fn with_results(called: &Answer) -> Option<Value> {
    let reading = read::plain(&called.body).ok()?;
    if reading.calls.is_empty() {
        return None;
    }
    let body: Value = serde_json::from_slice(&called.body).ok()?;
    // As the SDKs' examples do it: the message goes back as it came.
    let mut messages = vec![
        json!({ "role": "user", "content": PLACE_ORDER }),
        body["choices"][0]["message"].clone(),
    ];
    messages.extend(reading.calls.iter().map(|call| {
        json!({ "role": "tool", "tool_call_id": call.id, "content": "{\"status\":\"recorded\",\"order\":4711}" })
    }));
    Some(messages.into())
}

fn order_tool() -> Value {
    json!({ "type": "function", "function": {
        "name": ORDER,
        "description": "Records the order of a customer.",
        "parameters": order_schema(),
    }})
}

pub(crate) fn order_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "customer": {
                "type": "object",
                "properties": {
                    "name": { "type": "string" },
                    "tier": { "type": "string", "enum": ["basic", "plus"] },
                },
                "required": ["name", "tier"],
                "additionalProperties": false,
            },
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "sku": { "type": "string" },
                        "quantity": { "type": "integer" },
                    },
                    "required": ["sku", "quantity"],
                    "additionalProperties": false,
                },
            },
            "express": { "type": "boolean" },
        },
        "required": ["customer", "items", "express"],
        "additionalProperties": false,
    })
}

fn weather_tool() -> Value {
    json!({ "type": "function", "function": {
        "name": "get_weather",
        "description": "The weather in one city, now.",
        "parameters": {
            "type": "object",
            "properties": { "city": { "type": "string" } },
            "required": ["city"],
            "additionalProperties": false,
        },
    }})
}

pub(crate) fn ticket_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "category": { "type": "string", "enum": ["billing", "delivery", "other"] },
            "urgent": { "type": "boolean" },
            "summary": { "type": "string" },
            "tags": { "type": "array", "items": { "type": "string" } },
        },
        "required": ["category", "urgent", "summary", "tags"],
        "additionalProperties": false,
    })
}

fn long_prompt(tokens: u64) -> String {
    let lines = usize::try_from(tokens / FILLER_TOKENS).unwrap_or(usize::MAX);
    format!(
        "The code word is {HIDDEN}. Remember it.\n\n{}\nWhat is the code word? Answer with it alone.",
        FILLER.repeat(lines)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question {
            model: "check:a/m".into(),
            long: 1200,
        }
    }

    fn called() -> Answer {
        let function = json!({ "name": ORDER, "arguments": "{}" });
        let call = json!({ "id": "call_1", "type": "function", "function": function });
        let message = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
        let body = json!({
            "id": "1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": message, "finish_reason": "tool_calls" }],
        });
        Answer {
            status: 200,
            body: body.to_string().into(),
            ..Answer::default()
        }
    }

    #[test]
    fn each_probe_asks_for_what_it_is_named_after_and_comes_to_an_end() {
        for (probe, requests, asks) in [
            (Probe::Plain, 1, None),
            (Probe::Stream, 1, Some("stream")),
            (Probe::Usage, 1, Some("stream_options")),
            (Probe::Tools, 1, Some("tools")),
            (Probe::ToolsStreamed, 1, Some("tools")),
            (Probe::ParallelTools, 1, Some("tools")),
            (Probe::JsonSchema, 1, Some("response_format")),
            (Probe::LongContext, 1, None),
            (Probe::Cancel, 2, Some("stream")),
            (Probe::Error, 1, None),
            (Probe::Pace, 0, None),
        ] {
            let mut answers = Vec::new();
            while let Some(request) = probe.next(&question(), &answers) {
                assert_eq!(request.body["model"], "check:a/m");
                assert_eq!(request.leave, probe == Probe::Cancel && answers.is_empty());
                if let Some(asks) = asks.filter(|_| answers.is_empty()) {
                    assert!(request.body.get(asks).is_some(), "{probe:?}");
                }
                // No answer: nothing that a second turn could build upon.
                answers.push(Answer::default());
            }
            assert_eq!(answers.len(), requests, "{probe:?}");
        }
    }

    #[test]
    fn a_call_is_answered_in_the_next_turn() {
        let answers = [called()];
        let request = Probe::Tools.next(&question(), &answers).unwrap();
        let messages = request.body["messages"].as_array().unwrap();
        assert_eq!(messages[1]["tool_calls"][0]["id"], "call_1");
        assert_eq!(messages[2]["role"], "tool");
        assert_eq!(messages[2]["tool_call_id"], "call_1");
        let both = [called(), called()];
        assert!(Probe::Tools.next(&question(), &both).is_none());
    }

    #[test]
    fn the_long_prompt_has_about_the_tokens_asked_for_and_hides_its_word_first() {
        let prompt = long_prompt(1200);
        assert!((4_000..8_000).contains(&prompt.len()), "{}", prompt.len());
        assert!(prompt.lines().next().unwrap().contains(HIDDEN));
        assert!(!prompt[100..].contains(HIDDEN));
    }
}
