//! Chat completions and the older completions: an answer as OpenAI writes it, whole or in events.
//!
//! Never here: what the model says ([`super::words`]) or what goes wrong ([`super::answer`]).

use std::time::Duration;

use serde_json::{Value, json};

use super::ask::Ask;
use super::behaviour::{Behaviour, ToolCall};
use super::reply::{Reply, Timeline, first_half};
use super::schema;
use super::words::{Words, json_pieces};

/// 2026-01-01: an answer depends on its request alone.
const CREATED: u64 = 1_767_225_600;

/// Which of the two endpoints is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    Chat,
    Completions,
}

/// What is wrong with an answer that says 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    Broken,
    Empty,
    Cut,
}

/// What the model does: speak, or call a tool.
enum Act {
    Say(Words),
    Call {
        name: String,
        /// The arguments' JSON text, in the pieces it is streamed in.
        arguments: Vec<String>,
    },
}

/// Name of the first function offered, and arguments that fit its schema.
fn first_offered(ask: &Ask) -> (String, String) {
    let function = &ask.body["tools"][0]["function"];
    let name = function["name"].as_str().unwrap_or_default().to_owned();
    (name, schema::fitting(&function["parameters"]).to_string())
}

/// One answer, before it is written as a body or as events.
pub(super) struct Completion<'a> {
    surface: Surface,
    ask: &'a Ask,
    behaviour: &'a Behaviour,
    act: Act,
}

impl<'a> Completion<'a> {
    pub(super) fn new(
        surface: Surface,
        provider: &str,
        behaviour: &'a Behaviour,
        ask: &'a Ask,
    ) -> Self {
        let act = match &behaviour.tool {
            Some(call) if surface == Surface::Chat && ask.takes_tool_call() => {
                let (name, arguments) = match call {
                    ToolCall::Named { name, arguments } => (name.clone(), arguments.clone()),
                    ToolCall::FirstOffered => first_offered(ask),
                };
                Act::Call {
                    name,
                    arguments: json_pieces(&arguments),
                }
            }
            _ => Act::Say(Words::new(provider, behaviour, ask)),
        };
        Self {
            surface,
            ask,
            behaviour,
            act,
        }
    }

    pub(super) fn reply(&self, flaw: Flaw) -> Reply {
        if self.ask.stream {
            return Reply::events(self.timeline(flaw));
        }
        let wait = self.behaviour.first_token + self.pauses();
        let mut body = self.body();
        match flaw {
            Flaw::None => Reply::json(wait, &body),
            Flaw::Broken => Reply::half_json(wait, &body),
            Flaw::Cut => Reply::cut_json(wait, &body),
            Flaw::Empty => {
                body["choices"] = json!([]);
                Reply::json(wait, &body)
            }
        }
    }

    /// All the time between tokens.
    fn pauses(&self) -> Duration {
        let pauses = self.pieces().len().saturating_sub(1);
        self.behaviour
            .pace
            .saturating_mul(u32::try_from(pauses).unwrap_or(u32::MAX))
    }

