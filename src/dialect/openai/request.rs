//! The request for one target: the bytes that came, with the model replaced, our seals taken out,
//! and at `OpenAI` itself what other models thought.

use bytes::Bytes;
use smallvec::SmallVec;

use super::unseal::Thoughts;
use crate::chat::{Request, Surface, UsageOption};
use crate::wire::edit::Edits;
use crate::wire::json::quote;

/// A body in pieces, to be written one after another. The large ones are shared with the caller's.
pub type Pieces = SmallVec<[Bytes; 5]>;

/// `request` for the model that its target names. With `count`, a stream whose caller did not ask
/// for usage is made to carry it; the decoder takes it out again.
pub fn encode(request: &Request, model: &str, count: bool, thoughts: Thoughts) -> Pieces {
    let body = request.body.as_bytes();
    let mut edits: SmallVec<[(usize, usize, Bytes); 2]> = SmallVec::new();
    let span = &request.model_span;
    edits.push((span.start, span.end, quote(model).into()));
    if request.stream && count {
        edits.extend(ask_for_usage(request));
    }
    if request.surface == Surface::Chat && thoughts.may_be_cut(body) {
        return Pieces::from_iter([cut(request, thoughts, &edits)]);
    }
    edits.sort_by_key(|edit| edit.0);
    let mut pieces = Pieces::new();
    let mut done = 0;
    for (start, end, with) in edits {
        pieces.push(body.slice(done..start));
        pieces.push(with);
        done = end;
    }
    pieces.push(body.slice(done..));
    pieces
}

/// The body in one piece, without what must not be in its history.
fn cut(request: &Request, thoughts: Thoughts, others: &[(usize, usize, Bytes)]) -> Bytes {
    let text = &request.body;
    let mut edits = Edits::default();
    // What the walk cannot read stays as it came: the provider will say what is wrong with it.
    if thoughts.edits(text, &mut edits).is_err() {
        edits = Edits::default();
    }
    for (start, end, with) in others {
        edits.replace(*start..*end, String::from_utf8_lossy(with).into_owned());
    }
    let mut body = Vec::with_capacity(text.len() + 64);
    edits.apply(text, |piece| body.extend_from_slice(piece.as_bytes()));
    body.into()
}

