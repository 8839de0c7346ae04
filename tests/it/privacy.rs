//! Personal data: no provider sees what a route masks, and the caller gets it back.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::fixture::{self, plain, role, text};
use crate::support::kind::KINDS;
use crate::support::reply::End;
use crate::support::surface::SURFACES;
use crate::support::upstream::Seen;
use crate::support::wire::Script;
use crate::support::{Act, Answer, Config, Gateway, Kind, Reply, Stage, Upstream};

const MAIL: &str = "anna.k@mail.kz";
const CARD: &str = "4111 1111 1111 1111";
const MASK: &str = "privacy: { mask: [email, card] }";
const CHAT: &str = "/v1/chat/completions";

/// A chat request that says this.
fn ask(said: &str) -> Value {
    json!({ "model": "chat", "messages": [{ "role": "user", "content": said }] })
}

fn ask_stream(said: &str) -> String {
    let mut ask = ask(said);
    ask["stream"] = true.into();
    ask.to_string()
}

/// What was said last, said again: as a stream in single letters where one is asked for.
fn echo(seen: &Seen) -> Reply {
    let asked = seen.json();
    let said = asked["messages"].as_array().unwrap().last().unwrap()["content"].clone();
    let said = said.as_str().unwrap_or("an image");
    if asked["stream"] != true {
        return Reply::json(plain(said));
    }
    let letters: String = said.chars().map(|c| text(&c.to_string())).collect();
    Reply::sse(role() + &letters + &fixture::finish("stop") + fixture::DONE)
}

fn no_value_in(what: &str, text: &str) {
    // A few digits alone stand in hashes, ids and ports by chance.
    for value in [MAIL, "anna.k", CARD, "4111 ", "411111111111"] {
        assert!(!text.contains(value), "{what}: {text}");
    }
}

fn plain_text(answer: &Answer) -> String {
    let content = &answer.json()["choices"][0]["message"]["content"];
    content.as_str().unwrap_or_default().to_owned()
}

/// The text of a chat stream.
fn streamed_text(answer: &Answer) -> String {
    let mut said = String::new();
    for data in answer.data() {
        let frame: Value = serde_json::from_str(data).unwrap_or_default();
        let piece = frame["choices"][0]["delta"]["content"].as_str();
        said += piece.unwrap_or_default();
    }
    said
}

#[tokio::test]
async fn what_is_masked_comes_back_from_every_provider_on_every_surface() {
    let stage = Stage::with("", &format!(", {MASK}")).await;
    for kind in KINDS {
        stage.cast(
            kind,
            Act::Says(Script::calls(
                &["Dear [EMA", "IL_1], your [", "CARD_1] and [x"],
                &[("call_1", "weather", &["{\"city\":\"[EM", "AIL_1]\"}"])],
            )),
        );
        for surface in SURFACES {
            for streamed in [false, true] {
                let what = format!("{kind:?} {surface:?}, streamed: {streamed}");
                let mut asking = surface.asking(&stage.alone(kind), streamed);
                asking["tools"] = surface.tools(&["weather"]);
                let asking = asking.to_string();
                let asking = asking.replace("\"Hi\"", &format!("\"I am {MAIL}, {CARD}\""));
                let before = stage.upstream(kind).hits();
                let (answer, record) = stage.ask(surface, &asking).await;
                let told = surface.read(&answer, streamed);
                assert_eq!(told.error, None, "{what}");
                assert_eq!(
                    told.text,
                    format!("Dear {MAIL}, your {CARD} and [x"),
                    "{what}"
                );
                let arguments = json!({ "city": MAIL }).to_string();
                assert_eq!(told.calls, [("weather".to_owned(), arguments)], "{what}");
                let seen = stage.upstream(kind).requests_from(before);
                assert_eq!(seen.len(), 1, "{what}");
                let sent = format!("{}{}", seen[0].head, seen[0].text());
                no_value_in(&what, &sent);
                assert!(sent.contains("I am [EMAIL_1], [CARD_1]"), "{what}: {sent}");
                let found = json!({ "found": { "email": 1, "card": 1 }, "action": "mask" });
                assert_eq!(record.0["privacy"], found, "{what}");
                no_value_in(&what, &record.0.to_string());
            }
        }
    }
    no_value_in("the log", &stage.gateway.log());
}

