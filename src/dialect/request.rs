//! A request for one target: the caller's bytes where both speak the same, else its meaning in the
//! target's words.

use std::borrow::Cow;
use std::sync::OnceLock;

use bytes::Bytes;
use smallvec::SmallVec;

use super::naming::Words;
use super::{Dialect, Dropped, Encoded, Receiver, anthropic, bedrock, gemini, openai, responses};
use crate::chat::{Conversation, Request, Surface, Unsupported};

/// A body in pieces, to be written one after another. The large ones are shared with the caller's.
pub type Pieces = SmallVec<[Bytes; 5]>;

/// What a request means: read once, and only if a target must be told in other words.
#[derive(Debug, Default)]
pub struct Meaning(OnceLock<Result<Conversation, Unsupported>>);

impl Meaning {
    /// # Errors
    /// What no translation can tell: malformed, or something that only the surface's own provider has.
    pub fn of(&self, request: &Request) -> Result<&Conversation, Unsupported> {
        let read = self.0.get_or_init(|| read(request));
        read.as_ref().map_err(Clone::clone)
    }

    /// The names that its caller used, as far as it was read.
    fn asked(&self) -> &[Cow<'static, str>] {
        let read = self.0.get().and_then(|read| read.as_ref().ok());
        read.map_or(&[], |conversation| &conversation.asked)
    }
}

fn read(request: &Request) -> Result<Conversation, Unsupported> {
    let text = &request.body;
    match request.surface {
        Surface::Chat => openai::read(text),
        Surface::Responses => {
            let conversation = responses::read(text)?;
            if conversation.turns.is_empty() && conversation.system.is_empty() {
                return Err(Unsupported::invalid("input", "`input` is missing."));
            }
            Ok(conversation)
        }
        Surface::CountTokens => anthropic::surface::read(text),
        Surface::Messages => {
            let conversation = anthropic::surface::read(text)?;
            match conversation.max_tokens {
                Some(_) => Ok(conversation),
                None => Err(Unsupported::invalid(
                    "max_tokens",
                    "`max_tokens` is missing.",
                )),
            }
        }
        Surface::Completions | Surface::Embeddings | Surface::Models | Surface::Passthrough => {
            Err(unserved())
        }
    }
}

/// What a target says that has nothing like this surface.
pub fn unserved() -> Unsupported {
    Unsupported::parameter(
        "model",
        "The provider that this route leads to does not serve this endpoint.",
    )
}

/// What a target's provider is known to take, beside its dialect.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    pub dialect: Dialect,
    /// Whether it is one of the large clouds, which run others' models under their own rules.
    pub cloud: Cloud,
    /// Whether `stream_options.include_usage` may be added.
    pub stream_usage: bool,
    /// Of its dialect, whether it is `OpenAI` itself or `OpenAI` at Azure: these know the newer names,
    /// such as `max_completion_tokens`, and no fields that others added.
    pub openai: bool,
    /// The caller's `anthropic-version`, which a cloud wants in the body.
    pub version: Option<&'a str>,
    /// The caller's `anthropic-beta`, likewise.
    pub betas: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    None,
    Vertex,
    Bedrock,
}

/// The body for one target, and what of the request it is not told, in its caller's words.
///
/// # Errors
/// What this target cannot be told; another may.
pub fn encode(
    request: &Request,
    meaning: &Meaning,
    to: Receiver<'_>,
    manner: Manner<'_>,
) -> Result<(Pieces, Dropped), Unsupported> {
    let written = write(request, meaning, to, manner);
    let words = Words {
        surface: request.surface,
        asked: meaning.asked(),
    };
    match written {
        Ok((pieces, dropped)) => Ok((pieces, words.dropped(dropped))),
        Err(refused) => Err(words.refused(refused)),
    }
}

