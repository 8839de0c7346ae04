//! Turns as messages, and their parts as blocks.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::cache::Points;
use super::ids::call_id;
use super::media::{self, Names};
use super::tools::empty_object;
use super::wire::{Block, Message, Reasoning, ToolResult, ToolUse};
use crate::chat::thought::signature_for;
use crate::chat::turns::OrderedTurn;
use crate::chat::{Call, CallResult, Part, Role, Thought, Unsupported};
use crate::dialect::Receiver;
use crate::facts::Extras;

/// Writes the turns of one request.
pub(super) struct Writer<'a, 'p> {
    to: Receiver<'a>,
    /// What was thought is shown again.
    thoughts: bool,
    points: &'p mut Points,
    names: Names,
    /// Old calls and their results are told as text: the names of the calls, by id.
    told: Option<HashMap<&'a str, &'a str>>,
}

impl<'a, 'p> Writer<'a, 'p> {
    pub(super) fn new(to: Receiver<'a>, thoughts: bool, points: &'p mut Points) -> Self {
        Self {
            to,
            thoughts,
            points,
            names: Names::default(),
            told: None,
        }
    }

    /// Tells calls and results as text, as a request without tools may not hold them.
    pub(super) fn tell(&mut self, turns: &'a [OrderedTurn<'_>]) {
        let parts = turns.iter().flat_map(|turn| &turn.parts);
        let names = parts.filter_map(|part| match &**part {
            Part::Call(call) => Some((call.id.as_str(), call.name.as_str())),
            _ => None,
        });
        self.told = Some(names.collect());
    }

    pub(super) fn message(
        &mut self,
        turn: &'a OrderedTurn<'_>,
    ) -> Result<Message<'a>, Unsupported> {
        let mut content = Vec::with_capacity(turn.parts.len());
        let mut behind = Vec::new();
        for part in &turn.parts {
            self.part(turn.role, part, &mut content, &mut behind)?;
        }
        content.append(&mut behind);
        let is = |fits: fn(&Block<'_>) -> bool| content.iter().any(fits);
        if is(|block| matches!(block, Block::Document(_)))
            && !is(|block| matches!(block, Block::Text(_)))
        {
            // A document is refused where nothing is said about it.
            content.push(Block::Text("(see the document)".into()));
        }
        if content.is_empty() {
            // All that it held was thought elsewhere.
            content.push(Block::Text("(empty)".into()));
        }
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        Ok(Message { role, content })
    }

    /// `behind` takes what stands in a result and may not be sent there.
    fn part(
        &mut self,
        role: Role,
        part: &'a Part,
        content: &mut Vec<Block<'a>>,
        behind: &mut Vec<Block<'a>>,
    ) -> Result<(), Unsupported> {
        let block = match part {
            Part::Text(text) => Block::Text(text.into()),
            Part::Thought(thought) => match replay(thought, self.to.id) {
                Some(reasoning) if self.thoughts => Block::ReasoningContent(reasoning),
                Some(_) | None => return Ok(()),
            },
            Part::Call(call) if self.told.is_some() => Block::Text(told_call(call).into()),
            Part::Call(call) => Block::ToolUse(ToolUse {
                id: call_id(&call.id, self.to.facts),
                name: &call.name,
                input: input(&call.arguments),
            }),
            Part::Result(result) => return self.result(result, content, behind),
            Part::CachePoint(lifetime) => {
                // It must follow something, and thinking is no place for it.
                let fits = !matches!(
                    content.last(),
                    None | Some(Block::CachePoint(_) | Block::ReasoningContent(_))
                );
                match self.points.next(lifetime).filter(|_| fits) {
                    Some(point) => Block::CachePoint(point),
                    None => return Ok(()),
                }
            }
            Part::Image(_) | Part::File { .. } | Part::Audio { .. } => {
                if role == Role::Assistant {
                    return Err(Unsupported::parameter(
                        "messages",
                        "Only the user's messages may hold images, documents and sound.",
                    ));
                }
                self.media(part)?
            }
        };
        content.push(block);
        Ok(())
    }

    fn media(&mut self, part: &'a Part) -> Result<Block<'a>, Unsupported> {
        match part {
            Part::Image(media) if self.to.facts.images => Ok(Block::Image(media::image(media)?)),
            Part::Image(_) => Err(Unsupported::parameter(
                "messages",
                "This model does not see images.",
            )),
            Part::File { name, media } => Ok(Block::Document(media::document(
                name.as_deref(),
                media,
                &mut self.names,
            )?)),
            Part::Audio { format, data } => Ok(Block::Audio(media::audio(format, data))),
            Part::Text(text) => Ok(Block::Text(text.into())),
            Part::Thought(_) | Part::Call(_) | Part::Result(_) | Part::CachePoint(_) => Err(
                Unsupported::invalid("messages", "A result holds text, images and documents."),
            ),
        }
    }

    fn result(
        &mut self,
        result: &'a CallResult,
        content: &mut Vec<Block<'a>>,
        behind: &mut Vec<Block<'a>>,
    ) -> Result<(), Unsupported> {
        let facts = self.to.facts;
        if let Some(names) = &self.told {
            let name = names.get(result.id.as_str()).copied().unwrap_or_default();
            let what = if result.is_error {
                "failed with"
            } else {
                "returned"
            };
            content.push(Block::Text(format!("[{name} {what}:]").into()));
        }
        let mut blocks = Vec::with_capacity(result.parts.len());
        for part in &result.parts {
            match part {
                Part::Text(text) if text.trim().is_empty() => {}
                Part::CachePoint(_) => {}
                Part::Image(_) if !facts.images_in_results && self.told.is_none() => {
                    if !facts.results_with_text {
                        return Err(Unsupported::parameter(
                            "messages",
                            "This model does not see images in the results of tools.",
                        ));
                    }
                    blocks.push(Block::Text("[the image follows]".into()));
                    behind.push(self.media(part)?);
                }
                part => blocks.push(self.media(part)?),
            }
        }
        // Only these know errors; to others one is said.
        let status = match facts.extras {
            Extras::Claude | Extras::Nova => result.is_error.then_some("error"),
            Extras::None | Extras::OpenAi => {
                if result.is_error && self.told.is_none() {
                    blocks.insert(0, Block::Text("Error:".into()));
                }
                None
            }
        };
        if blocks.is_empty() {
            blocks.push(Block::Text("(no output)".into()));
        }
        if self.told.is_some() {
            content.append(&mut blocks);
        } else {
            content.push(Block::ToolResult(ToolResult {
                tool_use_id: call_id(&result.id, facts),
                content: blocks,
                status,
            }));
        }
        Ok(())
    }
}

/// A thought as it is shown again to the target that had it; `None` for anybody else's.
pub(super) fn replay<'a>(thought: &'a Thought, id: &str) -> Option<Reasoning<'a>> {
    if let Some(redacted) = &thought.redacted {
        return signature_for(redacted, id).map(Reasoning::RedactedContent);
    }
    let signature = signature_for(thought.signature.as_deref()?, id)?;
    Some(Reasoning::ReasoningText {
        text: &thought.text,
        signature,
    })
}

/// The arguments as they came if they are an object. A call that a token limit cut is not, and
/// would be refused for ever.
fn input(arguments: &str) -> Cow<'_, RawValue> {
    let text = arguments.trim();
    let object = text
        .starts_with('{')
        .then(|| serde_json::from_str(text).ok());
    match object.flatten() {
        Some(object) => Cow::Borrowed(object),
        None => Cow::Owned(empty_object()),
    }
}

fn told_call(call: &Call) -> String {
    format!("[{} called with {}]", call.name, call.arguments.trim())
}