#[tokio::test]
async fn keys_of_the_applications_own_data_and_who_speaks_are_masked_too() {
    let upstream = Upstream::choosing(echo).await;
    let gateway = Gateway::start(Config::of(&[&upstream]).knob(MASK)).await;
    let rows = json!({ MAIL: { "cards": [{ CARD: 1 }] } }).to_string();
    for said in [rows.clone(), format!("Rows: {}", json!({ "rows": rows }))] {
        let mut asking = ask(&said);
        asking["messages"][0]["name"] = MAIL.into();
        let answer = gateway.chat(&asking.to_string()).await;
        assert_eq!(plain_text(&answer), said);
        asking["stream"] = true.into();
        let answer = gateway.chat(&asking.to_string()).await;
        assert_eq!(streamed_text(&answer), said);
    }
    assert_eq!(upstream.hits(), 4);
    for seen in upstream.requests() {
        no_value_in("sent", seen.text());
    }
}

#[tokio::test]
async fn callers_beside_each_other_get_their_own_values() {
    let upstream = Upstream::choosing(echo).await;
    let gateway = Arc::new(Gateway::start(Config::of(&[&upstream]).knob(MASK)).await);
    let mut calls = JoinSet::new();
    for number in 0..16 {
        let gateway = Arc::clone(&gateway);
        calls.spawn(async move {
            let said =
                format!("Write to person{number}@mail.kz, not to {number}@other.kz or [EMAIL_");
            let told = if number % 2 == 0 {
                streamed_text(&gateway.chat(&ask_stream(&said)).await)
            } else {
                plain_text(&gateway.chat(&ask(&said).to_string()).await)
            };
            assert_eq!(told, said);
        });
    }
    calls.join_all().await;
    for seen in upstream.requests() {
        assert!(!seen.text().contains("mail.kz"), "{}", seen.text());
        assert!(
            seen.text().contains("[EMAIL_1], not to [EMAIL_2]"),
            "{}",
            seen.text()
        );
    }
    let metrics = gateway.ask_admin("/metrics").await;
    let counted = "pillion_pii_found_total{route=\"chat\",class=\"email\"} 32\n";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[tokio::test]
async fn a_fallback_and_whoever_goes_on_see_no_more_than_the_first() {
    let broken = |_: &Seen| {
        let half = role() + &text("Write to [EMA");
        let length = half.len();
        Reply::sse(half + &text("never seen")).cut_at(length, End::Fin)
    };
    let first = Upstream::always(Reply::error(500, "server_error", None, "no")).await;
    let second = Upstream::choosing(broken).await;
    let third = Upstream::always(Reply::sse(
        role()
            + &text("IL_1] and ")
            + &text("[CARD_1]!")
            + &fixture::finish("stop")
            + fixture::DONE,
    ))
    .await;
    let config = Config::of(&[&first, &second, &third])
        .knob(MASK)
        .knob("on_break: continue");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask_stream(&format!("{CARD}, {MAIL}"))).await;
    assert_eq!(
        streamed_text(&answer),
        format!("Write to {MAIL} and {CARD}!"),
        "{}",
        answer.text()
    );
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.classes().last(), Some(&"ok"), "{}", record.0);
    for upstream in [&first, &second, &third] {
        assert!(upstream.hits() > 0);
        for seen in upstream.requests() {
            no_value_in("sent", seen.text());
        }
    }
    assert!(third.requests()[0].text().contains("Write to [EMA"));
}

#[tokio::test]
async fn a_stream_that_breaks_loses_nothing_of_what_was_held_back() {
    let half = role() + &text("So [EMAIL_1] and [EMA");
    let length = half.len();
    let cut = Reply::sse(half + &text("IL")).cut_at(length, End::Fin);
    let upstream = Upstream::always(cut).await;
    let gateway = Gateway::start(Config::of(&[&upstream]).knob(MASK)).await;
    let answer = gateway.chat(&ask_stream(MAIL)).await;
    assert_eq!(streamed_text(&answer), format!("So {MAIL} and [EMA"));
    let last = answer.data().last().unwrap().to_string();
    assert!(last.contains("stream_broken"), "{last}");
}

