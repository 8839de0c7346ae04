//! Each outcome as its line.

use serde_json::{Value, json};

use super::*;

const PLAIN: Style = Style {
    colour: false,
    zone: TimeZone::UTC,
};

/// A record, with these of its members.
fn told(members: &Value, style: &Style) -> String {
    let mut record = json!({
        "kind": "pillion.audit", "time": "2026-11-20T08:09:10.123Z", "id": "req_1", "key": "dev",
        "route": "chat", "rule": null, "surface": "chat", "stream": false, "attempts": [],
        "status": 200, "outcome": "ok", "reason": null, "target": null, "provider": null,
        "model": null, "first_token_ms": null, "total_ms": 1310, "usage": null, "cost": null,
        "currency": null, "privacy": null, "dropped": null, "content": null
    });
    let fields = record.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        assert!(fields.contains_key(name), "{name}");
        fields[name] = value.clone();
    }
    line(record.to_string().as_bytes(), style).unwrap()
}

fn tried(target: &str, class: &str, status: Option<u16>) -> Value {
    json!({ "target": target, "class": class, "status": status, "ms": 1, "reason": "words" })
}

#[test]
fn each_outcome_is_told_plainly() {
    let gpt = || tried("openai/gpt-5-mini", "ok", Some(200));
    for (members, expected) in [
        (
            json!({ "attempts": [gpt()], "stream": true, "first_token_ms": 420, "cost": "0.002100000000", "currency": "USD",
                "usage": { "prompt": 812, "cached": 0, "completion": 240, "estimated": false } }),
            "chat  openai/gpt-5-mini ok  first token 420 ms, all 1.31 s  812 in, 240 out  $0.0021",
        ),
        (
            json!({ "attempts": [tried("openai/gpt-5-mini", "rate_limited", Some(429)), tried("claude/haiku", "ok", Some(200))],
                "total_ms": 61_500, "cost": "12.5", "currency": "KZT",
                "usage": { "prompt": 8, "cached": 4, "completion": 2, "estimated": true } }),
            "chat  openai/gpt-5-mini 429 rate_limited → claude/haiku ok  1 min 01 s  ~8 in (4 cached), ~2 out (estimated)  12.50 KZT",
        ),
        (
            json!({ "attempts": [tried("a/m", "connect", None), tried("b/m", "timeout", None)],
                "status": 504, "outcome": "error", "reason": "timeout" }),
            "chat  a/m connect → b/m timeout  the caller got 504 timeout  1.31 s",
        ),
        (
            json!({ "route": null, "surface": null, "status": 401, "outcome": "error",
                "reason": "invalid_api_key", "total_ms": 0 }),
            "not sent  the caller got 401 invalid_api_key  0 ms",
        ),
        (
            json!({ "attempts": [tried("a/m", "reset", Some(200))], "stream": true, "outcome": "stream_broken",
                "reason": "reset", "first_token_ms": 20 }),
            "chat  a/m reset  cut: the stream broke off (reset)  first token 20 ms, all 1.31 s",
        ),
        (
            json!({ "attempts": [tried("a/m", "cancelled", Some(200))], "outcome": "cancelled",
                "status": null, "reason": "cancelled" }),
            "chat  a/m cancelled  cancelled: the caller went away  1.31 s",
        ),
        (
            json!({ "outcome": "cancelled", "status": null, "reason": "cancelled" }),
            "chat  not sent yet  cancelled: the caller went away  1.31 s",
        ),
        (json!({}), "chat  joined: another request's answer  1.31 s"),
        (
            json!({ "route": null, "surface": "models" }),
            "models  answered here  1.31 s",
        ),
        (
            json!({ "surface": "count_tokens" }),
            "chat  estimated here  1.31 s",
        ),
        (
            json!({ "route": null, "surface": "passthrough", "attempts": [tried("openai/-", "ok", Some(200))],
                "model": "gpt-image-1" }),
            "passthrough  openai/gpt-image-1 ok  1.31 s",
        ),
        (
            json!({ "route": null, "attempts": [tried("openai/-", "ok", Some(200))], "model": "gpt-of-tomorrow" }),
            "passthrough  openai/gpt-of-tomorrow ok  1.31 s",
        ),
        (
            json!({ "attempts": [gpt()], "rule": "long", "dropped": ["seed", "logit_bias"],
                "privacy": { "found": { "email": 2, "ip": 1 }, "action": "mask" } }),
            "chat (long)  openai/gpt-5-mini ok  1.31 s  not passed on: seed, logit_bias; mask: email 2, ip 1",
        ),
    ] {
        assert_eq!(told(&members, &PLAIN), format!("08:09:10  {expected}"));
    }
}

#[test]
fn colours_mark_what_went_well_and_what_did_not() {
    let style = Style {
        colour: true,
        ..PLAIN
    };
    let attempts = [
        tried("a/m", "overloaded", Some(503)),
        tried("b/m", "ok", Some(200)),
    ];
    assert_eq!(
        told(&json!({ "attempts": attempts }), &style),
        "\u{1b}[2m08:09:10\u{1b}[0m  chat  a/m \u{1b}[33m503 overloaded\u{1b}[0m → b/m \u{1b}[32mok\u{1b}[0m  1.31 s"
    );
}

#[test]
fn a_callers_text_does_not_command_the_terminal() {
    let members = json!({ "route": null, "surface": "passthrough", "attempts": [tried("openai/-", "ok", None)],
        "model": "\u{1b}]0;x\u{7}gpt\r\n" });
    let told = told(&members, &PLAIN);
    assert!(!told.chars().any(char::is_control), "{told:?}");
    assert!(told.contains("openai/�]0;x�gpt��"), "{told}");
    // Nor does it turn what follows around, or begin a line.
    for layout in ['\u{202e}', '\u{2067}', '\u{200f}', '\u{2028}'] {
        let members = json!({ "rule": format!("a{layout}b") });
        let told = self::told(&members, &PLAIN);
        assert!(told.contains("chat (a\u{fffd}b)"), "{told:?}");
    }
}

#[test]
fn an_amount_is_short_and_never_nothing_for_something() {
    for (cost, expected) in [
        ("0.000000000000", "$0.00"),
        ("0.000000000001", "<$0.000001"),
        ("0.000412600000", "$0.000413"),
        ("1.500000000000", "$1.50"),
    ] {
        let said = told(&json!({ "cost": cost, "currency": "USD" }), &PLAIN);
        assert!(said.ends_with(&format!("  {expected}")), "{said}");
    }
}

#[test]
fn what_is_no_record_is_no_line() {
    for text in ["", "{}", "not JSON", "{\"kind\":\"pillion.audit\"}"] {
        assert_eq!(line(text.as_bytes(), &PLAIN), None, "{text}");
    }
}
