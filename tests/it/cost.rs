//! What each request cost, in its record, the metrics and `/api/spend`.

use serde_json::{Value, json};

use crate::support::fixture::{ask, ask_stream, finish, plain, role, streamed, text, usage};
use crate::support::reply::End;
use crate::support::{Config, Gateway, Record, Reply, Upstream};

/// 2 for a million tokens of prompt, 30 of completion.
const PRICE: &str = "models: { first/model-first: { price: { input: 2, output: 30 } } }";

async fn told(gateway: &Gateway, body: &str) -> Record {
    let answer = gateway.chat(body).await;
    gateway.audit(answer.header("x-request-id").unwrap()).await
}

fn spent(record: &Record) -> (Value, Value, Value) {
    let usage = &record.0["usage"];
    (
        record.0["cost"].clone(),
        record.0["currency"].clone(),
        usage["estimated"].clone(),
    )
}

#[tokio::test]
async fn a_record_says_what_the_request_cost_by_the_price_of_who_answered() {
    let first = Upstream::script([
        Reply::json(plain("Hello!")),
        Reply::sse(streamed(&["Hel", "lo!"])),
        Reply::error(503, "server_error", None, "busy"),
    ])
    .await;
    let second = Upstream::script([Reply::json(plain("Hello!"))]).await;
    let config = Config::of(&[&first, &second]).root(PRICE);
    let gateway = Gateway::start(config).await;
    // 9 tokens of prompt and 3 of completion.
    let cost = (json!("0.000108"), json!("USD"), json!(false));
    for body in [ask(), ask_stream()] {
        assert_eq!(spent(&told(&gateway, &body).await), cost, "{body}");
    }
    // What has no price costs not nothing: nobody knows.
    let record = told(&gateway, &ask()).await;
    assert_eq!(record.0["target"], "second/model-second");
    assert_eq!(spent(&record), (Value::Null, Value::Null, json!(false)));

    let metrics = gateway.ask_admin("/metrics").await.text().to_owned();
    let line =
        "pillion_cost_total{route=\"chat\",target=\"first/model-first\",currency=\"USD\"} 0.000216";
    assert!(metrics.contains(line), "{metrics}");
    let spend = gateway.ask_admin("/api/spend").await.json()["spent"].clone();
    assert_eq!(
        (&spend[0]["cost"], &spend[0]["requests"]),
        (&json!("0.000216"), &json!(2))
    );
    assert_eq!(spend[0]["prompt"], 18);
    assert_eq!(
        (&spend[1]["cost"], &spend[1]["unpriced"]),
        (&Value::Null, &json!(1))
    );
}

#[tokio::test]
async fn what_a_provider_does_not_count_is_estimated_and_marked() {
    let words = "The quick brown fox jumps over the lazy dog. ";
    let long = words.repeat(10);
    let uncounted = role() + &text(&long) + &finish("stop") + "data: [DONE]\n\n";
    let cut = role() + &text(words) + &text(words) + &text(words) + &finish("stop") + &usage();
    let mut silent: Value = serde_json::from_str(&plain(&long)).unwrap();
    silent.as_object_mut().unwrap().remove("usage");
    let first = Upstream::script([
        Reply::sse(uncounted),
        Reply::json(silent.to_string()),
        Reply::sse(cut).cut_after(3, End::Fin),
    ])
    .await;
    let config = Config::of(&[&first]).root(PRICE);
    let gateway = Gateway::start(config).await;
    for (body, outcome, tokens) in [
        (ask_stream(), "ok", 113),
        (ask(), "ok", 113),
        // Two of the three texts have come before the cut.
        (ask_stream(), "stream_broken", 23),
    ] {
        let record = told(&gateway, &body).await;
        assert_eq!(record.outcome(), outcome, "{}", record.0);
        let usage = &record.0["usage"];
        assert_eq!(usage["estimated"], true, "{}", record.0);
        assert_eq!(usage["completion"], tokens, "{}", record.0);
        assert!(usage["prompt"].as_u64().unwrap() > 5, "{}", record.0);
        assert_eq!(record.0["currency"], "USD");
        assert_eq!(record.0["attempts"][0]["billed"], true);
    }
}

