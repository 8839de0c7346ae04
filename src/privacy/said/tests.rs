//! What is said is the same on every surface, plain or as a stream that is cut anywhere.

use super::*;

type Told<'a> = (Kind, u64, &'a str, &'a str);

/// Each part: its kind, choice, name and text.
fn told(said: &Said) -> Vec<Told<'_>> {
    let parts = said.parts.iter();
    parts
        .map(|part| (part.kind, part.choice, &*part.name, &*part.text))
        .collect()
}

fn whole(surface: Surface, body: &str) -> Said {
    let mut said = Said::new(surface);
    said.whole(body.as_bytes());
    said
}

const TEXT: Told<'_> = (Kind::Text, 0, "", "Dear Anna, é!");
const REFUSAL: Told<'_> = (Kind::Refusal, 0, "", "No.");
const FIND: Told<'_> = (Kind::Call, 0, "find", r#"{"city":"Рим"}"#);
const NOTHING: Told<'_> = (Kind::Call, 0, "now", "{}");

#[test]
fn a_body_says_the_same_on_every_surface() {
    for (surface, body, expected) in [
        (
            Surface::Chat,
            r#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"Dear Anna, \u00e9!","refusal":"No.","reasoning_content":"hm",
                "tool_calls":[{"id":"c","type":"function","function":{"name":"find","arguments":"{\"city\":\"Рим\"}"}},{"id":"d","type":"custom","custom":{"name":"now","input":"{}"}}]},
                "logprobs":{"content":[{"token":"Dear"}]},"finish_reason":"tool_calls"},{"index":1,"message":{"content":"Hi","function_call":{"name":"old","arguments":"{}"}}}]}"#,
            vec![
                TEXT,
                REFUSAL,
                FIND,
                NOTHING,
                (Kind::Text, 1, "", "Hi"),
                (Kind::Call, 1, "old", "{}"),
            ],
        ),
        (
            Surface::Completions,
            r#"{"choices":[{"index":0,"text":"Dear Anna, é!"}]}"#,
            vec![TEXT],
        ),
        (
            Surface::Messages,
            r#"{"type":"message","role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"Dear Anna, é!"},
                {"type":"tool_use","id":"t","name":"find","input":{"city":"Рим"}},{"type":"tool_use","id":"u","name":"now","input":{}}]}"#,
            vec![TEXT, FIND, NOTHING],
        ),
        (
            Surface::Responses,
            r#"{"id":"r","instructions":"be kind","output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},
                {"type":"message","content":[{"type":"output_text","text":"Dear Anna, é!"},{"type":"refusal","refusal":"No."}]},
                {"type":"function_call","call_id":"c","name":"find","arguments":"{\"city\":\"Рим\"}"},{"type":"local_shell_call","action":{"command":["ls"]}}]}"#,
            vec![
                TEXT,
                REFUSAL,
                FIND,
                (Kind::Call, 0, "local_shell_call", r#"{"command":["ls"]}"#),
            ],
        ),
        (
            Surface::Chat,
            r#"{"choices":[{"message":{"content":"Dear Anna, é!","#,
            vec![],
        ),
        (Surface::Responses, "no answer", vec![]),
    ] {
        let said = whole(surface, body);
        assert_eq!(told(&said), expected, "{body}");
        assert!(!said.is_cut());
    }
}

/// Frames of these data.
fn frames(data: &[&str]) -> String {
    let frames = data.iter().map(|data| format!("data: {data}\n\n"));
    frames.collect()
}

