use serde_json::{Value, json};

use crate::chat::{Request, Surface, Thought};
use crate::dialect::responses::carrier::Cargo;
use crate::dialect::responses::encode;

fn encoded(body: &str) -> String {
    let request = Request::read(Surface::Responses, body.to_owned().into()).unwrap();
    String::from_utf8(encode(&request, "up\"stream").concat()).unwrap()
}

#[test]
fn only_the_model_changes() {
    let body = "{ \"x\":1e400,\n \"model\" : \"alias\", \"input\":[ {\"type\":\"reasoning\",\"encrypted_content\":\"gAAA\"} ] }";
    assert_eq!(encoded(body), body.replace("\"alias\"", "\"up\\\"stream\""));
}

#[test]
fn reasoning_of_another_dialects_target_is_taken_out() {
    let thought = Thought {
        text: "h\"m".into(),
        signature: Some("sig".into()),
        redacted: None,
    };
    let ours = json!({"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":Cargo::thought(&thought).seal("p/m")});
    let others = [
        json!({"role":"user","content":"pillion: a word"}),
        json!({"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAA"}),
        json!({"type":"message","role":"assistant","content":"x","encrypted_content":"pillion:1:a:b"}),
    ];
    // Each of four places holds one of ours, or the next of the others.
    for mask in 0..16_u32 {
        let mut left = others.iter().cycle();
        let items: Vec<Value> = (0..4)
            .map(|place| {
                if mask >> place & 1 == 1 {
                    ours.clone()
                } else {
                    left.next().unwrap().clone()
                }
            })
            .collect();
        let kept: Vec<&Value> = items.iter().filter(|item| **item != ours).collect();
        for body in [
            json!({"input":items,"model":"alias","stream":true}),
            json!({"model":"alias","input":items}),
        ] {
            for body in [body.to_string(), format!("{body:#}")] {
                let sent: Value = serde_json::from_str(&encoded(&body)).unwrap();
                assert_eq!(sent["input"], json!(kept), "{mask}");
                assert_eq!(sent["model"], "up\"stream");
            }
        }
    }
}
