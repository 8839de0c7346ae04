//! Turns as the messages of a request.

use std::borrow::Cow;

use super::body::{
    Audio, CallObject, Content, ExtraContent, File, Function, Image, Message, PartObject, Signed,
    Url,
};
use super::ids;
use crate::chat::turns::{Ordered, OrderedTurn};
use crate::chat::{Call, CallResult, Media, Part, Role, Unsupported, thought};
use crate::dialect::Receiver;

/// What a result says in the place of an image, since the schema gives results text alone.
const BELOW: &str = "[image attached below]";
const FILE_BELOW: &str = "[file attached below]";

/// The messages of `ordered`: instructions in one, each result in one of its own.
///
/// # Errors
/// An image or a file that cannot be said in this dialect, or not to this model.
pub(super) fn write<'c>(
    ordered: &'c Ordered<'c>,
    to: Receiver<'_>,
) -> Result<Vec<Message<'c>>, Unsupported> {
    let mut messages = Vec::with_capacity(ordered.turns.len() + 1);
    let system = joined(ordered.system.iter().filter_map(|part| match &**part {
        Part::Text(text) => Some(text.as_str()),
        _ => None,
    }));
    if !system.is_empty() {
        messages.push(Message::System { content: system });
    }
    for turn in &ordered.turns {
        match turn.role {
            Role::User => user(turn, to, &mut messages)?,
            Role::Assistant => messages.extend(assistant(turn, to)),
        }
    }
    Ok(messages)
}

/// Results, each in a message, and what else the user says behind all of them.
fn user<'c>(
    turn: &'c OrderedTurn<'c>,
    to: Receiver<'_>,
    messages: &mut Vec<Message<'c>>,
) -> Result<(), Unsupported> {
    let (mut shown, mut said) = (Vec::new(), Vec::new());
    for part in &turn.parts {
        match &**part {
            Part::Result(result) => {
                messages.push(self::result(result, to, &mut shown)?);
            }
            part => said.extend(object(part, to)?),
        }
    }
    shown.append(&mut said);
    if !shown.is_empty() {
        messages.push(Message::User {
            content: content(shown),
        });
    }
    Ok(())
}

/// A result, with what is no text in it put behind the results.
fn result<'c>(
    result: &'c CallResult,
    to: Receiver<'_>,
    shown: &mut Vec<PartObject<'c>>,
) -> Result<Message<'c>, Unsupported> {
    let mut texts = Vec::with_capacity(result.parts.len());
    for part in &result.parts {
        match part {
            Part::Text(text) => texts.push(text.as_str()),
            part => {
                texts.extend(match part {
                    Part::Image(_) => Some(BELOW),
                    Part::File { .. } => Some(FILE_BELOW),
                    _ => None,
                });
                shown.extend(object(part, to)?);
            }
        }
    }
    let mut content = joined(texts.into_iter());
    if result.is_error && !content.starts_with("Error:") {
        content = Cow::Owned(format!("Error: {content}"));
    }
    Ok(Message::Tool {
        tool_call_id: ids::call(&result.id, to.facts.call_ids),
        content,
    })
}

/// `None` where nothing is left to say without its thoughts.
fn assistant<'c>(turn: &'c OrderedTurn<'c>, to: Receiver<'_>) -> Option<Message<'c>> {
    let (mut texts, mut tool_calls, mut thoughts) = (Vec::new(), Vec::new(), Vec::new());
    for part in &turn.parts {
        match &**part {
            Part::Text(text) => texts.push(PartObject::Text { text }),
            Part::Call(call) => tool_calls.push(self::call(call, to)),
            // What another model thought is none of this one's thoughts.
            Part::Thought(thought) if thought.is_of(to.id) => thoughts.push(thought.text.as_str()),
            Part::Image(_)
            | Part::File { .. }
            | Part::Audio { .. }
            | Part::Thought(_)
            | Part::Result(_)
            | Part::CachePoint(_) => {}
        }
    }
    let content = (!texts.is_empty()).then(|| content(texts));
    // Where nothing is left of it, the empty one is taken and none at all is not.
    let back = to.facts.reasoning_back && !tool_calls.is_empty();
    (content.is_some() || !tool_calls.is_empty()).then(|| Message::Assistant {
        content,
        reasoning_content: back.then(|| joined(thoughts.into_iter())),
        tool_calls,
    })
}

fn call<'c>(call: &'c Call, to: Receiver<'_>) -> CallObject<'c> {
    let signature = call.signature.as_deref();
    let own = signature.and_then(|sealed| thought::signature_for(sealed, to.id));
    CallObject {
        id: ids::call(&call.id, to.facts.call_ids),
        r#type: "function",
        function: Function {
            name: &call.name,
            // A call that its limit cut would make every later request fail.
            arguments: match call.arguments.trim() {
                text if text.starts_with('{') && crate::wire::json::check(text).is_ok() => {
                    &call.arguments
                }
                _ => "{}",
            },
        },
        extra_content: own.map(|thought_signature| ExtraContent {
            google: Signed { thought_signature },
        }),
    }
}

/// A part of what a user says.
fn object<'c>(part: &'c Part, to: Receiver<'_>) -> Result<Option<PartObject<'c>>, Unsupported> {
    Ok(match part {
        Part::Text(text) => Some(PartObject::Text { text }),
        Part::Image(media) => {
            if !to.facts.images {
                return Err(unsupported("This model does not take images."));
            }
            let url = match media {
                Media::Inline { kind, data } => Url::Data { kind, data },
                Media::Url(url) => Url::Web(url),
                Media::Id(_) => return Err(elsewhere()),
            };
            Some(PartObject::ImageUrl {
                image_url: Image { url },
            })
        }
        Part::File { name, media } => {
            let file_data = match media {
                Media::Inline { kind, data } => Url::Data { kind, data },
                Media::Url(_) => {
                    return Err(unsupported(
                        "Files are given to this provider inline, not by a URL.",
                    ));
                }
                Media::Id(_) => return Err(elsewhere()),
            };
            Some(PartObject::File {
                file: File {
                    filename: name.as_deref(),
                    file_data,
                },
            })
        }
        Part::Audio { format, data } => Some(PartObject::InputAudio {
            input_audio: Audio { data, format },
        }),
        Part::Thought(_) | Part::Call(_) | Part::Result(_) | Part::CachePoint(_) => None,
    })
}

fn content(parts: Vec<PartObject<'_>>) -> Content<'_> {
    match parts[..] {
        [PartObject::Text { text }] => Content::Text(text),
        _ => Content::Parts(parts),
    }
}

/// Lines, one text after another.
fn joined<'c>(mut texts: impl Iterator<Item = &'c str>) -> Cow<'c, str> {
    let mut all = Cow::Borrowed(texts.next().unwrap_or_default());
    for text in texts {
        let all = all.to_mut();
        all.push('\n');
        all.push_str(text);
    }
    all
}

fn unsupported(message: &'static str) -> Unsupported {
    Unsupported::parameter("messages", message)
}

fn elsewhere() -> Unsupported {
    unsupported("A file is named by an id that only the provider it was sent to knows.")
}
