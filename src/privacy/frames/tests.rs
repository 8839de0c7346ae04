//! Streams of every surface, with placeholders cut anywhere.

use serde_json::{Value, json};

use super::*;
use crate::privacy::{Classes, Detectors, mask};

const SAID: &str = "Write to [EMAIL_1] or [email_2], not to [EMAIL_3] [x].";
const MEANT: &str = "Write to a@b.kz or c\"d\"@e.kz, not to [EMAIL_3] [x].";
const SURFACES: [Surface; 4] = [
    Surface::Chat,
    Surface::Completions,
    Surface::Messages,
    Surface::Responses,
];

fn vault() -> Arc<Vault> {
    let detectors = Detectors::new([("email", "c\"d\"@e.kz")]).unwrap();
    let mut vault = Vault::default();
    mask(&detectors, "a@b.kz c\"d\"@e.kz", Classes::ALL, &mut vault).unwrap();
    assert_eq!(vault.len(), 2);
    Arc::new(vault)
}

/// What a text is to its surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Reasoning,
    Arguments,
}

fn event(kind: &str, body: &Value) -> String {
    format!("event: {kind}\ndata: {body}\n\n")
}

fn chunk(choice: &Value) -> String {
    format!(
        "data: {}\n\n",
        json!({"id": "c", "object": "o", "created": 7, "model": "m", "choices": [choice], "usage": null})
    )
}

/// One text in pieces, between what begins and ends it.
fn stream(surface: Surface, sort: Sort, pieces: &[&str]) -> String {
    let mut out = String::new();
    match surface {
        Surface::Chat => {
            out +=
                &chunk(&json!({"index": 0, "delta": {"role": "assistant"}, "finish_reason": null}));
            for piece in pieces {
                let delta = match sort {
                    Sort::Text => json!({"content": piece}),
                    Sort::Reasoning => json!({"reasoning_content": piece}),
                    Sort::Arguments => {
                        json!({"tool_calls": [{"index": 1, "function": {"arguments": piece}}]})
                    }
                };
                out += &chunk(&json!({"index": 0, "delta": delta, "finish_reason": null}));
            }
            out += &chunk(&json!({"index": 0, "delta": {}, "finish_reason": "stop"}));
            out += "data: [DONE]\n\n";
        }
        Surface::Completions => {
            for piece in pieces {
                out += &chunk(&json!({"index": 0, "text": piece, "finish_reason": null}));
            }
            out += &chunk(&json!({"index": 0, "text": "", "finish_reason": "stop"}));
            out += "data: [DONE]\n\n";
        }
        Surface::Messages => {
            let (kind, key) = match sort {
                Sort::Text => ("text_delta", "text"),
                Sort::Reasoning => ("thinking_delta", "thinking"),
                Sort::Arguments => ("input_json_delta", "partial_json"),
            };
            out += &event(
                "message_start",
                &json!({"type": "message_start", "message": {}}),
            );
            for piece in pieces {
                let body = json!({"type": "content_block_delta", "index": 2, "delta": {"type": kind, key: piece}});
                out += &event("content_block_delta", &body);
            }
            let stop = json!({"type": "content_block_stop", "index": 2});
            out += &event("content_block_stop", &stop);
            out += &event("message_stop", &json!({"type": "message_stop"}));
        }
        _ => {
            let (what, whole) = match sort {
                Sort::Text => ("response.output_text", "text"),
                Sort::Reasoning => ("response.reasoning_summary_text", "text"),
                Sort::Arguments => ("response.function_call_arguments", "arguments"),
            };
            let mut number = 0;
            let mut numbered = |kind: &str, mut body: Value| {
                body["type"] = kind.into();
                body["sequence_number"] = number.into();
                number += 1;
                event(kind, &body)
            };
            out += &numbered(
                "response.created",
                json!({"response": {"instructions": SAID}}),
            );
            for piece in pieces {
                let body =
                    json!({"item_id": "i", "output_index": 0, "content_index": 0, "delta": piece});
                out += &numbered(&format!("{what}.delta"), body);
            }
            let body = json!({"item_id": "i", "output_index": 0, "content_index": 0, whole: pieces.concat()});
            out += &numbered(&format!("{what}.done"), body);
            out += &numbered("response.completed", json!({"response": {"id": "r"}}));
        }
    }
    out
}

fn frames(stream: &str) -> Vec<Value> {
    let data = stream.split("\n\n").filter(|frame| !frame.is_empty());
    data.filter_map(|frame| frame.split_once("data: "))
        .filter(|(_, data)| *data != "[DONE]")
        .map(|(_, data)| serde_json::from_str(data).unwrap_or_else(|_| panic!("{data}")))
        .collect()
}

