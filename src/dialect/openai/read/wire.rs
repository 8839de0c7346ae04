//! A chat request as it stands on the wire.
//! <https://platform.openai.com/docs/api-reference/chat/create> (read 2026-11), with the fields that
//! litellm, Portkey and Google's compatible endpoint add to it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Asked;
use crate::chat::asked::{self, note};

/// The fields of a request, and which of them were set.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) messages: Option<Vec<Message>>,
    pub(super) tools: Option<Vec<ToolObject>>,
    pub(super) tool_choice: Option<Form<ChoiceObject>>,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) max_tokens: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u64>,
    pub(super) seed: Option<serde_json::Number>,
    pub(super) presence_penalty: Option<f64>,
    pub(super) frequency_penalty: Option<f64>,
    pub(super) stop: Option<Form<String>>,
    pub(super) response_format: Option<FormatObject>,
    pub(super) reasoning_effort: Option<String>,
    pub(super) thinking: Option<ThinkingObject>,
    pub(super) include_reasoning: Option<bool>,
    pub(super) user: Option<String>,
    pub(super) safety_identifier: Option<String>,
    pub(super) service_tier: Option<String>,
    pub(super) cache_control: Option<CacheControl>,
    pub(super) asked: Asked,
    /// How many members there were. Those beyond [`asked::MOST`] are not read.
    pub(super) members: usize,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(Key(key)) = map.next_key()? {
            fields.members += 1;
            if fields.members > asked::MOST {
                map.next_value::<IgnoredAny>()?;
            } else if fields.take(&key, &mut map)? {
                note(&mut fields.asked, key.into_owned());
            }
        }
        Ok(fields)
    }
}

impl Fields {
    /// Reads the value of one field. Tells whether it asks for anything: null does not, nor does
    /// what every dialect has or does anyway.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        fn put<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
            field: &mut Option<T>,
            map: &mut A,
        ) -> Result<bool, A::Error> {
            *field = map.next_value()?;
            Ok(field.is_some())
        }
        match key {
            "messages" => put(&mut self.messages, map).map(|_| false),
            "max_tokens" => put(&mut self.max_tokens, map).map(|_| false),
            "max_completion_tokens" => put(&mut self.max_completion_tokens, map),
            "include_reasoning" => put(&mut self.include_reasoning, map).map(|_| false),
            "model" | "stream" => map.next_value::<IgnoredAny>().map(|_| false),
            "stream_options" => {
                let options: Option<StreamOptions> = map.next_value()?;
                if options.and_then(|options| options.include_obfuscation) == Some(true) {
                    note(&mut self.asked, "stream_options.include_obfuscation");
                }
                Ok(false)
            }
            "tools" => {
                put(&mut self.tools, map)?;
                Ok(self.tools.as_ref().is_some_and(|tools| !tools.is_empty()))
            }
            "parallel_tool_calls" => {
                put(&mut self.parallel_tool_calls, map)?;
                Ok(self.parallel_tool_calls == Some(false))
            }
            "tool_choice" => put(&mut self.tool_choice, map),
            "temperature" => put(&mut self.temperature, map),
            "top_p" => put(&mut self.top_p, map),
            "top_k" => put(&mut self.top_k, map),
            "seed" => put(&mut self.seed, map),
            "presence_penalty" => put(&mut self.presence_penalty, map),
            "frequency_penalty" => put(&mut self.frequency_penalty, map),
            "stop" => put(&mut self.stop, map),
            "response_format" => put(&mut self.response_format, map),
            "reasoning_effort" => put(&mut self.reasoning_effort, map),
            "thinking" => put(&mut self.thinking, map),
            "user" => put(&mut self.user, map),
            "safety_identifier" => put(&mut self.safety_identifier, map),
            "service_tier" => put(&mut self.service_tier, map),
            "cache_control" => put(&mut self.cache_control, map),
            "n" => Ok(map.next_value::<Option<u64>>()?.is_some_and(|n| n != 1)),
            "top_logprobs" => Ok(map.next_value::<Option<u64>>()?.is_some_and(|n| n != 0)),
            "logprobs" | "store" => Ok(map.next_value::<Option<bool>>()? == Some(true)),
            "modalities" => {
                let modalities: Option<Vec<String>> = map.next_value()?;
                Ok(modalities.is_some_and(|list| list.iter().any(|kind| kind != "text")))
            }
            _ => Ok(map.next_value::<Said>()? != Said::Nothing),
        }
    }
}

/// Whether a value that is not read says anything: null and an empty list do not.
#[derive(PartialEq, Eq)]
enum Said {
    Nothing,
    Something,
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let inner = raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']'));
        let empty = inner.is_some_and(|inner| inner.trim().is_empty());
        Ok(if empty || raw == "null" {
            Self::Nothing
        } else {
            Self::Something
        })
    }
}

/// A key, borrowed where it holds no escape.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

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

#[derive(Debug, serde::Deserialize)]
struct StreamOptions {
    include_obfuscation: Option<bool>,
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