    fn body(&self) -> Value {
        let choice = match (&self.act, self.surface) {
            (Act::Say(words), Surface::Chat) => json!({
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": words.pieces.concat(),
                    "refusal": null,
                    "annotations": [],
                },
                "logprobs": null,
                "finish_reason": self.finish_reason(),
            }),
            (Act::Say(words), Surface::Completions) => json!({
                "index": 0,
                "text": words.pieces.concat(),
                "logprobs": null,
                "finish_reason": self.finish_reason(),
            }),
            (Act::Call { name, arguments }, _) => json!({
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": null,
                    "refusal": null,
                    "annotations": [],
                    "tool_calls": [{
                        "id": self.call_id(),
                        "type": "function",
                        "function": { "name": name, "arguments": arguments.concat() },
                    }],
                },
                "logprobs": null,
                "finish_reason": self.finish_reason(),
            }),
        };
        let mut body = self.envelope(json!([choice]));
        body["usage"] = self.usage();
        body
    }

    fn timeline(&self, flaw: Flaw) -> Timeline {
        let mut timeline = Timeline::default();
        if self.surface == Surface::Chat {
            let content = match self.act {
                Act::Say(_) => json!(""),
                Act::Call { .. } => Value::Null,
            };
            let role = json!({ "role": "assistant", "content": content, "refusal": null });
            timeline.event(&self.chunk(role, None));
        }
        timeline.wait(self.behaviour.first_token);
        match flaw {
            Flaw::None => {
                self.tokens(&mut timeline, usize::MAX);
                self.end(&mut timeline);
            }
            Flaw::Broken => {
                let event = self.chunk(self.delta("lost"), None);
                timeline.bytes(first_half(&format!("data: {event}\n\n")));
            }
            Flaw::Empty => {}
            Flaw::Cut => {
                self.tokens(&mut timeline, self.pieces().len().div_ceil(2));
                timeline.cut();
            }
        }
        timeline
    }

    /// The first `count` tokens of the answer.
    fn tokens(&self, timeline: &mut Timeline, count: usize) {
        if let Act::Call { name, .. } = &self.act {
            let call = json!({
                "index": 0,
                "id": self.call_id(),
                "type": "function",
                "function": { "name": name, "arguments": "" },
            });
            timeline.event(&self.chunk(json!({ "tool_calls": [call] }), None));
            timeline.wait(self.behaviour.pace);
        }
        for (place, piece) in self.pieces().iter().take(count).enumerate() {
            if place > 0 {
                timeline.wait(self.behaviour.pace);
            }
            timeline.event(&self.chunk(self.delta(piece), None));
        }
    }

    fn end(&self, timeline: &mut Timeline) {
        let nothing = match self.surface {
            Surface::Chat => json!({}),
            Surface::Completions => json!(""),
        };
        timeline.event(&self.chunk(nothing, Some(self.finish_reason())));
        if self.ask.usage {
            let mut event = self.envelope(json!([]));
            event["usage"] = self.usage();
            timeline.event(&event);
        }
        timeline.bytes("data: [DONE]\n\n".into());
    }

    /// What one token adds.
    fn delta(&self, piece: &str) -> Value {
        match (&self.act, self.surface) {
            (Act::Say(_), Surface::Chat) => json!({ "content": piece }),
            (Act::Say(_), Surface::Completions) => json!(piece),
            (Act::Call { .. }, _) => json!({
                "tool_calls": [{ "index": 0, "function": { "arguments": piece } }],
            }),
        }
    }

    fn chunk(&self, delta: Value, finish_reason: Option<&str>) -> Value {
        let mut choice = json!({
            "index": 0,
            "logprobs": null,
            "finish_reason": finish_reason,
        });
        let key = match self.surface {
            Surface::Chat => "delta",
            Surface::Completions => "text",
        };
        choice[key] = delta;
        let mut event = self.envelope(json!([choice]));
        if self.ask.usage {
            event["usage"] = Value::Null;
        }
        event
    }

    fn envelope(&self, choices: Value) -> Value {
        let (id, object) = match (self.surface, self.ask.stream) {
            (Surface::Chat, false) => ("chatcmpl", "chat.completion"),
            (Surface::Chat, true) => ("chatcmpl", "chat.completion.chunk"),
            (Surface::Completions, _) => ("cmpl", "text_completion"),
        };
        let mut envelope = json!({
            "id": format!("{id}-{:016x}", self.ask.seed),
            "object": object,
            "created": CREATED,
            "model": self.ask.model,
            "service_tier": "default",
            "system_fingerprint": "fp_simulated",
        });
        envelope["choices"] = choices;
        envelope
    }

    fn usage(&self) -> Value {
        let prompt = self.ask.prompt_tokens;
        let completion = self.pieces().len();
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        })
    }

    fn pieces(&self) -> &[String] {
        match &self.act {
            Act::Say(words) => &words.pieces,
            Act::Call { arguments, .. } => arguments,
        }
    }

    fn finish_reason(&self) -> &'static str {
        match &self.act {
            Act::Say(words) => words.finish_reason(),
            Act::Call { .. } => "tool_calls",
        }
    }

    fn call_id(&self) -> String {
        format!("call_{:016x}", self.ask.seed)
    }
}
