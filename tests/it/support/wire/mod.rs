//! What providers of each dialect send, written from a script: the same answer in every dialect,
//! as frames whose meaning is known, so that it can be cut where it matters.
//!
//! Shapes: <https://platform.claude.com/docs/en/api/messages-streaming>,
//! <https://ai.google.dev/api/generate-content>, <https://docs.aws.amazon.com/bedrock/latest/APIReference>
//! and <https://platform.openai.com/docs/api-reference/responses-streaming> (all read 2026-11).

mod anthropic;
mod converse;
pub(crate) mod eventstream;
mod fault;
mod gemini;
mod responses;

use serde_json::{Value, json};

use super::Reply;
use super::fixture;
use super::reply::End;
use super::upstream::Seen;

pub(crate) use fault::Fault;

/// What an upstream was asked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Chat,
    Responses,
    Anthropic,
    Gemini,
    Converse,
    /// Messages inside Amazon's event stream.
    Invoke,
}

/// How a scripted answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    /// The provider's own filter, after what was said.
    Filtered,
}

/// One call: id, function, the pieces of its arguments.
pub(crate) type Call = (&'static str, &'static str, &'static [&'static str]);

/// One answer. Every one counts nine tokens in and three out.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) thought: Option<&'static str>,
    pub(crate) texts: Vec<&'static str>,
    pub(crate) calls: Vec<Call>,
    pub(crate) finish: Finish,
}

/// What a frame means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Nothing of the answer yet, or anymore.
    Around,
    Thought,
    Text,
    CallBegan,
    CallPart,
    CallDone,
}

/// Frames in order.
pub(crate) type Frames = Vec<(Tag, Vec<u8>)>;

pub(crate) const WEATHER: Call = ("call_1", "weather", &["{\"city\":", "\"Almaty\"}"]);
pub(crate) const CLOCK: Call = ("call_2", "clock", &["{\"zone\":", "\"Asia/", "Almaty\"}"]);
/// A call without arguments.
pub(crate) const NOW: Call = ("call_3", "now", &[]);

impl Script {
    pub(crate) fn text(texts: &[&'static str]) -> Self {
        Self {
            thought: None,
            texts: texts.to_vec(),
            calls: vec![],
            finish: Finish::Stop,
        }
    }

    pub(crate) fn calls(texts: &[&'static str], calls: &[Call]) -> Self {
        Self {
            calls: calls.to_vec(),
            ..Self::text(texts)
        }
    }

    pub(crate) fn thinking(thought: &'static str, texts: &[&'static str]) -> Self {
        Self {
            thought: Some(thought),
            ..Self::text(texts)
        }
    }

    pub(crate) fn ends(self, finish: Finish) -> Self {
        Self { finish, ..self }
    }

    /// The calls as a caller reads them.
    pub(crate) fn whole_calls(&self) -> Vec<(String, String)> {
        let calls = self.calls.iter();
        calls
            .map(|(_, name, pieces)| ((*name).to_owned(), arguments(pieces).to_string()))
            .collect()
    }
}

/// Whole arguments; without pieces there are none.
fn arguments(pieces: &[&str]) -> Value {
    if pieces.is_empty() {
        return json!({});
    }
    serde_json::from_str(&pieces.concat()).unwrap()
}

impl Wire {
    /// What the gateway asks in, by where it asks.
    pub(crate) fn of(seen: &Seen) -> Self {
        let path = seen.head.split(' ').nth(1).unwrap();
        let path = path.split('?').next().unwrap();
        let ends: &[(&str, Self)] = &[
            ("/chat/completions", Self::Chat),
            ("/responses", Self::Responses),
            ("/messages", Self::Anthropic),
            (":rawPredict", Self::Anthropic),
            (":streamRawPredict", Self::Anthropic),
            (":generateContent", Self::Gemini),
            (":streamGenerateContent", Self::Gemini),
            ("/converse", Self::Converse),
            ("/converse-stream", Self::Converse),
            ("/invoke", Self::Invoke),
            ("/invoke-with-response-stream", Self::Invoke),
        ];
        let found = ends.iter().find(|(end, _)| path.ends_with(end));
        found.unwrap_or_else(|| panic!("asked at {path}")).1
    }

    /// Whether a stream was asked for.
    pub(crate) fn streamed(seen: &Seen) -> bool {
        let path = seen.head.split(' ').nth(1).unwrap();
        path.contains(":stream") || path.contains("-stream") || seen.json()["stream"] == true
    }

