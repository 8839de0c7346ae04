//! The messages of a request as instructions and turns, in the order in which they came.

use super::media;
use super::wire::{
    CallObject, Form, FunctionCall, Message, PartObject, PartType, RoleName, Signed, ThinkingBlock,
    ToolType,
};
use super::{Asked, user};
use crate::chat::asked::note;
use crate::chat::{Call, CallResult, Conversation, Media, Part, Role, Thought, Turn, Unsupported};

/// What litellm writes between the id of a call and the signature of the thought behind it.
const PACKED: &str = "__thought__";

/// Adds what `messages` say to `conversation`.
///
/// # Errors
/// A message that is none, or a part that no other dialect knows.
pub(super) fn read(
    messages: Vec<Message>,
    conversation: &mut Conversation,
    asked: &mut Asked,
) -> Result<(), Unsupported> {
    conversation.turns.reserve(messages.len());
    let mut reader = Reader {
        asked,
        at: 0,
        function_calls: 0,
    };
    for (at, message) in messages.into_iter().enumerate() {
        reader.at = at;
        reader.message(message, conversation)?;
    }
    Ok(())
}

struct Reader<'a> {
    asked: &'a mut Asked,
    /// Of the message that is being read.
    at: usize,
    /// How many calls of the deprecated form, which has no ids, there have been.
    function_calls: usize,
}

