//! A target's stream as callers of each surface are shown it.

use std::sync::LazyLock;

use pillion::chat::{Request, Surface, Usage};
use pillion::dialect::answer::{Part, Reader};
use pillion::dialect::request::Cloud;
use pillion::dialect::{Dialect, Shown};
use serde::de::IgnoredAny;

use crate::{Outcome, Step, broken, frames, whole, within};

/// The surfaces whose answers come as streams.
pub const SURFACES: [Surface; 3] = [Surface::Chat, Surface::Responses, Surface::Messages];

/// The most bytes that may be held for one that came. A part of an answer can be a dozen bytes, and
/// a frame of its own in another dialect has some hundred.
const HELD: usize = 1024;

pub fn reader(surface: Surface, dialect: Dialect, cloud: Cloud) -> Reader {
    Reader {
        part: Part::Whole,
        surface,
        dialect,
        cloud,
        shown: Shown {
            model: "route".into(),
            target: "provider/model".into(),
            created: 1,
            usage: true,
            seed: 1,
        },
        expose_model: false,
        names: Vec::new(),
    }
}

/// A request that asks for nothing in particular.
pub fn request(surface: Surface, stream: bool) -> Request {
    let body = format!(
        r#"{{"model":"route","stream":{stream},"stream_options":{{"include_usage":true}},"messages":[],"input":"x"}}"#
    );
    Request::read(surface, body.into()).expect("it is a request")
}

/// What one stream came to: what went out, how it ended, what was counted.
type Came = (Vec<u8>, Outcome, Usage);

/// Shows the stream to callers of every surface, and the plain ones too.
pub fn everywhere(data: &[u8], size: usize, dialect: Dialect, cloud: Cloud) {
    for surface in SURFACES {
        on(data, size, surface, dialect, cloud);
    }
}

/// Shows the stream to callers of one surface.
pub fn on(data: &[u8], size: usize, surface: Surface, dialect: Dialect, cloud: Cloud) {
    static REQUESTS: LazyLock<[Request; 4]> = LazyLock::new(|| {
        [
            request(Surface::Chat, true),
            request(Surface::Completions, true),
            request(Surface::Responses, true),
            request(Surface::Messages, true),
        ]
    });
    let asked = REQUESTS.iter().find(|request| request.surface == surface);
    let asked = asked.expect("one of the four");
    let reader = reader(surface, dialect, cloud);
    within(data.len(), HELD, || {
        let at_once = read(&reader, asked, whole(data, data.len().max(1)));
        let in_chunks = read(&reader, asked, whole(data, size));
        let equal = at_once == in_chunks;
        assert!(
            equal,
            "{surface:?}: {}\n{}",
            told(&at_once),
            told(&in_chunks)
        );
        let cut = read(&reader, asked, broken(data, size));
        let begun = in_chunks.0.starts_with(&cut.0);
        assert!(
            cut.1.is_ok() || begun,
            "{surface:?}: a break takes something back: {}",
            told(&cut)
        );
        if !reader.is_same() {
            assert_eq!(at_once.1, collected(&reader, asked, whole(data, size)));
        }
    });
}

fn told((out, outcome, usage): &Came) -> String {
    format!("{outcome:?} {usage:?} {}", String::from_utf8_lossy(out))
}

fn read<'a>(reader: &Reader, request: &Request, steps: impl Iterator<Item = Step<'a>>) -> Came {
    let (mut decoder, mut out, mut outcome) = (reader.clone().decoder(request), Vec::new(), Ok(()));
    for step in steps {
        let taken = match step {
            Step::Chunk(chunk) => decoder.feed(chunk),
            Step::End => decoder.end(),
            Step::Cut => decoder.cut(),
        };
        assert!(!decoder.released() || decoder.arrived());
        out.extend(decoder.output());
        outcome = taken.map_err(|failure| failure.class);
        if outcome.is_err() {
            break;
        }
    }
    assert!(
        outcome.is_err() || decoder.done(),
        "an end without a finish"
    );
    frames::check(reader.surface, &out, !reader.is_same(), decoder.done());
    (out, outcome, decoder.usage())
}

/// The same for a caller of plain answers.
fn collected<'a>(
    reader: &Reader,
    request: &Request,
    steps: impl Iterator<Item = Step<'a>>,
) -> Outcome {
    let mut collector = reader.collector();
    for step in steps {
        let taken = match step {
            Step::Chunk(chunk) => collector.feed(chunk),
            Step::End => collector.end(),
            Step::Cut => collector.cut(),
        };
        taken.map_err(|failure| failure.class)?;
    }
    let (body, _) = collector
        .finish(reader, request)
        .map_err(|failure| failure.class)?;
    let read = serde_json::from_slice::<IgnoredAny>(&body);
    assert!(read.is_ok(), "{}", String::from_utf8_lossy(&body));
    Ok(())
}
