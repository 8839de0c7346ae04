//! From conversations to bodies.

mod settings;
mod thinking;
mod thoughts;
mod tools;
mod turns;

use serde_json::value::RawValue;

use crate::chat::{Call, CallResult, Conversation, Part, Role, Tool, Turn};
use crate::dialect::bedrock::encode;
use crate::dialect::{Encoded, Receiver};
use crate::facts::Families;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const MISTRAL: &str = "mistral.mistral-large-2402-v1:0";
const LLAMA: &str = "us.meta.llama3-3-70b-instruct-v1:0";
const GPT_OSS: &str = "openai.gpt-oss-120b-1:0";

fn encoded(model: &str, conversation: &Conversation) -> Encoded {
    let facts = Families::default().of(model);
    let to = Receiver {
        id: "bedrock/m",
        model,
        facts: &facts,
    };
    encode(conversation, to).unwrap_or_else(|refused| panic!("{refused:?}"))
}

fn refusal(model: &str, conversation: &Conversation) -> String {
    let facts = Families::default().of(model);
    let to = Receiver {
        id: "bedrock/m",
        model,
        facts: &facts,
    };
    encode(conversation, to).unwrap_err().param.into_owned()
}

/// The body must be `expected` to the byte, less the breaks and margins that it is written with here.
#[track_caller]
fn check(model: &str, conversation: &Conversation, expected: &str) {
    let body = encoded(model, conversation).body;
    let body = std::str::from_utf8(&body).unwrap();
    let expected: String = expected.lines().map(str::trim_start).collect();
    assert_eq!(body, expected, "{model}");
}

/// One member of the body, as JSON.
fn member(model: &str, conversation: &Conversation, path: &str) -> String {
    let body: serde_json::Value =
        serde_json::from_slice(&encoded(model, conversation).body).unwrap();
    body.pointer(path)
        .map_or_else(String::new, ToString::to_string)
}

fn dropped(model: &str, conversation: &Conversation) -> String {
    encoded(model, conversation).dropped.join(" ")
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn user(parts: Vec<Part>) -> Turn {
    Turn {
        role: Role::User,
        parts,
    }
}

fn assistant(parts: Vec<Part>) -> Turn {
    Turn {
        role: Role::Assistant,
        parts,
    }
}

fn call(id: &str, arguments: &str) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: "look".into(),
        arguments: arguments.into(),
        whole: true,
        signature: None,
    })
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts,
        is_error: false,
    })
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.into()).unwrap()
}

fn tool(name: &str, schema: &str) -> Tool {
    Tool {
        name: name.into(),
        description: None,
        schema: Some(raw(schema)),
        strict: None,
        cache: None,
    }
}

fn says(turns: Vec<Turn>) -> Conversation {
    Conversation {
        turns,
        ..Conversation::default()
    }
}

fn hi() -> Conversation {
    says(vec![user(vec![text("Hi")])])
}

const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

/// A user, a call and its result.
fn called() -> Vec<Turn> {
    vec![
        user(vec![text("Look")]),
        assistant(vec![call("call_1", "{\"at\": 1.50}")]),
        user(vec![result("call_1", vec![text("a cat")])]),
    ]
}