impl Reader<'_> {
    fn message(&mut self, message: Message, into: &mut Conversation) -> Result<(), Unsupported> {
        let Some(role) = message.role else {
            return Err(self.invalid("role", "A message must have a role."));
        };
        let named = message.name.is_some();
        match role {
            RoleName::System | RoleName::Developer => {
                self.system(message, &mut into.system)?;
            }
            RoleName::User => {
                let mut parts = self.parts(message.content, role)?;
                self.cache(message.cache_control, &mut parts);
                into.turns.push(user(parts));
            }
            RoleName::Assistant => {
                let parts = self.assistant(message)?;
                into.turns.push(Turn {
                    role: Role::Assistant,
                    parts,
                });
            }
            RoleName::Tool | RoleName::Function => {
                let parts = self.result(message, role)?;
                into.turns.push(user(parts));
                return Ok(()); // The name of a result is that of its call.
            }
        }
        if named {
            note(self.asked, "messages.name");
        }
        Ok(())
    }

    fn system(&mut self, message: Message, system: &mut Vec<Part>) -> Result<(), Unsupported> {
        let parts = self.parts(message.content, RoleName::System)?;
        let before = system.len();
        for part in parts {
            match part {
                Part::Text(text) if text.is_empty() => {}
                // A point behind nothing marks nothing.
                Part::CachePoint(_) if system.is_empty() => {}
                part => system.push(part),
            }
        }
        if system.len() > before {
            self.cache(message.cache_control, system);
        }
        Ok(())
    }

    fn assistant(&mut self, message: Message) -> Result<Vec<Part>, Unsupported> {
        if message.audio.is_some() {
            note(self.asked, "messages.audio");
        }
        let blocks = message.thinking_blocks.unwrap_or_default();
        let mut parts: Vec<Part> = blocks.into_iter().filter_map(thought).collect();
        parts.append(&mut self.parts(message.content, RoleName::Assistant)?);
        parts.extend(message.refusal.map(Part::Text));
        self.cache(message.cache_control, &mut parts);
        let calls = message.tool_calls.unwrap_or_default();
        for (index, call) in calls.into_iter().enumerate() {
            let call = self.call(index, call)?;
            parts.push(Part::Call(call));
        }
        if let Some(function) = message.function_call {
            self.function_calls += 1;
            let call = made(function, self.function_id(), None);
            parts.push(Part::Call(
                call.map_err(|why| self.invalid("function_call.name", why))?,
            ));
        }
        Ok(parts)
    }

    fn call(&self, index: usize, call: CallObject) -> Result<Call, Unsupported> {
        let field = |name: &str| format!("tool_calls[{index}].{name}");
        match call.kind.unwrap_or(ToolType::Function) {
            ToolType::Function => {}
            ToolType::Custom | ToolType::Other => {
                return Err(Unsupported::parameter(
                    self.path(&field("type")),
                    "Calls of custom tools are supported by OpenAI alone.",
                ));
            }
        }
        let Some(id) = call.id.filter(|id| !id.is_empty()) else {
            return Err(self.invalid(&field("id"), "A tool call must have an id."));
        };
        let Some(function) = call.function else {
            return Err(self.invalid(&field("function"), "A tool call must name its function."));
        };
        let signed = |signed: Option<Signed>| signed.and_then(|signed| signed.thought_signature);
        let signature = signed(call.extra_content.and_then(|extra| extra.google))
            .or_else(|| signed(call.provider_specific_fields));
        let call = made(function, id, signature);
        call.map_err(|why| self.invalid(&field("function.name"), why))
    }

    fn result(&mut self, message: Message, role: RoleName) -> Result<Vec<Part>, Unsupported> {
        let id = match (message.tool_call_id, role) {
            (None, RoleName::Function) => self.function_id(),
            (Some(id), _) if !id.is_empty() => unpacked(id).0,
            _ => {
                let why = "A tool's message must name the call it answers.";
                return Err(self.invalid("tool_call_id", why));
            }
        };
        let (mut parts, mut points) = (Vec::new(), Vec::new());
        for part in self.parts(message.content, role)? {
            match part {
                Part::CachePoint(_) => points.push(part),
                part => parts.push(part),
            }
        }
        self.cache(message.cache_control, &mut points);
        let result = Part::Result(CallResult {
            id,
            parts,
            is_error: false,
        });
        Ok([result].into_iter().chain(points.pop()).collect())
    }

    /// The id of the last call of the deprecated form.
    fn function_id(&self) -> String {
        format!("call_function_{}", self.function_calls)
    }

    fn parts(
        &mut self,
        content: Option<Form<PartObject>>,
        role: RoleName,
    ) -> Result<Vec<Part>, Unsupported> {
        let objects = match content {
            None => return Ok(Vec::new()),
            // An assistant that only calls sends an empty text.
            Some(Form::Text(text)) if text.is_empty() && role == RoleName::Assistant => {
                return Ok(Vec::new());
            }
            Some(Form::Text(text)) => return Ok(vec![Part::Text(text)]),
            Some(Form::List(objects)) => objects,
            Some(Form::One(object)) => vec![object],
        };
        let mut parts = Vec::with_capacity(objects.len());
        for (index, mut object) in objects.into_iter().enumerate() {
            let cache = object.cache_control.take();
            if object.prompt_cache_breakpoint.is_some() {
                note(self.asked, "prompt_cache_breakpoint");
            }
            parts.extend(self.part(index, object, role)?);
            self.cache(cache, &mut parts);
        }
        Ok(parts)
    }

    fn part(
        &mut self,
        index: usize,
        object: PartObject,
        role: RoleName,
    ) -> Result<Option<Part>, Unsupported> {
        let Some(kind) = object.kind else {
            let why = "A part of a message must have a type.";
            return Err(self.invalid(&format!("content[{index}].type"), why));
        };
        let missing = |reader: &Self, field: &str| {
            let why = format!("`{field}` must be set in a part of this type.");
            reader.invalid(&format!("content[{index}].{field}"), why)
        };
        let of_user = role == RoleName::User;
        let of_tool = matches!(role, RoleName::Tool | RoleName::Function);
        match kind {
            PartType::Text => match object.text {
                Some(text) => Ok(Some(Part::Text(text))),
                None => Err(missing(self, "text")),
            },
            PartType::Refusal if role == RoleName::Assistant => match object.refusal {
                Some(refusal) => Ok(Some(Part::Text(refusal))),
                None => Err(missing(self, "refusal")),
            },
            // What an assistant thought is said in `thinking_blocks`, with its signature.
            PartType::Thinking if role == RoleName::Assistant => Ok(None),
            PartType::ImageUrl if of_user || of_tool => {
                let (url, detail) = match object.image_url {
                    Some(Form::Text(url)) => (Some(url), None),
                    Some(Form::One(image)) => (image.url, image.detail),
                    Some(Form::List(_)) | None => (None, None),
                };
                if detail.is_some_and(|detail| detail != "auto") {
                    note(self.asked, "image_url.detail");
                }
                let Some(url) = url else {
                    return Err(missing(self, "image_url"));
                };
                let image = media::image(url);
                let image = image.map_err(|why| {
                    let field = format!("content[{index}].image_url.url");
                    self.invalid(&field, format!("`image_url.url` {why}."))
                })?;
                Ok(Some(Part::Image(image)))
            }
            PartType::File if of_user || of_tool => {
                let Some(file) = object.file else {
                    return Err(missing(self, "file"));
                };
                let media = match (file.file_data, file.file_id) {
                    (Some(data), _) => media::file(data).map_err(|why| {
                        let field = format!("content[{index}].file.file_data");
                        self.invalid(&field, format!("`file.file_data` {why}."))
                    })?,
                    (None, Some(id)) => Media::Id(id),
                    (None, None) => return Err(missing(self, "file.file_data")),
                };
                let name = file.filename;
                Ok(Some(Part::File { name, media }))
            }
            PartType::InputAudio if of_user => match object.input_audio {
                Some(audio) => match (audio.format, audio.data) {
                    (Some(format), Some(data)) => Ok(Some(Part::Audio { format, data })),
                    _ => Err(missing(self, "input_audio")),
                },
                None => Err(missing(self, "input_audio")),
            },
            PartType::Other => Err(Unsupported::parameter(
                self.path(&format!("content[{index}].type")),
                "Parts of this type are not supported by the provider that this route leads to.",
            )),
            PartType::Refusal
            | PartType::Thinking
            | PartType::ImageUrl
            | PartType::File
            | PartType::InputAudio => {
                let why = "A message of this role cannot have parts of this type.";
                Err(self.invalid(&format!("content[{index}].type"), why))
            }
        }
    }

    fn cache(&mut self, cache: Option<super::wire::CacheControl>, parts: &mut Vec<Part>) {
        if let Some(cache) = cache {
            note(self.asked, "cache_control");
            parts.push(cache.into());
        }
    }

    fn path(&self, field: &str) -> String {
        format!("messages[{}].{field}", self.at)
    }

    fn invalid(&self, field: &str, why: impl Into<std::borrow::Cow<'static, str>>) -> Unsupported {
        Unsupported::invalid(self.path(field), why)
    }
}

