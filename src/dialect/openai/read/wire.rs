//! The values of a chat request as they stand on the wire.
//! <https://platform.openai.com/docs/api-reference/chat/create> (read 2026-11), with the fields that
//! litellm, Portkey and Google's compatible endpoint add to it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A value that may be a string, a list or an object.
#[derive(Debug)]
pub(super) enum Form<T> {
    Text(String),
    List(Vec<T>),
    One(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Form<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FormVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for FormVisitor<T> {
            type Value = Form<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a list or an object")
            }

            fn visit_str<E>(self, text: &str) -> Result<Form<T>, E> {
                Ok(Form::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Form<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Form::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Form<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Form::One)
            }
        }
        deserializer.deserialize_any(FormVisitor(PhantomData))
    }
}

/// Anthropic's, as litellm and `OpenRouter` pass it on.
#[derive(Debug, serde::Deserialize)]
pub(super) struct CacheControl {
    pub(super) ttl: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Message {
    pub(super) role: Option<RoleName>,
    pub(super) content: Option<Form<PartObject>>,
    pub(super) name: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) audio: Option<IgnoredAny>,
    pub(super) tool_calls: Option<Vec<CallObject>>,
    pub(super) function_call: Option<FunctionCall>,
    pub(super) tool_call_id: Option<String>,
    /// litellm's, and what [`super::super::show`] writes.
    pub(super) thinking_blocks: Option<Vec<ThinkingBlock>>,
    pub(super) cache_control: Option<CacheControl>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RoleName {
    Developer,
    System,
    User,
    Assistant,
    Tool,
    Function,
}

/// A part of a message: of every type, the fields that it may have.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PartObject {
    #[serde(rename = "type")]
    pub(super) kind: Option<PartType>,
    pub(super) text: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) image_url: Option<Form<ImageUrl>>,
    pub(super) file: Option<FileObject>,
    pub(super) input_audio: Option<AudioObject>,
    pub(super) cache_control: Option<CacheControl>,
    pub(super) prompt_cache_breakpoint: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PartType {
    Text,
    Refusal,
    ImageUrl,
    File,
    InputAudio,
    /// Mistral's and litellm's, in an assistant's content.
    #[serde(alias = "redacted_thinking", alias = "reasoning")]
    Thinking,
    #[serde(other)]
    Other,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct ImageUrl {
    pub(super) url: Option<String>,
    pub(super) detail: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct FileObject {
    pub(super) file_data: Option<String>,
    pub(super) file_id: Option<String>,
    pub(super) filename: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct AudioObject {
    pub(super) data: Option<String>,
    pub(super) format: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct CallObject {
    #[serde(rename = "type")]
    pub(super) kind: Option<ToolType>,
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionCall>,
    /// Google's.
    pub(super) extra_content: Option<ExtraContent>,
    /// litellm's.
    pub(super) provider_specific_fields: Option<Signed>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct FunctionCall {
    pub(super) name: Option<String>,
    pub(super) arguments: Option<String>,
    /// Portkey's.
    pub(super) thought_signature: Option<String>,
    pub(super) provider_specific_fields: Option<Signed>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct ExtraContent {
    pub(super) google: Option<Signed>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Signed {
    pub(super) thought_signature: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct ThinkingBlock {
    pub(super) thinking: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) data: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct ToolObject {
    #[serde(rename = "type")]
    pub(super) kind: Option<ToolType>,
    pub(super) function: Option<FunctionObject>,
    pub(super) cache_control: Option<CacheControl>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ToolType {
    Function,
    Custom,
    #[serde(other)]
    Other,
}

#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct FunctionObject {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) parameters: Option<Box<RawValue>>,
    pub(super) strict: Option<bool>,
    pub(super) cache_control: Option<CacheControl>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct ChoiceObject {
    #[serde(rename = "type")]
    pub(super) kind: Option<ChoiceType>,
    pub(super) function: Option<Named>,
    pub(super) allowed_tools: Option<AllowedTools>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChoiceType {
    Function,
    Custom,
    AllowedTools,
    #[serde(other)]
    Other,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Named {
    pub(super) name: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct AllowedTools {
    pub(super) mode: Mode,
    pub(super) tools: Vec<AllowedTool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Auto,
    Required,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct AllowedTool {
    pub(super) function: Option<Named>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct FormatObject {
    #[serde(rename = "type")]
    pub(super) kind: Option<FormatType>,
    pub(super) json_schema: Option<JsonSchema>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormatType {
    Text,
    JsonObject,
    JsonSchema,
    #[serde(other)]
    Other,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct JsonSchema {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) schema: Option<Box<RawValue>>,
    pub(super) strict: Option<bool>,
}

/// Anthropic's, as litellm's callers and `DeepSeek`'s send it.
#[derive(Debug, serde::Deserialize)]
pub(super) struct ThinkingObject {
    #[serde(rename = "type")]
    pub(super) kind: ThinkingType,
    pub(super) budget_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ThinkingType {
    Disabled,
    BetweenTools,
    Adaptive,
    Enabled,
}
