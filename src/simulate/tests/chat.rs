//! What is answered to a chat, whole and streamed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_plain_answer_is_the_same_each_time() {
    let simulator = start(fast()).await;
    let first = chat(&simulator, json!({})).await.unwrap();
    let answer = first.json();
    assert_eq!(answer["object"], "chat.completion");
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.starts_with("Hello! This is west"), "{text}");
    assert_eq!(answer["usage"]["completion_tokens"], 24);
    assert_eq!(first.body, chat(&simulator, json!({})).await.unwrap().body);
    assert_eq!(simulator.requests("m"), 2);
}

#[tokio::test]
async fn a_stream_says_what_the_plain_answer_says() {
    let simulator = start(fast()).await;
    let plain = chat(&simulator, json!({})).await.unwrap().json();
    let ask = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let stream = chat(&simulator, ask).await.unwrap();
    assert_eq!(
        stream.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(plain["choices"][0]["message"]["content"], stream.said());
    let events = stream.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events[0]["usage"], Value::Null);
    let [.., finish, usage] = &events[..] else {
        panic!("no events")
    };
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 24);
    assert_eq!(stream.data().last(), Some("[DONE]"));
}

#[tokio::test]
async fn a_stream_whose_caller_wants_no_usage_has_none() {
    let simulator = start(fast()).await;
    let stream = chat(&simulator, json!({ "stream": true })).await.unwrap();
    assert!(!stream.body.contains("usage"));
}

#[tokio::test]
async fn tokens_keep_to_their_pace() {
    let simulator = start(Behaviour {
        first_token: Duration::from_millis(40),
        pace: Duration::from_millis(10),
        tokens: 7,
        ..Behaviour::default()
    })
    .await;
    for ask in [json!({}), json!({ "stream": true })] {
        let start = Instant::now();
        chat(&simulator, ask).await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(100));
    }
}

#[tokio::test]
async fn a_schema_is_answered_with_json_that_fits() {
    let simulator = start(fast()).await;
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "s", "schema": schema } });
    for stream in [false, true] {
        let got = chat(
            &simulator,
            json!({ "response_format": format, "stream": stream }),
        )
        .await
        .unwrap();
        let text = if stream {
            got.said()
        } else {
            let answer = got.json();
            let text = answer["choices"][0]["message"]["content"].as_str();
            text.unwrap().to_owned()
        };
        assert_eq!(text, r#"{"n":1}"#);
    }
}
