//! Answers with tool calls: none goes out twice, and each whole or not at all.

use super::*;
use crate::dialect::openai::{Decoder, Shape, Wanted};

const NAMES: [&str; 3] = ["weather", "clock", "stock"];

impl World {
    /// An answer with tool calls, whole or cut somewhere, through the real decoder. Behind its commit
    /// point nothing is tried again, so no call can go out twice.
    pub(super) fn calls(&mut self, request: usize, mut permit: Permit, class: Class) {
        let stream = stream_with_calls();
        let cut = if class == Class::Ok {
            stream.len()
        } else {
            self.rng.usize(..stream.len())
        };
        let mut decoder = Decoder::new(Wanted {
            shape: Shape::Chat,
            choices: 1,
            model: None,
            usage: false,
            moderation: false,
            seed: 1,
        });
        let mut out = Vec::new();
        let mut end = Ok(());
        for chunk in stream[..cut].chunks(self.rng.usize(1..200)) {
            end = end.and_then(|()| decoder.feed(chunk));
            if decoder.released() {
                out.extend(decoder.output());
            }
        }
        let end = end.and_then(|()| decoder.end());
        let out = String::from_utf8(out).unwrap();
        let asking = &mut self.requests[request];
        for name in NAMES {
            if out.contains(&format!("\"name\":\"{name}\"")) {
                assert!(!asking.released.iter().any(|before| before == name));
                asking.released.push(name.to_owned());
            }
        }
        let named = NAMES
            .iter()
            .filter(|name| out.contains(&format!("call_{name}")));
        let parts = out.matches(r#""arguments":"\"}""#).count();
        assert_eq!(parts, named.count(), "a call leaves whole or not at all");
        if decoder.released() || end.is_ok() {
            // It is the caller's now, whole or broken.
            permit.first_token(self.now);
            match &end {
                Ok(()) => answer(permit, self.now),
                Err(failure) => permit.failed(failure, self.now),
            }
            self.answered += usize::from(end.is_ok());
            self.finish(request);
            return;
        }
        let failure = end.unwrap_err();
        let target = Arc::clone(permit.target());
        permit.failed(&failure, self.now);
        let asking = &mut self.requests[request];
        if let Some(schedule) = &mut asking.schedule
            && asking.running.is_empty()
        {
            schedule.failed(failure, &target, false, self.now, &self.health);
            self.look(request);
        }
    }
}

/// Three calls, each in four fragments.
fn stream_with_calls() -> Vec<u8> {
    let frame = |delta: &str, finish: &str| {
        format!(
            r#"data: {{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
        ) + "\n\n"
    };
    let mut stream = frame(r#"{"role":"assistant","content":null}"#, "null");
    for (index, name) in NAMES.iter().enumerate() {
        stream += &frame(
            &format!(
                r#"{{"tool_calls":[{{"index":{index},"id":"call_{name}","type":"function","function":{{"name":"{name}","arguments":""}}}}]}}"#
            ),
            "null",
        );
        for part in [r#"{\"of\":"#, r#"\"a thing"#, r#"\"}"#] {
            stream += &frame(
                &format!(
                    r#"{{"tool_calls":[{{"index":{index},"function":{{"arguments":"{part}"}}}}]}}"#
                ),
                "null",
            );
        }
    }
    stream += &frame("{}", "\"tool_calls\"");
    (stream + "data: [DONE]\n\n").into_bytes()
}
