//! `content` as a list of parts, which some servers send where the schema has a string.

use serde_json::Value;

use crate::wire::json::quote;

/// The text and the thinking of a list of parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    text: Option<String>,
    pub(super) reasoning: Option<String>,
}

impl Parts {
    pub(super) fn is_empty(&self) -> bool {
        self.text.as_deref().unwrap_or_default().is_empty()
            && self.reasoning.as_deref().unwrap_or_default().is_empty()
    }

    /// The `content` to write in the list's place.
    pub(super) fn content(&self) -> String {
        self.text.as_deref().map_or_else(|| "null".into(), quote)
    }
}

/// Mistral: `[{"type":"thinking","thinking":[{"type":"text","text":…}]},{"type":"text","text":…}]`.
pub(super) fn flatten(list: &str) -> Parts {
    let mut parts = Parts::default();
    if let Ok(Value::Array(items)) = serde_json::from_str(list) {
        for item in &items {
            match item.get("thinking").or_else(|| item.get("summary")) {
                Some(thinking) => texts(thinking, &mut parts.reasoning),
                None => texts(item, &mut parts.text),
            }
        }
    }
    parts
}

fn texts(value: &Value, into: &mut Option<String>) {
    match value {
        Value::String(text) => into.get_or_insert_default().push_str(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => {
            if let Some(text) = fields.get("text") {
                texts(text, into);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_thinking_are_told_apart() {
        let list = r#"[{"type":"thinking","thinking":[{"type":"text","text":"hm"},{"type":"text","text":"m"}]},{"type":"text","text":"Hi"}]"#;
        let parts = flatten(list);
        assert_eq!(
            (parts.content().as_str(), parts.reasoning.as_deref()),
            ("\"Hi\"", Some("hmm"))
        );
        assert!(flatten("[]").is_empty());
        assert_eq!(flatten("[]").content(), "null");
    }
}