#[test]
fn a_stream_says_the_same_wherever_it_is_cut() {
    let chat = frames(&[
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"Dear "}},{"index":1,"delta":{"content":"H"}}]}"#,
        r#"{"choices":[{"index":1,"delta":{"content":"i"}},{"index":0,"delta":{"content":"Anna, é!"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"refusal":"No."}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"find","arguments":""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Рим\"}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"d","function":{"name":"now","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ]);
    let messages = frames(&[
        r#"{"type":"message_start","message":{"content":[]}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Dear "}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Anna, é!"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"find","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"city\":\"Р"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"им\"}"}}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"u","name":"now","input":{}}}"#,
        r#"{"type":"content_block_stop","index":3}"#,
        r#"{"type":"message_stop"}"#,
    ]);
    let responses = frames(&[
        r#"{"type":"response.created","response":{"output":[]}}"#,
        r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"hm"}"#,
        r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"message","content":[]}}"#,
        r#"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"Dear "}"#,
        r#"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"Anna, é!"}"#,
        r#"{"type":"response.output_text.done","output_index":1,"content_index":0,"text":"Dear Anna, é!"}"#,
        r#"{"type":"response.refusal.delta","output_index":1,"content_index":1,"delta":"No."}"#,
        r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","name":"find","arguments":""}}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"city\":"}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":2,"delta":"\"Рим\"}"}"#,
        r#"{"type":"response.function_call_arguments.done","output_index":2,"arguments":"{\"city\":\"Рим\"}"}"#,
        r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","name":"find","arguments":"{\"city\":\"Рим\"}"}}"#,
        r#"{"type":"response.output_item.done","output_index":3,"item":{"type":"custom_tool_call","name":"now","input":"{}"}}"#,
        r#"{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":"Dear Anna, é!"}]}]}}"#,
    ]);
    let hi = (Kind::Text, 1, "", "Hi");
    for (surface, stream, expected) in [
        (Surface::Chat, chat, vec![TEXT, hi, REFUSAL, FIND, NOTHING]),
        (Surface::Messages, messages, vec![TEXT, FIND, NOTHING]),
        (
            Surface::Responses,
            responses,
            vec![TEXT, REFUSAL, FIND, NOTHING],
        ),
    ] {
        assert_eq!(told(&whole(surface, &stream)), expected, "{surface:?}");
        for at in 0..stream.len() {
            let mut said = Said::new(surface);
            let (one, other) = stream.as_bytes().split_at(at);
            said.pass(one);
            said.pass(other);
            assert_eq!(told(&said), expected, "{surface:?} cut at {at}");
        }
    }
}

#[test]
fn no_more_is_kept_than_there_is_room_for() {
    let piece = |choice: usize, said: &str| {
        frames(&[&format!(
            r#"{{"choices":[{{"index":{choice},"delta":{{"content":"{said}"}}}}]}}"#
        )])
    };
    let mut said = Said::new(Surface::Chat);
    let long = "é".repeat(1000);
    for _ in 0..100 {
        said.pass(piece(0, &long).as_bytes());
    }
    said.pass(piece(1, "Hi").as_bytes());
    assert!(said.is_cut());
    let [part] = &*said.parts else {
        panic!("{said:?}");
    };
    assert!(part.text.len() > LONGEST - 2 * PART && part.text.len() + PART <= LONGEST);
    assert_eq!(said.parts(true), [(part, true)]);
    let mut said = Said::new(Surface::Chat);
    for choice in 0..10_000 {
        said.pass(piece(choice, "x").as_bytes());
    }
    assert!(said.is_cut() && said.parts.len() < LONGEST / PART);
}

#[test]
fn what_broke_off_may_end_within_a_value() {
    let ends = |body: &str| -> Vec<bool> {
        let said = whole(Surface::Chat, body);
        let broken = said.parts(false);
        assert!(said.parts(true).iter().all(|(_, is_torn)| !is_torn));
        broken.into_iter().map(|(_, is_torn)| is_torn).collect()
    };
    let call = |arguments: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"message":{{"content":"x","tool_calls":[{{"function":{{"name":"f","arguments":"{arguments}"}}}}]}}}},{{"index":1,"message":{{"content":"y"}}}}]}}"#
        )
    };
    assert_eq!(ends(&call("{}")), [false, false, true]);
    assert_eq!(ends(&call("{")), [false, true, true]);
}
