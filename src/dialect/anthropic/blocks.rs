//! Turns of a conversation as messages: text, images, documents, calls and what came of them, and
//! what the model thought.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::encode::Form;
use super::ids::Ids;
use super::request::{Block, Cache, Message, Source};
use crate::chat::turns::{Ordered, OrderedTurn};
use crate::chat::{Call, CallResult, Lifetime, Media, Part, Role, Thought, Unsupported, thought};
use crate::dialect::Receiver;

/// The most cache points of one request.
const MAX_CACHE_POINTS: usize = 4;

/// Whether, and how, cache points are written.
#[derive(Debug)]
pub(super) struct Caches {
    kept: bool,
    lifetimes: bool,
    /// Some were asked for and are not written, or not for as long.
    pub(super) lost: bool,
}

impl Caches {
    /// The clouds know no lifetimes.
    pub(super) fn new(kept: bool, form: Form) -> Self {
        Self {
            kept,
            lifetimes: form == Form::Direct,
            lost: false,
        }
    }

    pub(super) fn point<'a>(&mut self, lifetime: &'a Lifetime) -> Option<Cache<'a>> {
        let asked = lifetime.as_deref();
        let ttl = asked.filter(|ttl| self.lifetimes && matches!(*ttl, "5m" | "1h"));
        // Five minutes is what it is anyway.
        self.lost |= !self.kept || asked != ttl && asked != Some("5m");
        self.kept.then_some(Cache { ttl })
    }

    /// Of too many points the first go: each covers all that stands before it.
    pub(super) fn limit(&mut self, points: Vec<&mut Option<Cache<'_>>>) {
        let set = points.into_iter().filter(|point| point.is_some());
        let set: Vec<_> = set.collect();
        let excess = set.len().saturating_sub(MAX_CACHE_POINTS);
        for point in set.into_iter().take(excess) {
            *point = None;
            self.lost = true;
        }
    }

    /// Notes a point on the last of `blocks`.
    fn mark<'a>(&mut self, blocks: &mut [Block<'a>], lifetime: &'a Lifetime) {
        if let Some(place) = blocks.last_mut().and_then(Block::cache) {
            *place = self.point(lifetime);
        }
    }
}

/// Writes turns for one target.
#[derive(Debug)]
pub(super) struct Writer<'a, 'r> {
    pub(super) to: Receiver<'r>,
    pub(super) form: Form,
    /// Whether what the model thought is shown to it again.
    pub(super) thoughts: bool,
    pub(super) caches: &'r mut Caches,
    pub(super) ids: Ids<'a>,
}