fn write(
    request: &Request,
    meaning: &Meaning,
    to: Receiver<'_>,
    manner: Manner<'_>,
) -> Result<(Pieces, Dropped), Unsupported> {
    let encoded = match (request.surface, manner.dialect) {
        (Surface::Chat | Surface::Completions | Surface::Embeddings, Dialect::OpenAi) => {
            // A model that wants its thinking back is none of OpenAI's, whoever serves it.
            let thoughts = match (to.facts.reasoning_back, manner.openai) {
                (true, _) => openai::Thoughts::Wanted,
                (false, true) => openai::Thoughts::None,
                (false, false) => openai::Thoughts::Unsealed,
            };
            return Ok((
                openai::encode(request, to.model, manner.stream_usage, thoughts),
                Dropped::new(),
            ));
        }
        (Surface::Responses, Dialect::Responses) => {
            return Ok((responses::encode(request, to.model), Dropped::new()));
        }
        (
            Surface::Messages | Surface::CountTokens,
            Dialect::Anthropic | Dialect::AnthropicInCloud,
        ) => {
            return splice(request, to, manner);
        }
        (Surface::CountTokens, Dialect::Gemini) => {
            gemini::count::encode_count(meaning.of(request)?, to, gemini_form(manner))
        }
        (Surface::Embeddings, _) => return Err(unserved()),
        (Surface::CountTokens, Dialect::Converse) => {
            bedrock::encode_count(meaning.of(request)?, to)
        }
        (_, Dialect::OpenAi) => {
            let options = openai::Options {
                newer_names: manner.openai,
                usage: manner.stream_usage,
            };
            openai::write(meaning.of(request)?, to, options)
        }
        (_, Dialect::Anthropic | Dialect::AnthropicInCloud) => {
            anthropic::encode(meaning.of(request)?, to, anthropic_form(manner))
        }
        (_, Dialect::Gemini) => gemini::encode(meaning.of(request)?, to, gemini_form(manner)),
        (_, Dialect::Converse) => bedrock::encode(meaning.of(request)?, to),
        // No target has this dialect for another surface than its own.
        (_, Dialect::Responses) => Err(unserved()),
    };
    let Encoded { body, dropped } = encoded?;
    Ok((std::iter::once(body).collect(), dropped))
}

/// A request of Anthropic's own surface for a target that speaks it too.
fn splice(
    request: &Request,
    to: Receiver<'_>,
    manner: Manner<'_>,
) -> Result<(Pieces, Dropped), Unsupported> {
    use anthropic::surface::{Form, Spliced, cloud_betas, splice_request};
    let betas: SmallVec<[&str; 4]> = match manner.cloud {
        // There a header takes them, which is put on with the others.
        Cloud::None | Cloud::Vertex => SmallVec::new(),
        Cloud::Bedrock => manner.betas.into_iter().flat_map(cloud_betas).collect(),
    };
    let newer = manner.version.filter(|version| *version == NEWER_VERSION);
    let form = match manner.cloud {
        Cloud::None => Form::Direct,
        Cloud::Vertex => Form::InCloud {
            version: newer.unwrap_or(VERTEX_VERSION),
            stream_in_body: true,
            betas: &betas,
        },
        Cloud::Bedrock => Form::InCloud {
            version: newer.unwrap_or(BEDROCK_VERSION),
            stream_in_body: false,
            betas: &betas,
        },
    };
    let Spliced {
        pieces,
        mut dropped,
    } = splice_request(request, to, form)?;
    if manner.cloud != Cloud::None
        && let Some(asked) = manner.betas
        && cloud_betas(asked).count() < asked.split(',').count()
    {
        super::support::drop_field(&mut dropped, "anthropic_beta");
    }
    Ok((pieces, dropped))
}

/// A version of Anthropic's API that takes no sampling parameters; all others are as one to us.
const NEWER_VERSION: &str = "2026-10-21";
/// What the clouds call the version before that.
const VERTEX_VERSION: &str = "vertex-2023-10-16";
const BEDROCK_VERSION: &str = "bedrock-2023-05-31";

fn anthropic_form(manner: Manner<'_>) -> anthropic::Form {
    match manner.cloud {
        Cloud::None => anthropic::Form::Direct,
        Cloud::Vertex => anthropic::Form::InCloud {
            version: VERTEX_VERSION,
            stream_in_body: true,
        },
        Cloud::Bedrock => anthropic::Form::InCloud {
            version: BEDROCK_VERSION,
            stream_in_body: false,
        },
    }
}

