//! The content of an exchange in its record: masked, bounded, and nowhere else.

use serde_json::json;

use crate::support::fixture::{self, role, text};
use crate::support::kind::KINDS;
use crate::support::reply::End;
use crate::support::surface::SURFACES;
use crate::support::upstream::Seen;
use crate::support::wire::Script;
use crate::support::{Act, Client, Stage};

use super::*;

const MASKED: &str = "content: masked";
const MAIL: &str = "anna.k@mail.kz";
const CARD: &str = "4111 1111 1111 1111";
const IIN: &str = "880101300209";
/// What the model says of its own accord.
const INVENTED: &str = "eva@mail.kz";
/// More than is kept of a text, also once it is masked.
const MORE: usize = 140 << 10;

fn no_value_in(what: &str, text: &str) {
    // Digits alone stand in hashes by chance.
    for value in [MAIL, "anna.k", CARD, "4111 ", IIN, INVENTED, "eva@"] {
        assert!(!text.contains(value), "{what}: {text}");
    }
}

fn asking(said: &str, streamed: bool) -> String {
    let asking = json!({ "model": "chat", "stream": streamed,
        "messages": [{ "role": "user", "content": said }] });
    asking.to_string()
}

/// What was said last, said again: as a stream of letters, or of a hundred pieces, where one is asked for.
fn echo(seen: &Seen) -> Reply {
    let asked = seen.json();
    let said = asked["messages"][0]["content"]
        .as_str()
        .unwrap_or("an image");
    if asked["stream"] != true {
        return Reply::json(plain(said));
    }
    let letters: Vec<char> = said.chars().collect();
    let pieces = letters.chunks(letters.len() / 100 + 1);
    let letters: String = pieces
        .map(|piece| text(&String::from_iter(piece)))
        .collect();
    Reply::sse(role() + &letters + &fixture::finish("stop") + fixture::DONE)
}

/// The request and the answer that a record has, as JSON.
fn held(record: &Value) -> (Value, Value) {
    let read = |key: &str| -> Value {
        let text = record["content"][key].as_str();
        text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
    };
    assert_eq!(record["content"]["cut"], false, "{record:#}");
    (read("request"), read("answer"))
}

#[tokio::test]
async fn a_record_holds_the_same_of_every_provider_on_every_surface() {
    // Where the route masks, a provider sees placeholders alone, and writes those.
    let known = Script::calls(
        &["Dear ", "ann", "a.k@mail.kz", ", 4111 1111 1111 1111"],
        &[(
            "call_1",
            "weather",
            &["{\"to\":\"eva@mail.kz\",\"of\":[\"ann", "a.k@mail.kz\"]}"],
        )],
    );
    let masked = Script::calls(
        &["Dear ", "[EM", "AIL_1]", ", 4111 1111 1111 1111"],
        &[(
            "call_1",
            "weather",
            &["{\"to\":\"eva@mail.kz\",\"of\":[\"[EM", "AIL_1]\"]}"],
        )],
    );
    for (more, script) in [("", known), (", privacy: { mask: [email] }", masked)] {
        let stage = Stage::with("", &format!(", {MASKED}{more}")).await;
        for kind in KINDS {
            stage.cast(kind, Act::Says(script.clone()));
            for surface in SURFACES {
                for streamed in [false, true] {
                    let what = format!("{kind:?} {surface:?}, streamed: {streamed}{more}");
                    let mut asking = surface.asking(&stage.alone(kind), streamed);
                    asking["tools"] = surface.tools(&["weather"]);
                    let asking = asking.to_string();
                    let asking = asking.replace("\"Hi\"", &format!("\"I am {MAIL}, {IIN}\""));
                    let (answer, record) = stage.ask(surface, &asking).await;
                    let told = surface.read(&answer, streamed);
                    assert_eq!(told.text, format!("Dear {MAIL}, {CARD}"), "{what}");
                    let (request, answer) = held(&record.0);
                    let masked = asking.replace(MAIL, "[EMAIL_1]").replace(IIN, "[IIN_1]");
                    let masked: Value = serde_json::from_str(&masked).unwrap();
                    assert_eq!(request, masked, "{what}");
                    let arguments = json!({ "to": "[EMAIL_2]", "of": ["[EMAIL_1]"] });
                    let expected = json!([{ "text": "Dear [EMAIL_1], [CARD_1]" },
                        { "call": "weather", "arguments": arguments.to_string() }]);
                    assert_eq!(answer, expected, "{what}");
                }
            }
        }
        for line in stage.gateway.record_lines(0) {
            no_value_in("a record", &line);
        }
        no_value_in("the log", &stage.gateway.log());
    }
}