/// What to write, and over what, so that `stream_options.include_usage` is true.
fn ask_for_usage(request: &Request) -> Option<(usize, usize, Bytes)> {
    match &request.usage {
        UsageOption::Asked => None,
        UsageOption::Declined(span) => Some((span.start, span.end, Bytes::from_static(b"true"))),
        UsageOption::Unset { open, empty } => {
            let text: &[u8] = if *empty {
                b"\"include_usage\":true"
            } else {
                b"\"include_usage\":true,"
            };
            Some((open + 1, open + 1, Bytes::from_static(text)))
        }
        UsageOption::Absent { null: Some(span) } => Some((
            span.start,
            span.end,
            Bytes::from_static(b"{\"include_usage\":true}"),
        )),
        UsageOption::Absent { null: None } => {
            // The body is an object with at least `model` in it, so a member may follow the last.
            let close = request.body.rfind('}')?;
            let text = b",\"stream_options\":{\"include_usage\":true}";
            Some((close, close, Bytes::from_static(text)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Surface;

    fn encoded(body: &str, count: bool) -> String {
        let request = Request::read(Surface::Chat, body.to_owned().into()).unwrap();
        let pieces = encode(&request, "up\"stream", count, Thoughts::Unsealed);
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[test]
    fn what_others_thought_stays_where_it_is_known_and_goes_where_it_is_not() {
        let said = |thought: &str| {
            format!(
                "{{\"model\":\"a\", \"messages\":[{{\"role\":\"user\",\"content\":\"\\\"reasoning_content\\\"\"}}, {{\"role\":\"assistant\"{thought}, \"content\":\"So\" ,\"name\":\"x\"}}]}}"
            )
        };
        for thought in [
            ",\"reasoning_content\":\"hm\"",
            ",\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"}]",
            ",\"reasoning_content\":null,\"thinking_blocks\":[]",
            "",
        ] {
            let body = said(thought);
            let request = Request::read(Surface::Chat, body.clone().into()).unwrap();
            let sent = |thoughts| {
                let pieces = encode(&request, "m", false, thoughts);
                String::from_utf8(pieces.concat()).unwrap()
            };
            assert_eq!(sent(Thoughts::Unsealed), body.replace("\"a\"", "\"m\""));
            assert_eq!(sent(Thoughts::Wanted), body.replace("\"a\"", "\"m\""));
            assert_eq!(sent(Thoughts::None), said("").replace("\"a\"", "\"m\""));
        }
    }

    #[test]
    fn only_the_model_changes() {
        let body = "{ \"x\":1e400,\n \"model\" : \"support-chat\", \"messages\":[], \"seed\":10063845344384584000 }";
        assert_eq!(
            encoded(body, true),
            body.replace("\"support-chat\"", "\"up\\\"stream\"")
        );
    }

    #[test]
    fn our_seals_do_not_go_out_and_the_rest_stays_as_it_came() {
        let seal = "pillion:1:a:sig";
        let block =
            format!("{{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"{seal}\"}}");
        let extra = format!("{{\"google\":{{\"thought_signature\":\"{seal}\"}}}}");
        let long = "x".repeat(70);
        for (what, sealed, clean) in [
            (
                "a message's thinking",
                format!(
                    "{{\"role\":\"assistant\", \"thinking_blocks\":[{block}] ,\"reasoning_content\":\"hm\",\"content\":\"So\" ,\"x\":1e400}}"
                ),
                "{\"role\":\"assistant\",\"content\":\"So\" ,\"x\":1e400}".into(),
            ),
            (
                "a call's, and the rest of the call",
                format!(
                    "{{\"reasoning_content\":\"hm\",\"tool_calls\":[{{\"id\":\"{long}\",\"extra_content\":{extra},\"function\":{{\"name\":\"f\",\"arguments\":\"{{}}\"}}}},{{\"id\":\"b:c\"}}]}}"
                ),
                format!(
                    "{{\"tool_calls\":[{{\"id\":\"{long}\",\"function\":{{\"name\":\"f\",\"arguments\":\"{{}}\"}}}},{{\"id\":\"b:c\"}}]}}"
                ),
            ),
            (
                "a function's",
                format!(
                    "{{\"tool_calls\":[{{\"function\":{{\"thought_signature\":\"{seal}\",\"name\":\"f\"}}}}]}}"
                ),
                "{\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]}".into(),
            ),
            (
                "litellm's",
                format!(
                    "{{\"content\":\"x\",\"provider_specific_fields\":{{\"thinking_blocks\":[{block}]}}}}"
                ),
                "{\"content\":\"x\"}".into(),
            ),
        ] {
            let other = "{\"role\":\"assistant\",\"reasoning_content\":\"mine\",\"content\":\"pillion:\",\"extra_content\":{\"google\":{\"thought_signature\":\"theirs\"}}}";
            let body = |message: &str| {
                format!("{{ \"messages\":[ {message} ,{other}], \"model\":\"a\",\"stream\":true }}")
            };
            assert_eq!(
                encoded(&body(&sealed), true),
                encoded(&body(&clean), true),
                "{what}"
            );
            assert_eq!(
                encoded(&body(&sealed), false),
                body(&clean).replace("\"a\"", "\"up\\\"stream\""),
                "{what}"
            );
        }
    }

    #[test]
    fn who_wants_thinking_back_with_calls_is_given_an_empty_one_for_anothers() {
        let seal = "pillion:1:a:sig";
        let calls = format!(
            "[{{\"id\":\"a\",\"extra_content\":{{\"google\":{{\"thought_signature\":\"{seal}\"}}}}}}]"
        );
        let block =
            format!("{{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"{seal}\"}}");
        let body = format!(
            "{{\"model\":\"a\",\"messages\":[{{\"reasoning_content\":\"hm\",\"tool_calls\":{calls}}},{{\"reasoning_content\":\"hm\",\"thinking_blocks\":[{block}],\"content\":\"x\"}},{{\"reasoning_content\":\"mine\",\"tool_calls\":[{{\"id\":\"b\"}}]}}]}}"
        );
        let request = Request::read(Surface::Chat, body.into()).unwrap();
        let sent = |thoughts| {
            let pieces = encode(&request, "m", false, thoughts);
            serde_json::from_slice::<serde_json::Value>(&pieces.concat()).unwrap()["messages"]
                .take()
        };
        let expected = |first: serde_json::Value| {
            serde_json::json!([
                first,
                { "content": "x" },
                { "reasoning_content": "mine", "tool_calls": [{ "id": "b" }] },
            ])
        };
        let call = serde_json::json!({ "tool_calls": [{ "id": "a" }] });
        assert_eq!(sent(Thoughts::Unsealed), expected(call.clone()));
        let mut given = call;
        given["reasoning_content"] = "".into();
        assert_eq!(sent(Thoughts::Wanted), expected(given));
    }

    #[test]
    fn usage_is_asked_for_in_every_form() {
        for options in [
            "",
            ",\"stream_options\":null",
            ",\"stream_options\":{}",
            ",\"stream_options\":{\"include_obfuscation\":false}",
            ",\"stream_options\":{\"include_usage\":false}",
            ",\"stream_options\":{\"include_usage\":true}",
        ] {
            for body in [
                format!("{{\"model\":\"a\",\"stream\":true,\"messages\":[]{options}}}"),
                format!("{{\"stream\":true,\"messages\":[]{options},\"model\":\"a\"}}\n"),
            ] {
                let sent: serde_json::Value = serde_json::from_str(&encoded(&body, true)).unwrap();
                assert_eq!(sent["stream_options"]["include_usage"], true, "{body}");
                assert_eq!(sent["model"], "up\"stream");
                let untouched: serde_json::Value =
                    serde_json::from_str(&encoded(&body, false)).unwrap();
                let came: serde_json::Value = serde_json::from_str(&body).unwrap();
                assert_eq!(untouched["stream_options"], came["stream_options"]);
            }
        }
    }
}