    pub(crate) fn frames(self, script: &Script) -> Frames {
        match self {
            Self::Chat => chat(script),
            Self::Responses => responses::frames(script),
            Self::Anthropic => anthropic::frames(script)
                .into_iter()
                .map(|(tag, event)| (tag, anthropic::sse(&event)))
                .collect(),
            Self::Invoke => anthropic::frames(script)
                .into_iter()
                .map(|(tag, event)| (tag, eventstream::invoked(&event)))
                .collect(),
            Self::Gemini => gemini::frames(script),
            Self::Converse => converse::frames(script),
        }
    }

    /// The answer to who asked for a stream, or for none.
    pub(crate) fn reply(self, streamed: bool, script: &Script) -> Reply {
        if streamed {
            return self.stream(&self.frames(script));
        }
        Reply::json(match self {
            Self::Chat => chat_plain(script),
            Self::Responses => responses::plain(script),
            Self::Anthropic | Self::Invoke => anthropic::plain(script),
            Self::Gemini | Self::Converse => {
                panic!("only streams are asked for in this dialect")
            }
        })
    }

    /// These frames as a stream.
    pub(crate) fn stream(self, frames: &[(Tag, Vec<u8>)]) -> Reply {
        let body: Vec<u8> = frames.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let reply = Reply::sse(body);
        match self {
            Self::Converse | Self::Invoke => {
                reply.header("content-type", "application/vnd.amazon.eventstream")
            }
            Self::Chat | Self::Responses | Self::Anthropic | Self::Gemini => reply,
        }
    }

    /// The answer cut before its `nth` frame of this meaning, or in the middle of it.
    pub(crate) fn cut(
        self,
        script: &Script,
        tag: Tag,
        nth: usize,
        inside: bool,
        end: End,
    ) -> Reply {
        let frames = self.frames(script);
        let mut before = 0;
        let mut left = nth;
        for (of, bytes) in &frames {
            if *of == tag {
                if left == 0 {
                    let at = before + if inside { bytes.len() / 2 } else { 0 };
                    return self.stream(&frames).cut_at(at, end);
                }
                left -= 1;
            }
            before += bytes.len();
        }
        panic!("{self:?} has no frame {nth} of {tag:?} here");
    }
}

fn chat(script: &Script) -> Frames {
    let mut frames = vec![(Tag::Around, fixture::role())];
    if let Some(thought) = script.thought {
        let delta = json!({ "reasoning_content": thought });
        frames.push((Tag::Thought, fixture::delta(&delta, None)));
    }
    for text in &script.texts {
        frames.push((Tag::Text, fixture::text(text)));
    }
    for (index, (id, name, pieces)) in (0..).zip(&script.calls) {
        frames.push((Tag::CallBegan, fixture::call(index, id, name)));
        for piece in *pieces {
            frames.push((Tag::CallPart, fixture::arguments(index, piece)));
        }
    }
    let finish = match script.finish {
        Finish::Stop if script.calls.is_empty() => "stop",
        Finish::Stop => "tool_calls",
        Finish::Length => "length",
        Finish::Filtered => "content_filter",
    };
    for frame in [
        fixture::finish(finish),
        fixture::usage(),
        fixture::DONE.to_owned(),
    ] {
        frames.push((Tag::Around, frame));
    }
    let frames = frames.into_iter();
    frames.map(|(tag, text)| (tag, text.into_bytes())).collect()
}

fn chat_plain(script: &Script) -> String {
    let text = script.texts.concat();
    let calls: Vec<Value> = script
        .calls
        .iter()
        .map(|(id, name, pieces)| {
            let function = json!({ "name": name, "arguments": arguments(pieces).to_string() });
            json!({ "id": id, "type": "function", "function": function })
        })
        .collect();
    let mut answer: Value = serde_json::from_str(&fixture::plain(&text)).unwrap();
    let choice = &mut answer["choices"][0];
    if let Some(thought) = script.thought {
        choice["message"]["reasoning_content"] = thought.into();
    }
    if !calls.is_empty() {
        choice["message"]["tool_calls"] = calls.into();
        choice["finish_reason"] = "tool_calls".into();
    }
    match script.finish {
        Finish::Stop => {}
        Finish::Length => choice["finish_reason"] = "length".into(),
        Finish::Filtered => choice["finish_reason"] = "content_filter".into(),
    }
    answer.to_string()
}
