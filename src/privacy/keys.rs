//! What the members of a request hold, by their keys: what names or opens something is no text, and some things
//! cannot be looked at.

/// What cannot be looked at, so that it may hold personal data of every class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unscannable {
    Image,
    Audio,
    Video,
    File,
    /// Base64 where nobody says of what.
    Data,
    /// Text as numbers of tokens.
    Tokens,
    /// What the provider keeps from earlier: a conversation, an answer, a stored prompt.
    State,
}

impl Unscannable {
    /// For a message.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "an image",
            Self::Audio => "sound",
            Self::Video => "a video",
            Self::File => "a file",
            Self::Data => "base64",
            Self::Tokens => "numbers of tokens",
            Self::State => "what the provider keeps from earlier",
        }
    }
}

/// Members that show, play, or point to something outside of the request.
pub(super) fn medium(key: &str) -> Option<Unscannable> {
    Some(match key {
        "image_url" | "image" | "images" => Unscannable::Image,
        "input_audio" | "audio_url" => Unscannable::Audio,
        "video_url" | "video" => Unscannable::Video,
        "file_data" | "file_id" | "file_url" | "file_uri" | "file_ids" | "document_url"
        | "vector_store_ids" => Unscannable::File,
        "previous_response_id" | "conversation" | "container" => Unscannable::State,
        _ => return None,
    })
}

/// Strings that name, point or choose.
pub(super) fn is_structure(key: &str) -> bool {
    matches!(
        key,
        "model"
            | "models"
            | "type"
            | "id"
            | "role"
            | "name"
            | "object"
            | "status"
            | "phase"
            | "call_id"
            | "tool_call_id"
            | "tool_use_id"
            | "item_id"
            | "response_id"
            | "server_label"
            | "finish_reason"
            | "stop_reason"
            | "detail"
            | "format"
            | "encoding_format"
            | "media_type"
            | "tool_choice"
            | "modalities"
            | "include"
            | "betas"
            | "voice"
            | "service_tier"
            | "reasoning_effort"
            | "effort"
            | "verbosity"
            | "truncation"
            | "required"
            | "pattern"
            | "$ref"
            | "$schema"
            | "$id"
    )
}

/// Members by which a request carries what a provider is to show to another server, or a tool is given.
pub(super) fn is_credential(key: &str) -> bool {
    [
        "authorization",
        "authorization_token",
        "headers",
        "api_key",
        "access_token",
        "client_secret",
        "password",
    ]
    .iter()
    .any(|name| key.eq_ignore_ascii_case(name))
}

/// What the provider has signed or sealed, and what is only for it.
pub(super) fn is_opaque(key: &str) -> bool {
    matches!(
        key,
        "signature"
            | "encrypted_content"
            | "encrypted_index"
            | "thought_signature"
            | "cache_control"
            | "logprobs"
            | "logit_bias"
            | "usage"
            | "stream_options"
    )
}