/// The text that a client puts together.
fn read(surface: Surface, sort: Sort, stream: &str) -> String {
    let mut text = String::new();
    for frame in frames(stream) {
        let piece = match (surface, sort) {
            (Surface::Chat, Sort::Text) => &frame["choices"][0]["delta"]["content"],
            (Surface::Chat, Sort::Reasoning) => &frame["choices"][0]["delta"]["reasoning_content"],
            (Surface::Chat, Sort::Arguments) => {
                let call = &frame["choices"][0]["delta"]["tool_calls"][0];
                assert!(call.is_null() || call["index"] == 1, "{frame}");
                &call["function"]["arguments"]
            }
            (Surface::Completions, _) => &frame["choices"][0]["text"],
            (Surface::Messages, Sort::Text) => &frame["delta"]["text"],
            (Surface::Messages, Sort::Reasoning) => &frame["delta"]["thinking"],
            (Surface::Messages, Sort::Arguments) => &frame["delta"]["partial_json"],
            (_, _) => &frame["delta"],
        };
        text += piece.as_str().unwrap_or_default();
    }
    text
}

/// The stream as it goes out, in pieces of so many bytes.
fn passed(surface: Surface, stream: &str, length: usize) -> String {
    let mut frames = Frames::new(vault(), surface, false);
    let mut out = Vec::new();
    for piece in stream.as_bytes().chunks(length) {
        out.extend(frames.pass(piece.to_vec()));
    }
    frames.finish(&mut out);
    String::from_utf8(out).unwrap()
}

fn sorts(surface: Surface) -> &'static [Sort] {
    match surface {
        Surface::Completions => &[Sort::Text],
        _ => &[Sort::Text, Sort::Reasoning, Sort::Arguments],
    }
}

#[test]
fn a_placeholder_is_put_back_wherever_it_is_cut() {
    for surface in SURFACES {
        for &sort in sorts(surface) {
            let (said, meant) = match sort {
                Sort::Arguments => {
                    let said = json!({ "to": SAID }).to_string();
                    (said, json!({ "to": MEANT }).to_string())
                }
                Sort::Text | Sort::Reasoning => (SAID.to_owned(), MEANT.to_owned()),
            };
            let what = format!("{surface:?} {sort:?}");
            let mut cuts: Vec<Vec<&str>> = (0..=said.len())
                .map(|at| vec![&said[..at], &said[at..]])
                .collect();
            cuts.push((0..said.len()).map(|at| &said[at..=at]).collect());
            for pieces in cuts {
                let stream = stream(surface, sort, &pieces);
                let out = passed(surface, &stream, usize::MAX);
                assert_eq!(read(surface, sort, &out), meant, "{what} {pieces:?}");
                let (came, goes) = (frames(&stream), frames(&out));
                assert_eq!(came.len(), goes.len(), "nothing was left over: {what}");
                if surface == Surface::Responses {
                    let done = &goes[goes.len() - 2];
                    let whole = done["text"].as_str().or(done["arguments"].as_str());
                    assert_eq!(whole, Some(&*meant), "{what}");
                    assert_eq!(goes[0]["response"]["instructions"], MEANT);
                }
            }
            let stream = stream(surface, sort, &[&said]);
            for length in 1..100 {
                let out = passed(surface, &stream, length);
                assert_eq!(
                    out,
                    passed(surface, &stream, usize::MAX),
                    "{what} by {length}"
                );
            }
        }
    }
}

#[test]
fn what_is_held_back_at_the_end_of_a_text_gets_a_frame_of_its_own() {
    for surface in SURFACES {
        for &sort in sorts(surface) {
            let stream = stream(surface, sort, &["so [", "EMA"]);
            let out = passed(surface, &stream, usize::MAX);
            assert_eq!(read(surface, sort, &out), "so [EMA", "{out}");
            let (came, goes) = (frames(&stream), frames(&out));
            // A completion's last frame has a text, which takes the rest.
            let own = usize::from(surface != Surface::Completions);
            assert_eq!(came.len() + own, goes.len(), "{out}");
            let position = |frames: &[Value]| {
                frames.iter().position(|frame| {
                    frame["choices"][0]["finish_reason"] == "stop"
                        || frame["type"] == "content_block_stop"
                        || frame["type"]
                            .as_str()
                            .is_some_and(|kind| kind.contains(".done"))
                })
            };
            assert_eq!(position(&came).map(|at| at + own), position(&goes), "{out}");
            if surface == Surface::Responses {
                let numbers: Vec<_> = goes
                    .iter()
                    .map(|it| it["sequence_number"].as_u64())
                    .collect();
                let counted: Vec<_> = (0..goes.len() as u64).map(Some).collect();
                assert_eq!(numbers, counted, "{out}");
                let own = goes.iter().rposition(|it| it["delta"].is_string()).unwrap();
                assert_eq!(goes[own]["item_id"], "i");
            }
            if let Surface::Chat | Surface::Completions = surface {
                assert!(
                    goes.iter().all(|it| it["id"] == "c" && it["model"] == "m"),
                    "{out}"
                );
            }
        }
    }
}

#[test]
fn a_break_loses_nothing() {
    for surface in SURFACES {
        for &sort in sorts(surface) {
            let whole = stream(surface, sort, &["so [EMA", "IL_1] and [EMAIL_"]);
            // Up to the last piece.
            let ends: Vec<_> = whole.match_indices("\n\n").map(|(at, _)| at + 2).collect();
            let last = whole.rfind("and [EMAIL_").unwrap();
            let last = if surface == Surface::Responses {
                whole[..last].rfind("and [EMAIL_").unwrap()
            } else {
                last
            };
            let end = ends.into_iter().find(|end| *end > last).unwrap();
            let out = passed(surface, &whole[..end], usize::MAX);
            assert_eq!(read(surface, sort, &out), "so a@b.kz and [EMAIL_", "{out}");
        }
    }
}