#[tokio::test]
async fn counts_and_embeddings_are_asked_for_what_is_masked() {
    let vectors = json!({ "object": "list", "model": "m", "data": [
        { "object": "embedding", "index": 0, "embedding": [0.5] }],
        "usage": { "prompt_tokens": 1, "total_tokens": 1 } });
    let upstream = Upstream::always(Reply::json(vectors.to_string())).await;
    let counts = Upstream::always(Reply::json("{\"input_tokens\":7}")).await;
    let config = Config::of(&[&upstream])
        .kind_alone("claude", Kind::Anthropic, &counts)
        .knob(MASK)
        .route(
            "count",
            &format!("{{ targets: [claude/claude-haiku-4-5], {MASK} }}"),
        );
    let gateway = Gateway::start(config).await;
    let body = json!({ "model": "chat", "input": [MAIL, "x"] }).to_string();
    let answer = gateway.post("/v1/embeddings", &[], &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = json!({ "model": "count", "messages": [{ "role": "user", "content": MAIL }] });
    let answer = gateway
        .post("/v1/messages/count_tokens", &[], &body.to_string())
        .await;
    assert_eq!(answer.json(), json!({ "input_tokens": 7 }));
    for upstream in [&upstream, &counts] {
        let seen = upstream.requests();
        assert!(seen[0].text().contains("[EMAIL_1]"), "{}", seen[0].text());
        no_value_in("sent", seen[0].text());
    }
}

#[tokio::test]
async fn what_is_blocked_goes_nowhere_and_its_values_are_not_told() {
    let upstream = Upstream::choosing(echo).await;
    let config = Config::of(&[&upstream])
        .root("privacy: { detectors: { loan: { pattern: \"LN-\\\\d{4}\" } } }")
        .knob("privacy: { block: [card, loan], observe: [email] }");
    let gateway = Gateway::start(config).await;
    let answer = gateway
        .chat(&ask(&format!("{CARD} LN-1234 {MAIL}")).to_string())
        .await;
    assert_eq!(answer.status, 400);
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], "personal_data_blocked");
    assert_eq!(
        error["message"],
        "The request holds personal data that this route does not take: card, loan."
    );
    let record = gateway.audit(answer.id()).await;
    let found = json!({ "email": 1, "card": 1, "loan": 1 });
    assert_eq!(
        record.0["privacy"],
        json!({ "found": found, "action": "block" })
    );
    assert_eq!(record.text("reason"), "personal_data_blocked");
    assert_eq!(upstream.hits(), 0);
    // What is only observed goes as it came.
    let answer = gateway.chat(&ask(MAIL).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(upstream.requests()[0].text().contains(MAIL));
    let record = gateway.audit(answer.id()).await;
    let observed = json!({ "found": { "email": 1 }, "action": "observe" });
    assert_eq!(record.0["privacy"], observed);
    let nothing = gateway.chat(&ask("Hi").to_string()).await;
    let record = gateway.audit(nothing.id()).await;
    assert_eq!(record.0["privacy"], json!({ "found": {}, "action": null }));
    no_value_in("the log", &gateway.log());
}

fn image(route: &str) -> String {
    let url = json!({ "type": "image_url", "image_url": { "url": "https://x.kz/a.png" } });
    json!({ "model": route, "messages": [{ "role": "user", "content": [url] }] }).to_string()
}

