use bytes::Bytes;
use serde_json::{Value, json};

use crate::chat::Usage;
use crate::dialect::responses::{Splicer, splice_answer};
use crate::outcome::Class;

fn message(content: &Value) -> Value {
    json!({"type":"message","id":"msg_1","role":"assistant","status":"completed","content":content})
}

fn response(status: &str, output: &Value) -> Value {
    json!({"id":"resp_1","object":"response","status":status,"error":null,"model":"gpt","output":output,
        "usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}})
}

#[test]
fn a_plain_answer_keeps_its_bytes_with_the_callers_model() {
    let came = "{ \"status\":\"completed\",\n\"model\" : \"gpt\",\"n\":1e400, \"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"\\u00e4\"}]}] }";
    let (body, usage) = splice_answer(&Bytes::from(came), Some("al\"ias")).unwrap();
    assert_eq!(body, came.replace("\"gpt\"", "\"al\\\"ias\""));
    assert_eq!(usage, Usage::default());
    let (body, _) = splice_answer(&Bytes::from(came), None).unwrap();
    assert_eq!(body, came);
}

#[test]
fn a_plain_answer_is_judged() {
    let text = json!([{"type":"output_text","text":"a"}]);
    let call = |arguments: &str, status: &str| json!([{"type":"function_call","call_id":"c","name":"f","arguments":arguments,"status":status}]);
    for (answer, class) in [
        (response("completed", &json!([message(&text)])), None),
        (response("incomplete", &json!([])), None),
        (response("queued", &json!([])), None),
        (
            response("completed", &json!([{"type":"web_search_call"}])),
            None,
        ),
        (response("completed", &call("{}", "completed")), None),
        (response("incomplete", &call("{\"x", "incomplete")), None),
        (
            response("completed", &call("{\"x", "completed")),
            Some(Class::Broken),
        ),
        (response("completed", &json!([])), Some(Class::Broken)),
        (
            response("completed", &json!([message(&json!([]))])),
            Some(Class::Broken),
        ),
        (
            response("completed", &json!([{"type":"reasoning","summary":[]}])),
            Some(Class::Broken),
        ),
        (response("completed", &Value::Null), Some(Class::Broken)),
        (
            response("cancelled", &json!([message(&text)])),
            Some(Class::Broken),
        ),
        (
            json!({"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"},"output":[]}),
            Some(Class::RateLimited),
        ),
        (
            json!({"error":{"code":"insufficient_quota","message":"pay"}}),
            Some(Class::QuotaExhausted),
        ),
        (json!([]), Some(Class::Broken)),
    ] {
        let judged = splice_answer(&Bytes::from(answer.to_string()), Some("alias"));
        assert_eq!(judged.err().map(|failure| failure.class), class, "{answer}");
    }
    for body in ["", "<html>", "{\"output\":[", "{} {}"] {
        let judged = splice_answer(&Bytes::from(body), None);
        assert_eq!(judged.unwrap_err().class, Class::Broken, "{body}");
    }
}

fn streamed(answer: &str) -> Vec<Value> {
    let mut splicer = Splicer::new(Some("alias".into()));
    splicer.whole(answer.as_bytes()).unwrap();
    assert!(splicer.done());
    assert_eq!(splicer.usage().prompt, Some(5));
    let out = String::from_utf8(splicer.output()).unwrap();
    let frames = out.split_terminator("\n\n").enumerate();
    let frames: Vec<Value> = frames
        .map(|(number, frame)| {
            let (event, data) = frame.split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(event, format!("event: {}", data["type"].as_str().unwrap()));
            assert_eq!(data["sequence_number"], number);
            data
        })
        .collect();
    assert_eq!(splicer.sequence(), frames.len() as u64);
    frames
}

#[test]
fn a_plain_answer_where_a_stream_was_wanted_becomes_one() {
    let parts = json!([{"type":"output_text","text":"a\nb","annotations":[{"type":"url_citation"}]},{"type":"refusal","refusal":"no"}]);
    let call = json!({"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{\"x\":1}","status":"completed"});
    let reasoning = json!({"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"});
    let answer = response("completed", &json!([reasoning, message(&parts), call]));
    for answer in [answer.to_string(), format!("{answer:#}")] {
        let frames = streamed(&answer);
        let kinds: Vec<&str> = frames
            .iter()
            .map(|frame| {
                frame["type"]
                    .as_str()
                    .unwrap()
                    .strip_prefix("response.")
                    .unwrap()
            })
            .collect();
        assert_eq!(
            kinds,
            [
                "created",
                "in_progress",
                "output_item.added",
                "output_item.done",
                "output_item.added",
                "content_part.added",
                "output_text.delta",
                "output_text.done",
                "content_part.done",
                "content_part.added",
                "refusal.delta",
                "refusal.done",
                "content_part.done",
                "output_item.done",
                "output_item.added",
                "function_call_arguments.delta",
                "function_call_arguments.done",
                "output_item.done",
                "completed",
            ]
        );
        let mut expected: Value = serde_json::from_str(&answer).unwrap();
        expected["model"] = "alias".into();
        assert_eq!(frames.last().unwrap()["response"], expected);
        assert_eq!(frames[0]["response"]["output"], json!([]));
        assert_eq!(frames[0]["response"]["status"], "in_progress");
        assert_eq!(frames[4]["item"]["content"], json!([]));
        assert_eq!(frames[5]["part"]["text"], "");
        assert_eq!(frames[6]["delta"], "a\nb");
        assert_eq!(frames[8]["part"], parts[0]);
        assert_eq!(
            (&frames[9]["content_index"], &frames[9]["output_index"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(frames[13]["item"], message(&parts));
        assert_eq!(frames[14]["item"]["arguments"], "");
        assert_eq!(frames[16]["arguments"], "{\"x\":1}");
        assert_eq!(frames[16]["item_id"], "fc_1");
    }
    let frames = streamed(&response("incomplete", &json!([])).to_string());
    assert_eq!(frames.last().unwrap()["type"], "response.incomplete");
}