#[test]
fn what_has_no_placeholder_stays_byte_for_byte() {
    for surface in SURFACES {
        for &sort in sorts(surface) {
            let all = stream(surface, sort, &["a [b] {c}", " \\n [EMAIL", "S_1] é"]);
            let all = all.replace(&json!(SAID).to_string(), "\"x\"");
            let odd = all.replace("\"index\":0", "\"index\": 0 ,\"new\":[1.50,\"\\u005b\"]");
            // Held back, and let go: two frames are written anew.
            let out = passed(surface, &odd, usize::MAX);
            let same = |(one, two): &(&str, &str)| one == two;
            let pairs = odd.split("\n\n").zip(out.split("\n\n"));
            assert_eq!(pairs.filter(|pair| !same(pair)).count(), 2, "{out}");
            let empty = Frames::new(Arc::default(), surface, false).pass(odd.clone().into());
            assert_eq!(empty, odd.as_bytes());
        }
    }
}

#[test]
fn texts_of_several_choices_calls_and_blocks_are_kept_apart() {
    let choices = |one: &str, two: &str| {
        json!({"choices": [
            {"index": 0, "delta": {"content": one, "reasoning": "[EM"}, "finish_reason": null},
            {"index": 1, "delta": {"content": two}, "finish_reason": null}]})
    };
    let calls = |one: &str, two: &str| {
        json!({"choices": [{"index": 0, "finish_reason": null, "delta": {"tool_calls": [
            {"index": 0, "function": {"name": "f", "arguments": one}},
            {"index": 1, "custom": {"input": two}}]}}]})
    };
    let mut stream = String::new();
    for frame in [
        choices("[EMAIL", "[EMA"),
        choices("_1]", "IL_2]"),
        calls("{\"a\":\"[EMAIL_", "[EMAIL_2"),
        calls("2]\"}", "]"),
    ] {
        let _ = write!(stream, "data: {frame}\n\n");
    }
    let out = passed(Surface::Chat, &stream, usize::MAX);
    let mut texts = [const { String::new() }; 5];
    for frame in frames(&out) {
        for choice in frame["choices"].as_array().unwrap() {
            let delta = &choice["delta"];
            let second = choice["index"] == 1;
            let mut add = |at: usize, piece: &Value| texts[at] += piece.as_str().unwrap_or("");
            add(usize::from(second), &delta["content"]);
            add(2, &delta["reasoning"]);
            add(3, &delta["tool_calls"][0]["function"]["arguments"]);
            add(4, &delta["tool_calls"][1]["custom"]["input"]);
        }
    }
    let arguments = json!({ "a": "c\"d\"@e.kz" }).to_string();
    assert_eq!(
        texts,
        ["a@b.kz", "c\"d\"@e.kz", "[EM[EM", &arguments, "c\"d\"@e.kz"]
    );
}

#[test]
fn thoughts_that_are_signed_are_whole() {
    let thought = |text: &str| json!({"type": "thinking", "thinking": text, "signature": "signed"});
    let blocks = |blocks: Value| {
        chunk(&json!({"index": 0, "delta": {"thinking_blocks": blocks}, "finish_reason": null}))
    };
    let end = chunk(&json!({"index": 0, "delta": {}, "finish_reason": "stop"}));
    let stream = blocks(json!([thought("a [EMA"), thought("IL_1] [EMAIL_1]")])) + &end;
    let told = frames(&passed(Surface::Chat, &stream, usize::MAX));
    assert_eq!(told.len(), 2);
    assert_eq!(
        told[0]["choices"][0]["delta"]["thinking_blocks"],
        json!([thought("a [EMA"), thought("IL_1] a@b.kz")])
    );
    // Elsewhere they come in pieces, and are signed at their end.
    let piece = |text: &str| json!([{"type": "thinking", "thinking": text}]);
    let stream =
        blocks(piece("a [EMA")) + &blocks(piece("IL_1] [")) + &blocks(json!([thought("")])) + &end;
    let told = frames(&passed(Surface::Chat, &stream, usize::MAX));
    assert_eq!(told.len(), 4);
    let texts = told
        .iter()
        .map(|frame| &frame["choices"][0]["delta"]["thinking_blocks"][0]);
    let texts: Vec<_> = texts
        .filter_map(|block| block["thinking"].as_str())
        .collect();
    assert_eq!(texts, ["a ", "a@b.kz ", "["]);
}

#[test]
fn a_value_in_an_answer_that_is_json_is_escaped() {
    for surface in SURFACES {
        let said = json!({ "to": "[EMAIL_2]" }).to_string();
        let mut frames = Frames::new(vault(), surface, true);
        let out = frames.pass(stream(surface, Sort::Text, &[&said]).into());
        let text = read(surface, Sort::Text, str::from_utf8(&out).unwrap());
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["to"], "c\"d\"@e.kz");
    }
}
