//! What a caller reads: the frames of each surface, held to what its SDKs rely on.

use pillion::chat::Surface;
use serde::de::IgnoredAny;
use serde_json::Value;

/// One frame.
struct Frame<'a> {
    event: Option<&'a str>,
    data: &'a str,
}

/// Checks what went out. `ours` are frames that we wrote ourselves, all of them; else they are a
/// provider's, and what is asked is less.
pub fn check(surface: Surface, out: &[u8], ours: bool, done: bool) {
    let text = std::str::from_utf8(out).expect("what goes out is UTF-8");
    assert!(
        text.is_empty() || text.ends_with("\n\n"),
        "half a frame goes out: {text}"
    );
    let frames: Vec<Frame<'_>> = text.split_terminator("\n\n").map(frame).collect();
    let chat = matches!(surface, Surface::Chat | Surface::Completions);
    if chat {
        let ends = frames.iter().filter(|frame| frame.data == "[DONE]").count();
        assert_eq!(ends, usize::from(done), "{text}");
        assert!(
            !done || frames.last().is_some_and(|frame| frame.data == "[DONE]"),
            "{text}"
        );
    }
    for frame in &frames {
        if !(chat && frame.data == "[DONE]") {
            let read = serde_json::from_str::<IgnoredAny>(frame.data);
            assert!(read.is_ok(), "{read:?}: {}", frame.data);
        }
    }
    if ours && !chat {
        let read: Vec<Value> = frames.iter().map(named).collect();
        match surface {
            Surface::Messages => messages(&read, done),
            _ => responses(&read, done),
        }
    }
}

fn frame(block: &str) -> Frame<'_> {
    let (mut event, mut data) = (None, None);
    for line in block.split('\n') {
        if let Some(name) = line.strip_prefix("event: ") {
            assert!(event.replace(name).is_none(), "two names: {block}");
        } else if let Some(value) = line.strip_prefix("data: ") {
            assert!(data.replace(value).is_none(), "two lines of data: {block}");
        } else {
            panic!("a line that is neither: {block}");
        }
    }
    let data = data.unwrap_or_else(|| panic!("no data: {block}"));
    Frame { event, data }
}

/// A frame's object, whose type is the event's.
fn named(frame: &Frame<'_>) -> Value {
    let read: Value = serde_json::from_str(frame.data).expect("it is JSON with Unicode in it");
    assert_eq!(read["type"].as_str(), frame.event, "{}", frame.data);
    read
}

/// Blocks one after another, each begun and ended.
fn messages(frames: &[Value], done: bool) {
    let (mut next, mut open, mut ended) = (0, false, false);
    for (at, frame) in frames.iter().enumerate() {
        let index = frame["index"].as_u64();
        let kind = frame["type"].as_str().unwrap_or_default();
        assert_eq!(at == 0, kind == "message_start", "{frame}");
        assert!(!ended, "{frame}");
        match kind {
            "content_block_start" => {
                assert!(!open && index == Some(next), "{frame}");
                open = true;
            }
            "content_block_delta" => assert!(open && index == Some(next), "{frame}"),
            "content_block_stop" => {
                assert!(open && index == Some(next), "{frame}");
                (open, next) = (false, next + 1);
            }
            "message_delta" => assert!(!open, "{frame}"),
            "message_stop" => ended = true,
            _ => {}
        }
    }
    assert_eq!(ended, done);
}

/// Counted from nothing, and one end.
fn responses(frames: &[Value], done: bool) {
    let last = frames.len().saturating_sub(1);
    let mut ended = false;
    for (at, frame) in frames.iter().enumerate() {
        assert_eq!(
            frame["sequence_number"].as_u64(),
            Some(at as u64),
            "{frame}"
        );
        let kind = frame["type"].as_str().unwrap_or_default();
        assert_eq!(at == 0, kind == "response.created", "{frame}");
        if matches!(kind, "response.completed" | "response.incomplete") {
            assert_eq!(at, last, "{frame}");
            ended = true;
        }
    }
    assert_eq!(ended, done);
}
