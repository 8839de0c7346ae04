//! Rules send a request another way, and the record says which.

use serde_json::{Value, json};

use crate::support::fixture::{ask, plain};
use crate::support::{Answer, Config, Gateway, Reply, Upstream};

const CHAT: &str = "/v1/chat/completions";

async fn says(name: &'static str) -> Upstream {
    Upstream::always(Reply::json(plain(name))).await
}

/// The rule of the answer's record, and the plan.
async fn record(gateway: &Gateway, answer: &Answer) -> (Value, Value) {
    let record = gateway.audit(answer.id()).await;
    (record.0["rule"].clone(), record.0["plan"].clone())
}

#[tokio::test]
async fn a_rule_sends_its_requests_another_way_and_the_record_names_it() {
    let (first, second) = (says("first").await, says("second").await);
    let config = Config::of(&[&first, &second]).knob(
        "rules: [{ name: gold, when: { tag: { tier: gold } }, targets: [second/model-second] },
            { name: long, when: { prompt_tokens: { over: 2000 } }, targets: [{ any: [{ to: second/a }, { to: second/b }] }], only: true }]",
    );
    let gateway = Gateway::start(config).await;
    let plain_one = gateway.chat(&ask()).await;
    let both = json!(["first/model-first", "second/model-second"]);
    assert_eq!(record(&gateway, &plain_one).await, (Value::Null, both));
    let gold = [("x-pillion-tag-tier", "gold")];
    let answer = gateway.post(CHAT, &gold, &ask()).await;
    let turned = json!(["second/model-second", "first/model-first"]);
    assert_eq!(record(&gateway, &answer).await, ("gold".into(), turned));
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("second/model-second")
    );
    let long = ask().replace("Hi", &"word ".repeat(2000));
    let answer = gateway.chat(&long).await;
    let (rule, plan) = record(&gateway, &answer).await;
    let mut plan: Vec<&str> = plan
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    plan.sort_unstable();
    assert_eq!(
        (rule, &*plan),
        ("long".into(), &["second/a", "second/b"][..])
    );
}

#[tokio::test]
async fn a_target_that_cannot_is_passed_over_and_none_that_can_is_told() {
    let (first, second) = (says("first").await, says("second").await);
    let config = Config::of(&[&first, &second])
        .route("alone", "{ targets: [first/model-first] }")
        .root("models: { first/model-first: { tools: false, context: 1000 } }");
    let gateway = Gateway::start(config).await;
    let mut tools: Value = serde_json::from_str(&ask()).unwrap();
    tools["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    let answer = gateway.chat(&tools.to_string()).await;
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("second/model-second")
    );
    let long = ask().replace("Hi", &"word ".repeat(2000));
    let answer = gateway.chat(&long).await;
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("second/model-second")
    );
    assert_eq!(first.hits(), 0);
    tools["model"] = "alone".into();
    let answer = gateway.chat(&tools.to_string()).await;
    assert_eq!(answer.status, 503);
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], "no_eligible_target");
    assert_eq!(
        error["message"],
        "No target may serve this request: no target passes the filter `capability`: `first/model-first` takes no tools."
    );
}

#[tokio::test]
async fn the_admin_port_shows_the_rules() {
    let first = says("first").await;
    let config = Config::of(&[&first]).knob(
        "rules: [{ name: night, when: { time: { from: \"22:00\", to: \"06:00\" }, stream: true }, targets: [first/small] }]",
    );
    let config = config
        .knob("privacy: { mask: [email, card], observe: [ip], unmask: false }")
        .route("other", "{ targets: [first/model-first] }");
    let gateway = Gateway::start(config).await;
    let shown = gateway.ask_admin("/api/routes").await.json();
    let rule = json!({
        "rule": "night",
        "when": ["stream: true", "time: 22:00 to 06:00 UTC"],
        "targets": [["first/small"]],
        "only": false,
        "residency": null,
    });
    let route = json!({
        "route": "chat",
        "accepts": [],
        "residency": null,
        "privacy": {
            "observe": ["ip"], "mask": ["card", "email"], "block": [], "unmask": false,
            "unscannable": "refuse",
        },
        "targets": [["first/model-first"]],
        "rules": [rule],
    });
    let other = json!({
        "route": "other", "accepts": [], "residency": null, "privacy": null,
        "targets": [["first/model-first"]], "rules": [],
    });
    let mut shown = shown;
    for classes in ["observe", "mask", "block"] {
        let classes = shown["routes"][0]["privacy"][classes].as_array_mut();
        classes.unwrap().sort_by_key(ToString::to_string);
    }
    assert_eq!(shown, json!({ "routes": [route, other] }));
}
