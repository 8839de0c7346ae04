//! The request for one target: the bytes that came, with the model replaced.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::chat::{Request, UsageOption};
use crate::wire::json::quote;

/// A body in pieces, to be written one after another. The large ones are shared with the caller's.
pub type Pieces = SmallVec<[Bytes; 5]>;

/// `request` for the model that its target names. With `count`, a stream whose caller did not ask
/// for usage is made to carry it; the decoder takes it out again.
pub fn encode(request: &Request, model: &str, count: bool) -> Pieces {
    let body = &request.body;
    let mut edits: SmallVec<[(usize, usize, Bytes); 2]> = SmallVec::new();
    let span = &request.model_span;
    edits.push((span.start, span.end, quote(model).into()));
    if request.stream && count {
        edits.extend(ask_for_usage(request));
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
            let close = request.body.iter().rposition(|&byte| byte == b'}')?;
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
        let pieces = encode(&request, "up\"stream", count);
        String::from_utf8(pieces.concat()).unwrap()
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
