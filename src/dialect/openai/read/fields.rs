//! The fields of a chat request, each read by its name, and which of them ask for anything.
//!
//! A map is walked by hand because that is to be known of fields, too, that are not read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Asked;
use super::wire::{
    CacheControl, ChoiceObject, Form, FormatObject, Message, ThinkingObject, ToolObject,
};
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

#[derive(Debug, serde::Deserialize)]
struct StreamOptions {
    include_obfuscation: Option<bool>,
}
