//! A chat request as it stands on the wire, borrowing from the conversation that it says.
//! <https://platform.openai.com/docs/api-reference/chat/create> (read 2026-11).

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::chat::Tool;

#[derive(Debug, Serialize)]
pub(super) struct Body<'c> {
    pub(super) model: &'c str,
    pub(super) messages: Vec<Message<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<ToolObject<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<ToolChoice<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parallel_tool_calls: Option<bool>,
    #[serde(flatten)]
    pub(super) limit: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) stop: &'c [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_format: Option<FormatObject<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_effort: Option<&'static str>,
    #[serde(flatten)]
    pub(super) user: Option<User<'c>>,
    pub(super) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream_options: Option<StreamOptions>,
}

/// The longest answer, by either of its names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    MaxTokens(u64),
    MaxCompletionTokens(u64),
}

/// The caller's user, by either name.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum User<'c> {
    User(Cow<'c, str>),
    SafetyIdentifier(Cow<'c, str>),
}

#[derive(Debug, Serialize)]
pub(super) struct StreamOptions {
    pub(super) include_usage: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(super) enum Message<'c> {
    System {
        content: Cow<'c, str>,
    },
    User {
        content: Content<'c>,
    },
    Assistant {
        content: Option<Content<'c>>,
        /// `DeepSeek`'s: what was thought before the calls.
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<Cow<'c, str>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<CallObject<'c>>,
    },
    Tool {
        tool_call_id: Cow<'c, str>,
        content: Cow<'c, str>,
    },
}

/// One text alone is a string: not every server takes lists.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Content<'c> {
    Text(&'c str),
    Parts(Vec<PartObject<'c>>),
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum PartObject<'c> {
    Text { text: &'c str },
    ImageUrl { image_url: Image<'c> },
    File { file: File<'c> },
    InputAudio { input_audio: Audio<'c> },
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Image<'c> {
    pub(super) url: Url<'c>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct File<'c> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filename: Option<&'c str>,
    pub(super) file_data: Url<'c>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Audio<'c> {
    pub(super) data: &'c str,
    pub(super) format: &'c str,
}

/// A URL of the web or of the data itself, which is written without being put together first.
#[derive(Debug, Clone, Copy)]
pub(super) enum Url<'c> {
    Web(&'c str),
    Data { kind: &'c str, data: &'c str },
}

impl Serialize for Url<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Web(url) => serializer.serialize_str(url),
            Self::Data { kind, data } => {
                serializer.collect_str(&format_args!("data:{kind};base64,{data}"))
            }
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct CallObject<'c> {
    pub(super) id: Cow<'c, str>,
    pub(super) r#type: &'static str,
    pub(super) function: Function<'c>,
    /// Google's, on its compatible endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<ExtraContent<'c>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Function<'c> {
    pub(super) name: &'c str,
    pub(super) arguments: &'c str,
}

#[derive(Debug, Serialize)]
pub(super) struct ExtraContent<'c> {
    pub(super) google: Signed<'c>,
}

#[derive(Debug, Serialize)]
pub(super) struct Signed<'c> {
    pub(super) thought_signature: &'c str,
}

#[derive(Debug, Serialize)]
pub(super) struct ToolObject<'c> {
    r#type: &'static str,
    function: ToolFunction<'c>,
}

#[derive(Debug, Serialize)]
struct ToolFunction<'c> {
    name: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'c RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'c> ToolObject<'c> {
    pub(super) fn new(tool: &'c Tool) -> Self {
        Self {
            r#type: "function",
            function: ToolFunction {
                name: &tool.name,
                description: tool.description.as_deref(),
                parameters: tool.schema.as_deref(),
                strict: tool.strict,
            },
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ToolChoice<'c> {
    Word(&'static str),
    Named(NamedFunction<'c>),
}

#[derive(Debug, Serialize)]
pub(super) struct NamedFunction<'c> {
    pub(super) r#type: &'static str,
    pub(super) function: FunctionName<'c>,
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionName<'c> {
    pub(super) name: &'c str,
}

#[derive(Debug, Serialize)]
pub(super) struct FormatObject<'c> {
    pub(super) r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) json_schema: Option<JsonSchema<'c>>,
}

#[derive(Debug, Serialize)]
pub(super) struct JsonSchema<'c> {
    pub(super) name: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<&'c RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) strict: Option<bool>,
}
