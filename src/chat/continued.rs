//! A request that asks another model to go on with an answer that broke off.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Request, Surface};

/// What the other model is told. A turn of the assistant's at the end is gone on with by few models, and
/// refused by some.
const GO_ON: &str = "Your answer was cut off by a technical fault. Go on with it from exactly where \
    it ends: begin with the very next character, repeat nothing, and say nothing about the fault.";

/// `request`, with what was said so far and the wish to go on behind its own turns. `None` where that
/// cannot be asked: no other surface has turns, and a request of another shape is not ours to mend.
pub fn continued(request: &Request, said: &str) -> Option<Request> {
    let mut body: Map<String, Value> = serde_json::from_str(&request.body).ok()?;
    let turns = [("assistant", said), ("user", GO_ON)];
    let list = match request.surface {
        Surface::Chat | Surface::Messages => body.get_mut("messages")?,
        Surface::Responses => body.get_mut("input")?,
        Surface::Completions
        | Surface::Embeddings
        | Surface::CountTokens
        | Surface::Models
        | Surface::Passthrough => return None,
    };
    if let Value::String(text) = list {
        *list = json!([{"role": "user", "content": text}]);
    }
    let list = list.as_array_mut()?;
    list.extend(turns.map(|(role, text)| json!({"role": role, "content": text})));
    let body = serde_json::to_vec(&body).ok()?;
    Request::read(request.surface, Bytes::from(body)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turns_are_followed_by_what_was_said() {
        for (surface, body, turns) in [
            (
                Surface::Chat,
                r#"{"model":"m","stream":true,"seed":12345678901234567890,"messages":[{"role":"user","content":"a"}]}"#,
                "messages",
            ),
            (
                Surface::Messages,
                r#"{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"a"}]}"#,
                "messages",
            ),
            (
                Surface::Responses,
                r#"{"model":"m","stream":true,"input":"a"}"#,
                "input",
            ),
        ] {
            let request = Request::read(surface, Bytes::from_static(body.as_bytes())).unwrap();
            let next = continued(&request, "so far").unwrap();
            assert!(next.stream);
            let next: Value = serde_json::from_str(&next.body).unwrap();
            let roles: Vec<&str> = next[turns]
                .as_array()
                .unwrap()
                .iter()
                .map(|turn| turn["role"].as_str().unwrap())
                .collect();
            assert_eq!(roles, ["user", "assistant", "user"]);
            assert_eq!(next[turns][0]["content"], "a");
            assert_eq!(next[turns][1]["content"], "so far");
        }
        let other = r#"{"model":"m","input":"a"}"#.as_bytes();
        let other = Request::read(Surface::Embeddings, Bytes::from_static(other)).unwrap();
        assert!(continued(&other, "x").is_none());
    }
}