#[tokio::test]
async fn a_rule_for_personal_data_says_where_it_goes_and_what_nobody_can_read() {
    let (outside, inside) = (
        Upstream::choosing(echo).await,
        Upstream::choosing(echo).await,
    );
    let rule =
        "rules: [{ name: personal, when: { pii: [email] }, targets: [inside/m], only: true }]";
    let config = Config::new()
        .provider_alone("outside", &outside.base_url(), "")
        .provider_alone("inside", &inside.base_url(), "")
        .route("chat", &format!("{{ targets: [outside/m], {rule} }}"))
        .route(
            "both",
            &format!("{{ targets: [outside/m], {rule}, {MASK} }}"),
        )
        .route("masked", &format!("{{ targets: [outside/m], {MASK} }}"))
        .route(
            "open",
            "{ targets: [outside/m], privacy: { mask: [email], unscannable: pass } }",
        )
        .route(
            "blocked",
            &format!("{{ targets: [outside/m], {rule}, privacy: {{ block: [card] }} }}"),
        );
    let gateway = Gateway::start(config).await;
    let to = |answer: &Answer| answer.header("x-pillion-target").map(str::to_owned);
    let large = format!("{MAIL} {}", "word ".repeat(20_000));
    for (body, target) in [
        (ask("Hi").to_string(), "outside/m"),
        (ask(MAIL).to_string(), "inside/m"),
        (ask(&large).to_string(), "inside/m"),
        (ask(&large[MAIL.len()..]).to_string(), "outside/m"),
        (image("chat"), "inside/m"),
        (image("both"), "inside/m"),
        (image("open"), "outside/m"),
    ] {
        let answer = gateway.chat(&body).await;
        assert_eq!(to(&answer).as_deref(), Some(target), "{}", answer.text());
    }
    for route in ["masked", "blocked"] {
        let answer = gateway.chat(&image(route)).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        let error = answer.json()["error"].clone();
        assert_eq!(error["code"], "personal_data_unreadable", "{route}");
        let told = "This route lets no personal data out, and cannot look into an image.";
        assert_eq!(error["message"], told);
    }
    // What passes through is not read at all.
    for (route, status) in [
        ("masked", 400),
        ("blocked", 400),
        ("both", 200),
        ("open", 200),
    ] {
        let body = json!({ "model": route, "prompt": "Hi", "messages": [{ "content": "x" }] });
        let answer = gateway
            .post("/v1/images/generations", &[], &body.to_string())
            .await;
        assert_eq!(answer.status, status, "{route}: {}", answer.text());
    }
    for seen in outside.requests() {
        no_value_in("outside", seen.text());
    }
}

#[tokio::test]
async fn a_large_request_is_masked_and_comes_back_like_a_small_one() {
    let upstream = Upstream::choosing(echo).await;
    let gateway = Gateway::start(Config::of(&[&upstream]).knob(MASK)).await;
    let mut said = String::new();
    for number in 0..8000 {
        let _ = write!(said, "Client {number} has p{number}@mail.kz. ");
    }
    assert!(said.len() > 128 << 10);
    let answer = gateway.chat(&ask(&said).to_string()).await;
    assert_eq!(answer.json()["choices"][0]["message"]["content"], *said);
    assert!(!upstream.requests()[0].text().contains("mail.kz"));
}

#[tokio::test]
async fn a_route_may_leave_the_placeholders() {
    let upstream = Upstream::choosing(echo).await;
    let config = Config::of(&[&upstream]).knob("privacy: { mask: [email], unmask: false }");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask(MAIL).to_string()).await;
    assert_eq!(
        answer.json()["choices"][0]["message"]["content"],
        "[EMAIL_1]"
    );
}

#[tokio::test]
async fn what_is_asked_again_is_the_callers_own_answer() {
    let upstream = Upstream::choosing(echo).await;
    let config = Config::of(&[&upstream])
        .knob(MASK)
        .knob("rules: [{ name: gold, when: { tag: { tier: gold } }, targets: [first/gold] }]");
    let gateway = Gateway::start(config).await;
    for body in [ask(MAIL).to_string(), ask_stream(MAIL)] {
        let key = [(
            "idempotency-key",
            if body.contains("stream") { "a" } else { "b" },
        )];
        let before = upstream.hits();
        let one = gateway.post(CHAT, &key, &body).await;
        let two = gateway.post(CHAT, &key, &body).await;
        assert_eq!(two.header("x-pillion-joined"), Some("true"));
        assert!(one.text() == two.text(), "{} {}", one.text(), two.text());
        assert_eq!(upstream.hits(), before + 1);
        // Under another rule it might have gone elsewhere.
        let tagged = [key[0], ("x-pillion-tag-tier", "gold")];
        let other = gateway.post(CHAT, &tagged, &body).await;
        assert_eq!(other.status, 409, "{}", other.text());
    }
}