#[tokio::test]
async fn content_is_recorded_where_the_configuration_says_it_and_nowhere_else() {
    let first = Upstream::choosing(echo).await;
    let target = first.base_url();
    let config = |audit: &str| {
        let config = Config::new().provider_alone("a", &target, "");
        let names = [
            ("plain", ""),
            ("none", ", content: none"),
            ("masked", ", content: masked"),
        ];
        let config = names.iter().fold(config, |config, (name, more)| {
            config.route(name, &format!("{{ targets: [a/m]{more} }}"))
        });
        config
            .audit(audit)
            .root("admin_token: \"file:$FOLDER/admin\"")
            .file("admin", "canary-1")
    };
    for (audit, expected) in [
        ("", [false, false, true]),
        ("content: masked", [true, false, true]),
    ] {
        let gateway = Gateway::start(config(audit)).await;
        for (route, has_content) in ["plain", "none", "masked"].iter().zip(expected) {
            let body = asking(MAIL, false).replace("\"chat\"", &format!("\"{route}\""));
            let answer = gateway.chat(&body).await;
            let record = gateway.audit(answer.id()).await.0;
            assert_eq!(
                record["content"].is_object(),
                has_content,
                "{audit} {route}"
            );
            // Neither passes through with it.
            let passed = gateway.post("/v1/images/generations", &[], &body).await;
            let record = gateway.audit(passed.id()).await.0;
            assert_eq!(record["content"], Value::Null);
            // The admin port tells of it by the token alone.
            let told = async || {
                let mut client = Client::connect(gateway.admin).await;
                let path = format!("/api/requests/{}", answer.id());
                let headers = [
                    ("authorization", "Bearer canary-1"),
                    ("connection", "close"),
                ];
                client.get(&path, &headers).await;
                client.answer().await.rest().await
            };
            soon("it is among the newest", async {
                while told().await.status != 200 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            let told = told().await.json();
            assert_eq!(told["content"].is_object(), has_content);
            let list = gateway.ask_admin("/api/requests").await;
            assert!(!list.text().contains("[EMAIL_1]"), "{}", list.text());
        }
    }
}

#[tokio::test]
async fn what_has_no_answer_of_its_own_has_its_request() {
    let half = role() + &text(&format!("It is {MAIL} and ")) + &text("411");
    let length = half.len();
    let broken = Reply::sse(half + &text("1 1111")).cut_at(length, End::Fin);
    let first =
        Upstream::choosing(
            move |seen| match seen.json()["messages"][0]["content"].as_str() {
                Some(said) if said.contains("break") => broken.clone(),
                Some(said) if said.contains("fail") => Reply::error(400, "x", None, "no"),
                _ => echo(seen),
            },
        )
        .await;
    let config = Config::of(&[&first])
        .knob(MASKED)
        .knob("privacy: { block: [card] }");
    let gateway = Gateway::start(config).await;
    let chat = "/v1/chat/completions";
    let key = [("idempotency-key", "a")];
    let said = json!([{ "text": "[EMAIL_1]" }]);
    for (headers, said_first, streamed, expected) in [
        (&[][..], format!("{MAIL} fail"), false, Value::Null),
        (&[], format!("{MAIL} {CARD}"), false, Value::Null),
        (
            &[],
            format!("{MAIL} break"),
            true,
            json!([{ "text": "It is [EMAIL_1] and " }]),
        ),
        (&key, MAIL.to_owned(), false, said),
        (&key, MAIL.to_owned(), false, Value::Null),
    ] {
        let body = asking(&said_first, streamed);
        let answer = gateway.post(chat, headers, &body).await;
        let record = gateway.audit(answer.id()).await.0;
        let (request, answer) = held(&record);
        let masked = said_first
            .replace(MAIL, "[EMAIL_1]")
            .replace(CARD, "[CARD_1]");
        assert_eq!(request["messages"][0]["content"], masked);
        assert_eq!(answer, expected, "{record:#}");
        no_value_in("a record", &record.to_string());
    }
}

#[tokio::test]
async fn a_caller_that_leaves_has_the_answer_recorded_as_far_as_it_came() {
    let gate = crate::support::gate::Gate::new();
    let said = role() + &text("Dear Anna, ") + &text(&format!("{INVENTED} is ")) + &text("well");
    let stream = Reply::sse(said + &fixture::finish("stop") + fixture::DONE);
    let first = Upstream::always(stream.pause_after(3, &gate)).await;
    let gateway = Gateway::start(Config::of(&[&first]).knob(MASKED)).await;
    let mut stream = gateway.stream(&asking(MAIL, true)).await;
    let id = stream.head.header("x-request-id").unwrap().to_owned();
    while !stream.event().await.unwrap().contains(INVENTED) {}
    stream.leave().await;
    let record = gateway.audit(&id).await;
    assert_eq!(record.outcome(), "cancelled");
    let (_, answer) = held(&record.0);
    assert_eq!(answer, json!([{ "text": "Dear Anna, [EMAIL_2] is " }]));
}

#[tokio::test]
async fn long_content_is_cut_and_its_records_are_a_chain_that_is_rotated_and_sent() {
    let (first, collector) = (
        Upstream::choosing(echo).await,
        sinks::Collector::new().await,
    );
    let keys = format!(
        "{MASKED}, to: [file, https], rotate: 300kB, {}",
        collector.keys("20ms")
    );
    let config = Config::of(&[&first]).audit(&keys);
    let gateway = Gateway::start(config).await;
    let word = format!("Ä {MAIL} ");
    let long = word.repeat(MORE / word.len());
    for streamed in [false, true, false, true, false, true] {
        let answer = gateway.chat(&asking(&long, streamed)).await;
        assert_eq!(answer.status, 200);
    }
    // Where a record lies in the end is the rotation's to say: the collector has them all.
    collector.has(6).await;
    let stored = collector.stored();
    for line in stored.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let content = &record["content"];
        assert_eq!(content["cut"], true);
        for key in ["request", "answer"] {
            let text = content[key].as_str().unwrap();
            assert!(
                text.len() <= 64 << 10 && text.len() > 40 << 10,
                "{key}: {}",
                text.len()
            );
            assert!(text.contains("Ä [EMAIL_1] Ä"), "{key}");
        }
        no_value_in("a record", line);
    }
    assert_eq!(collector.verified(&[]).await.0, 0);
    gateway.signal("TERM");
    let folder = gateway.left().await;
    let files = files(&folder);
    assert!(files.len() > 1, "{files:?}");
    let (code, report) = verified(&files, &[]).await;
    assert_eq!((code, &report["records"]), (0, &json!(6)), "{report:#}");
    let all: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let (code, said) = pillion(&[&["report", "--json"], &*all].concat()).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("\"requests\": 6") || said.contains("\"requests\":6"),
        "{said}"
    );
}