impl<'a> Writer<'a, '_> {
    /// The instructions.
    pub(super) fn system(&mut self, ordered: &'a Ordered<'_>) -> Vec<Block<'a>> {
        let mut blocks = Vec::with_capacity(ordered.system.len());
        for part in &ordered.system {
            match &**part {
                Part::Text(text) => {
                    let text = if self.form == Form::Direct {
                        text
                    } else {
                        crate::chat::without_billing(text)
                    };
                    if !text.is_empty() {
                        blocks.push(Block::text(text));
                    }
                }
                Part::CachePoint(lifetime) => self.caches.mark(&mut blocks, lifetime),
                // Instructions are text alone, by the type's own promise.
                Part::Image(_)
                | Part::File { .. }
                | Part::Audio { .. }
                | Part::Thought(_)
                | Part::Call(_)
                | Part::Result(_) => {}
            }
        }
        blocks
    }

    /// The turns.
    ///
    /// # Errors
    /// Something in them cannot be said to this target.
    pub(super) fn messages(
        &mut self,
        ordered: &'a Ordered<'_>,
    ) -> Result<Vec<Message<'a>>, Unsupported> {
        let mut messages: Vec<Message<'a>> = Vec::with_capacity(ordered.turns.len());
        for turn in &ordered.turns {
            let content = self.turn(turn)?;
            let role = match turn.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            push(&mut messages, Message { role, content });
        }
        Ok(messages)
    }

    fn turn(&mut self, turn: &'a OrderedTurn<'_>) -> Result<Vec<Block<'a>>, Unsupported> {
        let mut blocks = Vec::with_capacity(turn.parts.len());
        if turn.role == Role::Assistant {
            self.ids.turn();
        }
        for part in &turn.parts {
            match &**part {
                Part::CachePoint(lifetime) => self.caches.mark(&mut blocks, lifetime),
                Part::Thought(thought) => blocks.extend(self.thought(thought)),
                Part::Call(call) => blocks.push(self.call(call)),
                Part::Result(result) => blocks.push(self.result(result)?),
                Part::Image(_) | Part::File { .. } if turn.role == Role::Assistant => {
                    return Err(Unsupported::parameter(
                        "messages",
                        "An assistant's message cannot hold images or files.",
                    ));
                }
                part
                @ (Part::Text(_) | Part::Image(_) | Part::File { .. } | Part::Audio { .. }) => {
                    blocks.push(self.said(part)?);
                }
            }
        }
        Ok(blocks)
    }

    fn said(&self, part: &'a Part) -> Result<Block<'a>, Unsupported> {
        match part {
            Part::Text(text) => Ok(Block::text(text)),
            Part::Image(media) => self.image(media),
            Part::File { name, media } => self.document(name.as_deref(), media),
            Part::Audio { .. } => Err(Unsupported::parameter(
                "messages",
                "This provider's models take no audio.",
            )),
            Part::Thought(_) | Part::Call(_) | Part::Result(_) | Part::CachePoint(_) => {
                Err(Unsupported::invalid(
                    "messages",
                    "A tool's result holds text, images and files alone.",
                ))
            }
        }
    }

    /// Only what this very target thought, and signed; anything else is an error to it.
    fn thought(&self, thought: &'a Thought) -> Option<Block<'a>> {
        if !self.thoughts {
            return None;
        }
        let bare = |sealed: &'a String| thought::signature_for(sealed, self.to.id);
        if let Some(redacted) = &thought.redacted {
            return bare(redacted).map(|data| Block::RedactedThinking { data });
        }
        let signature = thought.signature.as_ref().and_then(bare)?;
        Some(Block::Thinking {
            thinking: &thought.text,
            signature,
        })
    }

    fn call(&mut self, call: &'a Call) -> Block<'a> {
        // What is no object was cut by a token limit, and would end this conversation for good.
        let input: Option<&RawValue> = serde_json::from_str(call.arguments.trim()).ok();
        let input = input.filter(|input| input.get().starts_with('{'));
        Block::ToolUse {
            id: self.ids.call(&call.id),
            name: &call.name,
            input: input.unwrap_or_else(|| empty_object()),
            cache_control: None,
        }
    }

    fn result(&mut self, result: &'a CallResult) -> Result<Block<'a>, Unsupported> {
        let parts = result.parts.iter();
        let parts = parts.filter(|part| match part {
            Part::Text(text) => !text.trim().is_empty(),
            Part::CachePoint(_) => false,
            Part::Image(_)
            | Part::File { .. }
            | Part::Audio { .. }
            | Part::Thought(_)
            | Part::Call(_)
            | Part::Result(_) => true,
        });
        let content: Result<Vec<Block<'a>>, Unsupported> =
            parts.map(|part| self.said(part)).collect();
        Ok(Block::ToolResult {
            tool_use_id: self.ids.result(&result.id),
            content: content?,
            is_error: result.is_error,
            cache_control: None,
        })
    }

    fn image(&self, media: &'a Media) -> Result<Block<'a>, Unsupported> {
        if !self.to.facts.images {
            return Err(Unsupported::parameter(
                "messages",
                "This model takes no images.",
            ));
        }
        let source = match media {
            Media::Inline { kind, data } => Source::Base64 {
                media_type: image_kind(kind, data).ok_or_else(|| {
                    Unsupported::parameter(
                        "messages",
                        "This provider takes images as JPEG, PNG, GIF or WebP.",
                    )
                })?,
                data,
            },
            Media::Url(url) => self.url(url)?,
            Media::Id(_) => return Err(foreign_id()),
        };
        Ok(Block::Image {
            source,
            cache_control: None,
        })
    }

    fn document(&self, name: Option<&'a str>, media: &'a Media) -> Result<Block<'a>, Unsupported> {
        let source = match media {
            Media::Inline { kind, data } if kind == "application/pdf" => Source::Base64 {
                media_type: kind,
                data,
            },
            Media::Inline { kind, .. } if kind.starts_with("image/") => return self.image(media),
            Media::Inline { kind, data } => Source::Text {
                media_type: "text/plain",
                data: plain_text(kind, data).ok_or_else(|| {
                    Unsupported::parameter(
                        "messages",
                        "This provider takes files as PDF or plain text.",
                    )
                })?,
            },
            Media::Url(url) => self.url(url)?,
            Media::Id(_) => return Err(foreign_id()),
        };
        Ok(Block::Document {
            source,
            title: name.filter(|name| !name.is_empty()),
            cache_control: None,
        })
    }

    fn url(&self, url: &'a str) -> Result<Source<'a>, Unsupported> {
        match self.form {
            Form::Direct => Ok(Source::Url { url }),
            Form::InCloud { .. } => Err(Unsupported::parameter(
                "messages",
                "This provider fetches nothing: send images and files as base64 data.",
            )),
        }
    }
}

/// Takes out what the model thought: while it does not think, it refuses that too.
pub(super) fn without_thinking(messages: Vec<Message<'_>>) -> Vec<Message<'_>> {
    let mut rest = Vec::with_capacity(messages.len());
    for mut message in messages {
        message.content.retain(|block| !block.is_thinking());
        push(&mut rest, message);
    }
    rest
}

/// Adds a message, unless it held nothing but thoughts that are not shown.
fn push<'a>(messages: &mut Vec<Message<'a>>, message: Message<'a>) {
    match messages.last_mut() {
        _ if message.content.is_empty() => {}
        Some(last) if last.role == message.role => last.content.extend(message.content),
        _ => messages.push(message),
    }
}

fn foreign_id() -> Unsupported {
    Unsupported::parameter(
        "messages",
        "A file's id is known to its own provider alone: send the file's data.",
    )
}

/// `{}`, which is JSON; what stands for it if it were not is never written.
fn empty_object() -> &'static RawValue {
    serde_json::from_str("{}").unwrap_or(RawValue::NULL)
}

/// What an image is, by its first bytes: one that is called something else is refused.
fn image_kind<'a>(kind: &'a str, data: &str) -> Option<&'a str> {
    // In base64: `RIFF`, then from the ninth byte on `WEBP`.
    let webp = data.starts_with("UklGR") && data.get(11..16).is_some_and(|at| at.ends_with("RUJQ"));
    match kind {
        _ if data.starts_with("/9j/") => Some("image/jpeg"),
        _ if data.starts_with("iVBORw0KGgo") => Some("image/png"),
        _ if data.starts_with("R0lGOD") => Some("image/gif"),
        _ if webp => Some("image/webp"),
        "image/jpg" => Some("image/jpeg"),
        "image/jpeg" | "image/png" | "image/gif" | "image/webp" => Some(kind),
        _ => None,
    }
}

fn plain_text(kind: &str, data: &str) -> Option<String> {
    if !kind.starts_with("text/") && kind != "application/json" {
        return None;
    }
    String::from_utf8(STANDARD.decode(data).ok()?).ok()
}