fn gemini_form(manner: Manner<'_>) -> gemini::Form {
    match manner.cloud {
        Cloud::None | Cloud::Bedrock => gemini::Form::AiStudio,
        Cloud::Vertex => gemini::Form::Vertex,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Families;

    fn told(surface: Surface, body: &str) -> Result<Dropped, Unsupported> {
        let request = Request::read(surface, body.to_owned().into()).unwrap();
        let facts = Families::built_in().of("gemini-2.0-flash");
        let to = Receiver {
            id: "gemini/g",
            model: "gemini-2.0-flash",
            facts: &facts,
        };
        let manner = Manner {
            dialect: Dialect::Gemini,
            cloud: Cloud::None,
            stream_usage: true,
            openai: false,
            version: None,
            betas: None,
        };
        encode(&request, &Meaning::default(), to, manner).map(|(_, dropped)| dropped)
    }

    #[test]
    fn what_was_thought_goes_to_whom_it_may_be_of_use() {
        let body = r#"{"model":"m","messages":[{"role":"assistant","reasoning_content":"hm","content":"x"}]}"#;
        for (openai, model, kept) in [
            (true, "gpt-5", false),
            (true, "deepseek-v4-pro", true),
            (false, "gpt-5", true),
            (false, "deepseek-v4-pro", true),
        ] {
            let request = Request::read(Surface::Chat, body.into()).unwrap();
            let facts = Families::built_in().of(model);
            let to = Receiver {
                id: "p/m",
                model,
                facts: &facts,
            };
            let manner = Manner {
                dialect: Dialect::OpenAi,
                cloud: Cloud::None,
                stream_usage: true,
                openai,
                version: None,
                betas: None,
            };
            let (pieces, dropped) = encode(&request, &Meaning::default(), to, manner).unwrap();
            let sent = String::from_utf8(pieces.concat()).unwrap();
            let whole = body.replace("\"m\"", &format!("\"{model}\""));
            let expected = if kept {
                whole
            } else {
                whole.replace(r#","reasoning_content":"hm""#, "")
            };
            assert_eq!(sent, expected, "{openai} {model}");
            assert!(dropped.is_empty());
        }
    }

    #[test]
    fn a_caller_is_told_of_its_own_fields() {
        let tool = r#""name":"f","description":"d""#;
        let chat = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"user":"u","stop":["",""],"max_completion_tokens":10000000,"reasoning_effort":"high","tools":[{{"type":"function","function":{{{tool}}}}}],"parallel_tool_calls":false}}"#
        );
        let messages = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"metadata":{{"user_id":"u"}},"stop_sequences":["",""],"max_tokens":10000000,"output_config":{{"effort":"high"}},"tools":[{{{tool}}}],"tool_choice":{{"type":"auto","disable_parallel_tool_use":true}}}}"#
        );
        let responses = format!(
            r#"{{"model":"m","input":"x","user":"u","max_output_tokens":10000000,"reasoning":{{"effort":"high"}},"tools":[{{"type":"function",{tool}}}],"parallel_tool_calls":false}}"#
        );
        for (surface, body, names) in [
            (
                Surface::Chat,
                chat,
                &[
                    "max_completion_tokens",
                    "parallel_tool_calls",
                    "reasoning_effort",
                    "stop",
                    "user",
                ][..],
            ),
            (
                Surface::Messages,
                messages,
                &[
                    "max_tokens",
                    "metadata.user_id",
                    "output_config.effort",
                    "stop_sequences",
                    "tool_choice.disable_parallel_tool_use",
                ],
            ),
            (
                Surface::Responses,
                responses,
                &[
                    "max_output_tokens",
                    "parallel_tool_calls",
                    "reasoning.effort",
                    "user",
                ],
            ),
        ] {
            let mut dropped = told(surface, &body).unwrap();
            dropped.sort();
            assert_eq!(dropped.as_slice(), names, "{surface:?}");
        }
    }

    #[test]
    fn a_caller_is_refused_its_own_field() {
        let many = r#"["a","b","c","d","e","f"]"#;
        let json = r#""format":{"type":"json_schema","schema":{"type":"object"}}"#;
        let tool = r#"[{"name":"f","input_schema":{"type":"object"}}]"#;
        let start =
            r#""model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]"#.to_owned();
        for (surface, body, name) in [
            (
                Surface::Chat,
                format!("{{{start},\"stop\":{many}}}"),
                "stop",
            ),
            (
                Surface::Messages,
                format!("{{{start},\"stop_sequences\":{many}}}"),
                "stop_sequences",
            ),
            (
                Surface::Messages,
                format!("{{{start},\"output_config\":{{{json}}},\"tools\":{tool}}}"),
                "output_config.format",
            ),
            (
                Surface::Responses,
                format!(
                    r#"{{"model":"m","input":"x","text":{{{json}}},"tools":[{{"type":"function","name":"f"}}]}}"#
                ),
                "text.format",
            ),
        ] {
            let refused = told(surface, &body).unwrap_err();
            assert_eq!(refused.param, name, "{}", refused.message);
        }
    }
}
