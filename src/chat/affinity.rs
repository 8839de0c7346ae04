//! What all requests of one conversation have in common, so that they go the same way.

use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Request;
use super::drawn::drawn;

const CONVERSATION: &str = "x-pillion-tag-conversation";

/// The members that can tell, as they came.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    prompt_cache_key: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    /// Of Messages.
    #[serde(borrow)]
    system: Option<&'a RawValue>,
    /// Of Responses.
    #[serde(borrow)]
    instructions: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<Vec<&'a RawValue>>,
    /// Of Responses, a text or a list; of embeddings.
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
}

/// A number that is the same for all requests of a conversation: from the header that names it, else
/// from `prompt_cache_key` or `user`, else from how it began. `None` where nothing tells.
pub fn affinity(request: &Request, headers: &HeaderMap) -> Option<u64> {
    if let Some(named) = named(headers) {
        return Some(named);
    }
    let members: Members<'_> = serde_json::from_str(&request.body).ok()?;
    let said = |value: Option<&'_ RawValue>| {
        value
            .map(|value| value.get().to_owned())
            .filter(|text| !matches!(&**text, "null" | "\"\""))
    };
    if let Some(named) = said(members.prompt_cache_key).or_else(|| said(members.user)) {
        return Some(drawn([named.as_bytes()]));
    }
    let listed: Option<Vec<&RawValue>> = members
        .input
        .and_then(|input| serde_json::from_str(input.get()).ok());
    let turns = members.messages.or(listed).unwrap_or_default();
    let first = |wanted: &[&str]| {
        let mut turns = turns.iter().map(|turn| turn.get());
        turns.find(|turn| is_of(turn, wanted)).map(str::to_owned)
    };
    let system = said(members.system)
        .or_else(|| said(members.instructions))
        .or_else(|| first(&["\"system\"", "\"developer\""]));
    let user = first(&["\"user\""]).or_else(|| said(members.input));
    let system = system.unwrap_or_default();
    user.map(|user| drawn([system.as_bytes(), user.as_bytes()]))
}

/// The same, from the header alone.
pub(super) fn named(headers: &HeaderMap) -> Option<u64> {
    let named = headers.get(CONVERSATION)?.as_bytes();
    // One that is empty names nothing.
    (!named.is_empty()).then(|| drawn([named]))
}

fn is_of(turn: &str, roles: &[&str]) -> bool {
    let message: Result<Message<'_>, _> = serde_json::from_str(turn);
    let role = message.ok().and_then(|message| message.role);
    role.is_some_and(|role| roles.contains(&role.get()))
}

#[cfg(test)]
mod tests {
    use super::super::Surface;
    use super::*;

    fn of(surface: Surface, body: &str, tag: Option<&str>) -> Option<u64> {
        let request = Request::read(surface, body.to_owned().into()).unwrap();
        let mut headers = HeaderMap::new();
        if let Some(tag) = tag {
            headers.insert(CONVERSATION, tag.parse().unwrap());
        }
        affinity(&request, &headers)
    }

    #[test]
    fn a_conversation_is_known_again_when_it_has_grown() {
        for (surface, before, after) in [
            (
                Surface::Chat,
                r#"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}]}"#,
                r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"model":"m","temperature":1}"#,
            ),
            (
                Surface::Responses,
                r#"{"model":"m","instructions":"s","input":[{"role":"user","content":"a"}]}"#,
                r#"{"model":"m","instructions":"s","input":[{"role":"user","content":"a"},{"type":"reasoning","summary":[]},{"role":"user","content":"c"}]}"#,
            ),
            (
                Surface::Messages,
                r#"{"model":"m","max_tokens":9,"system":"s","messages":[{"role":"user","content":"a"}]}"#,
                r#"{"model":"m","max_tokens":9,"system":"s","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}"#,
            ),
        ] {
            let first = of(surface, before, None);
            assert!(first.is_some());
            assert_eq!(first, of(surface, after, None));
            let other = before.replace("\"a\"", "\"x\"");
            assert_ne!(first, of(surface, &other, None));
            let other = before.replace("\"s\"", "\"x\"");
            assert_ne!(first, of(surface, &other, None));
        }
    }

    #[test]
    fn a_name_goes_before_the_text() {
        let body = |text: &str, more: &str| {
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]{more}}}"#)
        };
        let chat = |body: &str, tag| of(Surface::Chat, body, tag);
        let tagged = chat(&body("a", ""), Some("t"));
        assert_eq!(tagged, chat(&body("b", r#","user":"u""#), Some("t")));
        let unnamed = chat(&body("a", r#","user":"u""#), Some(""));
        assert_eq!(unnamed, chat(&body("b", r#","user":"u""#), None));
        let cached = chat(&body("a", r#","user":"u","prompt_cache_key":"k""#), None);
        assert_eq!(cached, chat(&body("b", r#","prompt_cache_key":"k""#), None));
        let user = chat(&body("a", r#","user":"u","prompt_cache_key":null"#), None);
        assert_eq!(user, chat(&body("b", r#","user":"u""#), None));
        assert_ne!(user, cached);
        assert_ne!(chat(&body("a", ""), None), chat(&body("b", ""), None));
    }
}
