//! What a request asks for: the few facts that an answer depends on.

use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::behaviour::Feature;
use super::refusal::Refusal;

/// A request with a JSON body that names a model.
pub(super) struct Ask {
    pub(super) model: String,
    pub(super) stream: bool,
    /// Whether the stream ends with a chunk of usage.
    pub(super) usage: bool,
    /// The most tokens that the answer may have.
    pub(super) limit: Option<usize>,
    pub(super) prompt_tokens: usize,
    /// The same for the same bytes: what makes an answer's ids and vectors.
    pub(super) seed: u64,
    pub(super) body: Value,
}

/// What the text of an answer has to look like.
pub(super) enum Form<'a> {
    Text,
    JsonObject,
    JsonSchema(&'a Value),
}

impl Ask {
    /// # Errors
    /// What OpenAI says of a body that is not JSON or names no model.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(bytes).map_err(|_| Refusal::unreadable())?;
        let model = body["model"].as_str().ok_or(Refusal::lacks("model"))?;
        let limit = ["max_completion_tokens", "max_tokens"]
            .into_iter()
            .find_map(|key| body[key].as_u64())
            .and_then(|limit| usize::try_from(limit).ok());
        Ok(Self {
            model: model.to_owned(),
            stream: body["stream"] == true,
            usage: body["stream_options"]["include_usage"] == true,
            limit,
            // Four bytes to a token: near enough for English, and for counting at all.
            prompt_tokens: bytes.len().div_ceil(4),
            seed: seed(bytes),
            body,
        })
    }

    /// Whether the request asks for `feature`.
    pub(super) fn wants(&self, feature: Feature) -> bool {
        match feature {
            Feature::Tools => self.body["tools"]
                .as_array()
                .is_some_and(|tools| !tools.is_empty()),
            Feature::JsonSchema => matches!(self.form(), Form::JsonSchema(_)),
            Feature::StreamUsage => self.usage,
        }
    }

    /// The same request without what asks for `feature`.
    pub(super) fn forget(&mut self, feature: Feature) {
        if !self.wants(feature) {
            return;
        }
        if let Some(body) = self.body.as_object_mut() {
            body.remove(feature.field());
        }
        if feature == Feature::StreamUsage {
            self.usage = false;
        }
    }

    /// Whether a model that wants to call a tool may do so now.
    pub(super) fn takes_tool_call(&self) -> bool {
        let answered = self.body["messages"]
            .as_array()
            .and_then(|messages| messages.last())
            .is_some_and(|message| message["role"] == "tool");
        self.wants(Feature::Tools) && !answered && self.body["tool_choice"] != "none"
    }

    pub(super) fn form(&self) -> Form<'_> {
        let format = &self.body["response_format"];
        match format["type"].as_str() {
            Some("json_schema") => Form::JsonSchema(&format["json_schema"]["schema"]),
            Some("json_object") => Form::JsonObject,
            _ => Form::Text,
        }
    }
}

/// The first eight bytes of the SHA-256: stable across versions of everything.
pub(super) fn seed(bytes: &[u8]) -> u64 {
    let hash = digest(&SHA256, bytes);
    hash.as_ref()
        .iter()
        .take(8)
        .fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_called_only_where_one_is_offered_and_not_yet_answered() {
        for (rest, takes) in [
            (r#""messages":[{"role":"user"}]"#, false),
            (r#""messages":[{"role":"user"}],"tools":[]"#, false),
            (r#""messages":[{"role":"user"}],"tools":[{}]"#, true),
            (r#""messages":[{"role":"tool"}],"tools":[{}]"#, false),
            (r#""messages":[],"tools":[{}],"tool_choice":"none""#, false),
        ] {
            let ask = Ask::read(format!(r#"{{"model":"m",{rest}}}"#).as_bytes()).unwrap();
            assert_eq!(ask.takes_tool_call(), takes, "{rest}");
        }
    }

    #[test]
    fn a_body_that_names_no_model_is_refused() {
        for (body, code) in [
            ("{", Value::Null),
            ("[]", "missing_required_parameter".into()),
            (r#"{"model":7}"#, "missing_required_parameter".into()),
        ] {
            let refusal = Ask::read(body.as_bytes()).err().unwrap();
            assert_eq!(refusal.body()["error"]["code"], code, "{body}");
        }
    }
}
