//! Answers in one piece, vectors among them.

use super::*;
use crate::chat::Surface;
use crate::outcome::Class;

#[test]
fn a_whole_answer_becomes_a_stream() {
    let mut decoder = Decoder::new(wanted(true));
    let whole = r#"{"id":"c1","object":"chat.completion","created":1,"model":"theirs","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3}}"#;
    decoder.whole(whole.as_bytes()).unwrap();
    let out = String::from_utf8(decoder.output()).unwrap();
    assert!(
        out.contains(
            r#""delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a""#
        ),
        "{out}"
    );
    assert!(
        out.contains("\"object\":\"chat.completion.chunk\"") && !out.contains("message\""),
        "{out}"
    );
    assert!(
        out.ends_with(&format!(
            "\"choices\":[],\"usage\":{{\"prompt_tokens\":3}}}}\n\n{DONE}"
        )),
        "{out}"
    );
}

#[test]
fn a_plain_answer_is_judged() {
    let judge = |surface: Surface, body: &str| {
        let shown = Shown {
            surface,
            model: Some("mine"),
            base64: false,
            seed: 1,
        };
        answer(&body.to_owned().into(), shown)
            .map(|answer| String::from_utf8(answer.body.to_vec()).unwrap())
    };
    let chat = |message: &str, finish: &str| {
        format!(
            r#"{{"id":"c","model":"theirs","choices":[{{"index":0,"message":{message},"finish_reason":"{finish}"}}],"usage":{{"prompt_tokens":3}},"x":1e400}}"#
        )
    };
    for (what, body) in [
        (
            "text",
            chat(r#"{"role":"assistant","content":"Hi"}"#, "stop"),
        ),
        (
            "white space before it",
            "\n \n".to_owned() + &chat(r#"{"role":"assistant","content":"Hi"}"#, "stop"),
        ),
        (
            "a refusal",
            chat(
                r#"{"role":"assistant","content":null,"refusal":"no"}"#,
                "stop",
            ),
        ),
        (
            "audio",
            chat(
                r#"{"role":"assistant","content":null,"audio":{"id":"a"}}"#,
                "stop",
            ),
        ),
        (
            "nothing, for the limit's sake",
            chat(r#"{"role":"assistant","content":""}"#, "length"),
        ),
        (
            "half an argument, for the limit's sake",
            chat(
                r#"{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{"}}]}"#,
                "length",
            ),
        ),
        (
            "a custom tool",
            chat(
                r#"{"role":"assistant","tool_calls":[{"id":"a","type":"custom","custom":{"name":"f","input":"x"}}]}"#,
                "tool_calls",
            ),
        ),
    ] {
        assert_eq!(
            judge(Surface::Chat, &body).unwrap(),
            body.replace("theirs", "mine"),
            "{what}"
        );
    }
    for (what, sent, expected) in [
        (
            "a message for a filtered choice",
            r#"{"model":"theirs","choices":[{"index":0,"finish_reason":"content_filter"}]}"#.into(),
            r#"{"model":"theirs","choices":[{"message":{"role":"assistant","content":null},"index":0,"finish_reason":"content_filter"}]}"#.into(),
        ),
        (
            "a role",
            chat(r#"{"content":"Hi"}"#, "eos"),
            chat(r#"{"role":"assistant","content":"Hi"}"#, "stop"),
        ),
        (
            "arguments",
            chat(
                r#"{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}},{"id":"b","type":"function","function":{"name":"g","arguments":""}}]}"#,
                "tool_calls",
            ),
            chat(
                r#"{"role":"assistant","tool_calls":[{"type":"function","id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}"#,
                "tool_calls",
            ),
        ),
    ] {
        assert_eq!(
            judge(Surface::Chat, &sent).unwrap(),
            expected.replace("theirs", "mine"),
            "{what}"
        );
    }
    for (what, body) in [
        ("nothing", String::new()),
        ("HTML", "<html>".into()),
        ("a list", "[]".into()),
        (
            "half of it",
            chat(r#"{"role":"assistant","content":"Hi"}"#, "stop")[..60].into(),
        ),
        ("an error", r#"{"error":{"message":"no"}}"#.into()),
        ("no choices", r#"{"id":"c","choices":[]}"#.into()),
        ("something else", r#"{"id":"c"}"#.into()),
        (
            "no message",
            r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#.into(),
        ),
        (
            "an empty one",
            chat(r#"{"role":"assistant","content":""}"#, "stop"),
        ),
        (
            "null",
            chat(r#"{"role":"assistant","content":null}"#, "stop"),
        ),
        (
            "arguments that are none",
            chat(
                r#"{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{x"}}]}"#,
                "tool_calls",
            ),
        ),
    ] {
        assert_eq!(
            judge(Surface::Chat, &body).unwrap_err().class,
            Class::Broken,
            "{what}"
        );
    }
}

#[test]
fn vectors_come_in_the_form_that_was_asked_for() {
    let floats = r#"{"data":[{"embedding":[1.0,-0.5],"index":0}],"model":"theirs"}"#;
    let coded = r#"{"data":[{"embedding":"AACAPwAAAL8=","index":0}],"model":"theirs"}"#;
    for (sent, base64, expected) in [
        (floats, true, coded),
        (coded, false, floats),
        (floats, false, floats),
        (coded, true, coded),
    ] {
        let shown = Shown {
            surface: Surface::Embeddings,
            model: None,
            base64,
            seed: 1,
        };
        let answer = answer(&sent.to_owned().into(), shown).unwrap();
        assert_eq!(answer.body, expected.as_bytes());
    }
    let shown = Shown {
        surface: Surface::Embeddings,
        model: None,
        base64: true,
        seed: 1,
    };
    for body in [
        r#"{"data":[]}"#,
        r#"{"data":[{"index":0}]}"#,
        r#"{"data":[{"embedding":["x"]}]}"#,
    ] {
        assert_eq!(
            answer(&body.to_owned().into(), shown).unwrap_err().class,
            Class::Broken,
            "{body}"
        );
    }
    let half = r#"{"data":[{"embedding":"AACAPwAA"}]}"#;
    let shown = Shown {
        base64: false,
        ..shown
    };
    let failure = answer(&half.to_owned().into(), shown).unwrap_err();
    assert_eq!(failure.class, Class::Broken, "half a number at the end");
}