#[tokio::test]
async fn a_list_price_is_told_in_the_operators_currency() {
    let upstream = Upstream::script([Reply::json(plain("Hello!"))]).await;
    let config = Config::new()
        .keys_of(
            "openai",
            &format!(
                "kind: openai, base_url: \"{}\", secret: file:$FOLDER/key",
                upstream.base_url()
            ),
        )
        .file("key", "sk-test")
        .target("openai/gpt-5-mini")
        .root("currency: KZT\nrates: { KZT: { 2025-01: 500 } }");
    let gateway = Gateway::start(config).await;
    let record = told(&gateway, &ask()).await;
    // 9 × 0.25 + 3 × 2 dollars for a million, at 500.
    assert_eq!(
        spent(&record),
        (json!("0.004125"), json!("KZT"), json!(false))
    );
}

#[tokio::test]
async fn sound_costs_what_its_tokens_cost() {
    let mut spoken: Value = serde_json::from_str(&plain("Hello!")).unwrap();
    spoken["usage"] = json!({
        "prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 16},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 8},
    });
    let first = Upstream::script([
        Reply::json(spoken.to_string()),
        Reply::json(plain("Hello!")),
    ])
    .await;
    let price = "models: { first/model-first: { price: { input: 2, output: 10, audio_input: 32, audio_output: 64 } } }";
    let gateway = Gateway::start(Config::of(&[&first]).root(price)).await;
    let record = told(&gateway, &ask()).await;
    // 4 × 2 + 16 × 32 + 1 × 10 + 8 × 64 for a million.
    assert_eq!(record.0["cost"], "0.001042");
    let usage = &record.0["usage"];
    assert_eq!(
        (&usage["audio_input"], &usage["audio_output"]),
        (&json!(16), &json!(8))
    );
    // Where nothing was said of sound, a record says nothing of it.
    let record = told(&gateway, &ask()).await;
    assert_eq!(record.0["usage"].get("audio_input"), None);
}

#[tokio::test]
async fn reasoning_that_is_counted_beside_the_completion_is_paid_for() {
    let beside = |text: String| {
        text.replace(
            "\"completion_tokens\":3,\"total_tokens\":12",
            "\"completion_tokens\":3,\"completion_tokens_details\":{\"reasoning_tokens\":2},\"total_tokens\":14",
        )
    };
    let first = Upstream::script([
        Reply::json(beside(plain("Hello!"))),
        Reply::sse(beside(streamed(&["Hel", "lo!"]))),
    ])
    .await;
    let gateway = Gateway::start(Config::of(&[&first]).root(PRICE)).await;
    for body in [ask(), ask_stream()] {
        let record = told(&gateway, &body).await;
        let usage = &record.0["usage"];
        assert_eq!(
            (&usage["completion"], &usage["reasoning"]),
            (&json!(5), &json!(2))
        );
        // 9 × 2 + 5 × 30 for a million.
        assert_eq!(record.0["cost"], "0.000168");
    }
}

#[tokio::test]
async fn tokens_that_nobody_can_have_counted_are_estimated() {
    let most = u64::MAX.to_string();
    let absurd = |text: String| {
        text.replace("\"prompt_tokens\":9", &format!("\"prompt_tokens\":{most}"))
            .replace(
                "\"completion_tokens\":3",
                &format!("\"completion_tokens\":{most}"),
            )
    };
    let (whole, stream) = (absurd(plain("Hello!")), absurd(streamed(&["Hel", "lo!"])));
    assert!(whole.contains(&most) && stream.contains(&most));
    let first = Upstream::script([Reply::json(whole), Reply::sse(stream)]).await;
    let gateway = Gateway::start(Config::of(&[&first]).root(PRICE)).await;
    for body in [ask(), ask_stream()] {
        let record = told(&gateway, &body).await;
        assert_eq!(record.outcome(), "ok", "{}", record.0);
        let usage = &record.0["usage"];
        assert_eq!(usage["estimated"], true, "{}", record.0);
        assert!(usage["prompt"].as_u64().is_some_and(|tokens| tokens < 1000));
    }
}
