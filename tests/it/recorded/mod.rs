//! What Anthropic, Google and Amazon really sent, read through the binary by every surface, and what
//! applications really asked, passed on. The recordings are not ours to keep, so they are read from
//! the folder that `PILLION_RECORDINGS` names; without it these tests say so and do nothing.

mod answers;
mod requests;
mod responses;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::support::wire::eventstream;
use crate::support::{Kind, Reply};

/// A wait that a provider asks for is longer than this: nobody sits it out here.
const SHORT: &str = ", timeout: 5s, first_token: 5s, answer: 5s";

/// One exchange.
struct Recording {
    name: String,
    sample: Value,
}

/// The recordings in a folder of these, in the order of their names.
fn recordings(folder: &str) -> Option<Vec<Recording>> {
    let Some(root) = std::env::var_os("PILLION_RECORDINGS") else {
        eprintln!("skipped: PILLION_RECORDINGS names no folder");
        return None;
    };
    let folder = Path::new(&root).join(folder);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| Recording {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        sample: serde_json::from_slice(&fs::read(path).unwrap()).unwrap(),
    };
    Some(paths.iter().map(read).collect())
}

impl Recording {
    fn response(&self) -> &Value {
        &self.sample["response"]
    }

    fn status(&self) -> u16 {
        u16::try_from(self.response()["status"].as_u64().unwrap_or(200)).unwrap()
    }

    /// Where it was asked, without the query.
    fn path(&self) -> &str {
        let request = &self.sample["request"];
        let path = request["path"].as_str().or(request["url"].as_str());
        path.unwrap_or_default().split('?').next().unwrap()
    }

    /// The provider that answered.
    fn kind(&self) -> Kind {
        let name = self.name.trim_start_matches("x-");
        for (begin, kind) in [
            ("anthropic-", Kind::Anthropic),
            ("gemini", Kind::Gemini),
            ("vertex-", Kind::Vertex),
            ("bedrock-invoke-anthropic", Kind::BedrockClaude),
            ("bedrock-", Kind::Bedrock),
        ] {
            if name.starts_with(begin) {
                return kind;
            }
        }
        Kind::OpenAi
    }

    /// Whether the answer is a stream.
    fn streams(&self) -> bool {
        let response = self.response();
        ["sse_text", "eventstream_base64", "events"]
            .iter()
            .any(|form| !response[*form].is_null())
    }

    fn reply(&self) -> Reply {
        let response = self.response();
        let amazons = "application/vnd.amazon.eventstream";
        let mut reply = if let Some(text) = response["sse_text"].as_str() {
            Reply::sse(text)
        } else if let Some(text) = response["eventstream_base64"].as_str() {
            Reply::sse(BASE64_STANDARD.decode(text).unwrap()).header("content-type", amazons)
        } else if let Some(events) = response["events"].as_array() {
            let framed = events.iter().flat_map(|one| {
                let (kind, payload) = one.as_object().unwrap().iter().next().unwrap();
                eventstream::event(kind, payload)
            });
            Reply::sse(framed.collect::<Vec<u8>>()).header("content-type", amazons)
        } else if let Some(text) = response["body_text"].as_str() {
            Reply::status(self.status()).body(text)
        } else {
            Reply::status(self.status()).body(response["body"].to_string())
        };
        for name in ["retry-after", "x-amzn-errortype"] {
            if let Some(value) = response["headers"][name].as_str() {
                reply = reply.header(name, value);
            }
        }
        reply
    }
}
