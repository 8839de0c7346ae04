//! The surfaces as their callers see them: how each is asked, and what any answer of it must be like.

mod messages;
mod responses;

use serde_json::{Value, json};

use super::Answer;
use super::fixture::{self, Ended, read_plain, read_stream};

/// Where a caller asks for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    Chat,
    Responses,
    Messages,
}

/// Why an answer ended, whatever the surface calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Calls,
    Length,
    Filter,
    /// Not at all: an error came instead.
    Broken,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) thought: String,
    pub(crate) text: String,
    /// Function and arguments, as one JSON text.
    pub(crate) calls: Vec<(String, String)>,
    /// Their ids.
    pub(crate) ids: Vec<String>,
    pub(crate) finish: Finish,
    /// In and out.
    pub(crate) usage: Option<(u64, u64)>,
    pub(crate) model: String,
    /// The code of the error that ended a stream.
    pub(crate) error: Option<String>,
}

pub(crate) const SURFACES: [Surface; 3] = [Surface::Chat, Surface::Responses, Surface::Messages];

impl Surface {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
        }
    }

    /// As the record has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
        }
    }

    /// A request to `model`.
    pub(crate) fn asking(self, model: &str, streamed: bool) -> Value {
        let user = json!([{ "role": "user", "content": "Hi" }]);
        let mut ask = match self {
            Self::Chat => json!({ "model": model, "messages": user }),
            Self::Responses => json!({ "model": model, "input": "Hi", "store": false }),
            Self::Messages => json!({ "model": model, "max_tokens": 64, "messages": user }),
        };
        if streamed {
            ask["stream"] = true.into();
            if self == Self::Chat {
                ask["stream_options"] = json!({ "include_usage": true });
            }
        }
        ask
    }

    /// Tools of these names, which take a city or a zone.
    pub(crate) fn tools(self, names: &[&str]) -> Value {
        let schema = json!({ "type": "object", "properties": {
            "city": { "type": "string" }, "zone": { "type": "string" } } });
        let tool = |name: &&str| match self {
            Self::Chat => {
                json!({ "type": "function", "function": { "name": name, "parameters": schema } })
            }
            Self::Responses => {
                json!({ "type": "function", "name": name, "parameters": schema, "strict": false })
            }
            Self::Messages => json!({ "name": name, "input_schema": schema }),
        };
        names.iter().map(tool).collect()
    }

    /// Reads an answer by the surface's schema.
    ///
    /// # Panics
    /// It is not what the schema says.
    pub(crate) fn read(self, answer: &Answer, streamed: bool) -> Told {
        assert_eq!(answer.status, 200, "{self:?}: {}", answer.text());
        assert!(answer.complete, "{self:?}: cut: {}", answer.text());
        let kind = answer.header("content-type").unwrap();
        assert_eq!(kind.starts_with("text/event-stream"), streamed, "{kind}");
        match (self, streamed) {
            (Self::Chat, true) => chat_stream(answer),
            (Self::Chat, false) => chat_plain(&answer.json()),
            (Self::Responses, true) => responses::stream(answer.text()),
            (Self::Responses, false) => responses::plain(&answer.json()),
            (Self::Messages, true) => messages::stream(answer.text()),
            (Self::Messages, false) => messages::plain(&answer.json()),
        }
    }

    /// Reads an error by the surface's schema: its code, and the parameter where the surface has one.
    pub(crate) fn error(self, answer: &Answer) -> (String, Option<String>) {
        let body = answer.json();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let error = &body["error"];
        assert!(
            text(&error["message"]).is_some_and(|it| !it.is_empty()),
            "{body}"
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let id = answer.id();
        match self {
            Self::Chat | Self::Responses => {
                let members: Vec<&String> = error.as_object().unwrap().keys().collect();
                assert_eq!(members, ["message", "type", "param", "code"], "{body}");
                (text(&error["code"]).unwrap(), text(&error["param"]))
            }
            Self::Messages => {
                assert_eq!(body["type"], "error", "{body}");
                assert_eq!(body["request_id"], id, "{body}");
                assert_eq!(answer.header("request-id"), Some(id), "{body}");
                let kind = text(&error["type"]).unwrap();
                assert!(messages::ERRORS.contains(&&*kind), "{body}");
                (text(&error["details"]["error_code"]).unwrap(), None)
            }
        }
    }
}

fn chat_finish(word: &str) -> Finish {
    match word {
        "stop" => Finish::Stop,
        "tool_calls" => Finish::Calls,
        "length" => Finish::Length,
        "content_filter" => Finish::Filter,
        "" => Finish::Broken,
        other => panic!("the finish {other}"),
    }
}

fn chat_told(said: fixture::Said, model: &str) -> Told {
    let (ids, calls) = said
        .calls
        .into_iter()
        .map(|(id, name, arguments)| (id, (name, compact(&arguments))))
        .unzip();
    Told {
        thought: String::new(),
        text: said.text,
        calls,
        ids,
        finish: chat_finish(&said.finish),
        usage: None,
        model: model.to_owned(),
        error: None,
    }
}

fn chat_usage(usage: &Value) -> (u64, u64) {
    let number = |name: &str| usage[name].as_u64().unwrap_or_else(|| panic!("{usage}"));
    let (input, output) = (number("prompt_tokens"), number("completion_tokens"));
    assert_eq!(number("total_tokens"), input + output, "{usage}");
    (input, output)
}

fn chat_plain(body: &Value) -> Told {
    assert_eq!(body["object"], "chat.completion", "{body}");
    assert!(body["created"].is_u64() && body["id"].is_string(), "{body}");
    let said = read_plain(body).remove(0);
    let mut told = chat_told(said, body["model"].as_str().unwrap());
    told.thought = thought_of(&body["choices"][0]["message"]);
    told.usage = body["usage"]
        .as_object()
        .map(|_| chat_usage(&body["usage"]));
    told
}

fn thought_of(message: &Value) -> String {
    let text = message["reasoning_content"].as_str();
    text.unwrap_or_default().to_owned()
}

fn chat_stream(answer: &Answer) -> Told {
    let data = answer.data();
    let mut whole = read_stream(&data, true);
    let said = if whole.choices.is_empty() {
        fixture::Said::default()
    } else {
        whole.choices.remove(0)
    };
    let mut told = chat_told(said, &whole.model);
    let frames = data
        .iter()
        .filter_map(|data| serde_json::from_str::<Value>(data).ok());
    told.thought = frames
        .map(|frame| thought_of(&frame["choices"][0]["delta"]))
        .collect();
    told.usage = whole.usage.as_ref().map(chat_usage);
    if let Ended::Error(code) = whole.ended {
        told.error = Some(code);
        told.finish = Finish::Broken;
    }
    told
}

/// JSON in one spelling, so that it compares; what is none stays as it is.
pub(super) fn compact(text: &str) -> String {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |json| json.to_string())
}

/// The events of a stream with their names, each on an `event:` line of its own as the SDKs want it.
pub(crate) fn named(text: &str) -> Vec<(String, Value)> {
    let events = text
        .strip_suffix("\n\n")
        .unwrap_or_else(|| panic!("torn: {text}"));
    let read = |event: &str| {
        let (name, data) = event
            .strip_prefix("event: ")
            .and_then(|rest| rest.split_once("\ndata: "))
            .unwrap_or_else(|| panic!("{event:?} in {text}"));
        let data: Value =
            serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(data["type"], name, "{text}");
        (name.to_owned(), data)
    };
    events.split("\n\n").map(read).collect()
}