/// A block of thinking that can be shown again: one that is signed, or opaque.
fn thought(block: ThinkingBlock) -> Option<Part> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (signature, redacted) = (given(block.signature), given(block.data));
    (signature.is_some() || redacted.is_some()).then(|| {
        Part::Thought(Thought {
            text: block.thinking.unwrap_or_default(),
            signature,
            redacted,
        })
    })
}

fn made(
    function: FunctionCall,
    id: String,
    signature: Option<String>,
) -> Result<Call, &'static str> {
    let Some(name) = function.name.filter(|name| !name.is_empty()) else {
        return Err("A tool call must name its function.");
    };
    let (id, packed) = unpacked(id);
    let signature = signature
        .or(function.thought_signature)
        .or(function
            .provider_specific_fields
            .and_then(|signed| signed.thought_signature))
        .or(packed)
        .filter(|signature| !signature.is_empty());
    Ok(Call {
        id,
        name,
        arguments: function.arguments.unwrap_or_default(),
        whole: true,
        signature,
    })
}

/// An id without the signature that litellm packs into it.
fn unpacked(mut id: String) -> (String, Option<String>) {
    let Some(at) = id.find(PACKED).filter(|at| *at > 0) else {
        return (id, None);
    };
    let signature = id.split_off(at);
    (id, Some(signature[PACKED.len()..].to_owned()))
}
