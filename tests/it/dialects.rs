//! Whoever answers, the caller sees the one schema of the surface that it asks: every surface before
//! every kind of provider, plain and streamed.

use serde_json::{Value, json};

use crate::support::kind::KINDS;
use crate::support::stage::alone;
use crate::support::surface::{Finish, SURFACES, Told};
use crate::support::wire::{self, CLOCK, NOW, Script, WEATHER, Wire};
use crate::support::{Act, Kind, Stage, Surface};

/// One scene of the table: what a provider says, and how that ends for the caller.
type Scene = (&'static str, Script, Finish);

fn scenes() -> Vec<Scene> {
    let text = || Script::text(&["Hel", "lo, ", "wörld!"]);
    vec![
        ("text", text(), Finish::Stop),
        (
            "thinking",
            Script::thinking("Let me see.", &["Hel", "lo"]),
            Finish::Stop,
        ),
        (
            "parallel calls",
            Script::calls(&[], &[WEATHER, CLOCK]),
            Finish::Calls,
        ),
        (
            "text and a call",
            Script::calls(&["Wait."], &[WEATHER]),
            Finish::Calls,
        ),
        (
            "a call without arguments",
            Script::calls(&[], &[NOW]),
            Finish::Calls,
        ),
        ("length", text().ends(wire::Finish::Length), Finish::Length),
        (
            "filtered",
            text().ends(wire::Finish::Filtered),
            Finish::Filter,
        ),
    ]
}

fn check(told: &Told, script: &Script, finish: Finish, model: &str, what: &str) {
    assert_eq!(told.text, script.texts.concat(), "{what}");
    assert_eq!(told.calls, script.whole_calls(), "{what}");
    assert_eq!(told.thought, script.thought.unwrap_or_default(), "{what}");
    assert_eq!(told.finish, finish, "{what}");
    assert_eq!(told.model, model, "{what}");
    assert_eq!(told.usage, Some((9, 3)), "{what}");
    assert_eq!(told.error, None, "{what}");
    let mut ids = told.ids.clone();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), script.calls.len(), "{what}: {:?}", told.ids);
}

#[tokio::test]
async fn every_surface_shows_its_own_schema_whoever_answers() {
    let stage = Stage::new().await;
    for kind in KINDS {
        for (scene, script, finish) in scenes() {
            stage.cast(kind, Act::Says(script.clone()));
            let model = alone(kind);
            let target = kind.target(&model);
            // Records come a moment later, and several at once: the requests are made first.
            let mut answers = Vec::new();
            for surface in SURFACES {
                for streamed in [false, true] {
                    let mut ask = surface.asking(&model, streamed);
                    ask["tools"] = surface.tools(&["weather", "clock", "now"]);
                    let ask = ask.to_string();
                    let answer = stage.gateway.post(surface.path(), &[], &ask).await;
                    answers.push((surface, streamed, answer));
                }
            }
            for (surface, streamed, answer) in answers {
                let what = format!("{kind:?}, {scene}, {surface:?}, streamed: {streamed}");
                let record = stage.gateway.audit(answer.id()).await;
                assert_eq!(answer.status, 200, "{what}: {} {}", answer.text(), record.0);
                let told = surface.read(&answer, streamed);
                check(&told, &script, finish, &model, &what);
                assert_eq!(answer.header("x-pillion-target"), Some(&*target), "{what}");
                assert_eq!(answer.header("x-pillion-attempts"), Some("1"), "{what}");
                assert_eq!(answer.header("x-pillion-dropped"), None, "{what}");
                check_record(&record, surface, streamed, &target, &what);
            }
        }
    }
}

fn check_record(
    record: &crate::support::Record,
    surface: Surface,
    streamed: bool,
    target: &str,
    what: &str,
) {
    let line = &record.0;
    assert_eq!(record.text("surface"), surface.name(), "{what}: {line}");
    assert_eq!(line["stream"], streamed, "{what}: {line}");
    assert_eq!(record.outcome(), "ok", "{what}: {line}");
    assert_eq!(record.classes(), ["ok"], "{what}: {line}");
    assert_eq!(record.targets(), [target], "{what}: {line}");
    assert_eq!(record.text("target"), target, "{what}: {line}");
    assert_eq!(record.number("status"), Some(200), "{what}: {line}");
    let usage = (&line["usage"]["prompt"], &line["usage"]["completion"]);
    assert_eq!(usage, (&json!(9), &json!(3)), "{what}: {line}");
    assert!(record.number("first_token_ms").is_some(), "{what}: {line}");
    assert!(
        record.number("first_token_ms") <= record.number("total_ms"),
        "{what}: {line}"
    );
}

/// Where each kind is asked, and with which header.
#[tokio::test]
async fn each_kind_is_asked_at_its_own_address_with_its_own_key() {
    let stage = Stage::new().await;
    let models = "/v1/projects/p/locations/europe-west4/publishers";
    let gemini = "gemini-2.5-flash";
    let claude = "claude-haiku-4-5%4020251001";
    let nova = "/model/amazon.nova-lite-v1%3A0";
    let on_bedrock = "/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0";
    let bearer = ("authorization", "Bearer secret-canary");
    for (kind, surface, path, (header, value)) in [
        (
            Kind::OpenAi,
            Surface::Chat,
            "/v1/chat/completions".to_owned(),
            bearer,
        ),
        (
            Kind::OpenAi,
            Surface::Responses,
            "/v1/responses".to_owned(),
            bearer,
        ),
        (
            Kind::OpenAi,
            Surface::Messages,
            "/v1/chat/completions".to_owned(),
            bearer,
        ),
        (
            Kind::Anthropic,
            Surface::Chat,
            "/v1/messages".to_owned(),
            ("x-api-key", "secret-canary"),
        ),
        (
            Kind::Gemini,
            Surface::Responses,
            format!("/v1beta/models/{gemini}:streamGenerateContent?alt=sse"),
            ("x-goog-api-key", "secret-canary"),
        ),
        (
            Kind::Vertex,
            Surface::Messages,
            format!("{models}/google/models/{gemini}:streamGenerateContent?alt=sse"),
            bearer,
        ),
        (
            Kind::VertexClaude,
            Surface::Chat,
            format!("{models}/anthropic/models/{claude}:streamRawPredict"),
            bearer,
        ),
        (
            Kind::Bedrock,
            Surface::Chat,
            format!("{nova}/converse-stream"),
            bearer,
        ),
        (
            Kind::BedrockClaude,
            Surface::Responses,
            format!("{on_bedrock}/converse-stream"),
            bearer,
        ),
        (
            Kind::BedrockClaude,
            Surface::Messages,
            format!("{on_bedrock}/invoke-with-response-stream"),
            bearer,
        ),
    ] {
        let before = stage.upstream(kind).hits();
        let body = surface.asking(&alone(kind), true).to_string();
        let token = [
            ("authorization", "Bearer the-callers"),
            ("x-api-key", "the-callers"),
        ];
        let answer = stage.gateway.post(surface.path(), &token, &body).await;
        assert_eq!(answer.status, 200, "{kind:?}: {}", answer.text());
        let seen = stage.upstream(kind).request(before).await;
        let asked = seen.head.split(' ').nth(1).unwrap();
        assert_eq!(asked, path, "{kind:?}");
        assert_eq!(seen.header(header), Some(value), "{kind:?}");
        assert!(
            !seen.head.contains("the-callers"),
            "{kind:?}: {}",
            seen.head
        );
        let names_model = seen.json().get("model").is_some();
        let in_body = kind.wire(surface) != Wire::Gemini
            && !path.contains(":stream")
            && !path.contains("/model/");
        assert_eq!(names_model, in_body, "{kind:?}: {}", seen.text());
    }
}

/// The conversation goes out and comes back: a call that was answered is told to the next target in
/// its own words, with the thoughts that belong to it.
#[tokio::test]
async fn an_answer_can_be_handed_back_in_the_next_turn_to_any_kind() {
    let stage = Stage::new().await;
    for kind in KINDS {
        for surface in SURFACES {
            stage.cast(
                kind,
                Act::Says(Script {
                    thought: Some("Hm."),
                    ..Script::calls(&["Wait."], &[WEATHER])
                }),
            );
            let mut ask = surface.asking(&alone(kind), false);
            ask["tools"] = surface.tools(&["weather"]);
            // Thoughts are told only to who thinks.
            match surface {
                Surface::Chat => ask["reasoning_effort"] = "low".into(),
                Surface::Responses => ask["reasoning"] = json!({ "effort": "low" }),
                Surface::Messages => {
                    ask["max_tokens"] = 4096.into();
                    ask["thinking"] = json!({ "type": "enabled", "budget_tokens": 1024 });
                }
            }
            let (first, _) = stage.ask(surface, &ask.to_string()).await;
            let next = turn(surface, &ask, &first.json());
            for second in KINDS {
                let what = format!("{kind:?}, then {second:?}, {surface:?}");
                stage.cast(second, Act::Says(Script::text(&["Sunny."])));
                let before = stage.upstream(second).hits();
                let mut ask = next.clone();
                ask["model"] = alone(second).into();
                let (answer, record) = stage.ask(surface, &ask.to_string()).await;
                assert_eq!(answer.status, 200, "{what}: {} {}", answer.text(), record.0);
                assert_eq!(surface.read(&answer, false).text, "Sunny.", "{what}");
                let sent = stage.upstream(second).request(before).await;
                let sent = sent.text();
                for told in ["Wait.", "Almaty", "-3 degrees", "weather"] {
                    assert!(sent.contains(told), "{what}: no {told} in {sent}");
                }
                let signed = sent.contains("c2lnbmVk");
                let has_signature = !matches!(kind, Kind::Compatible | Kind::OpenAi);
                let same = kind == second && has_signature;
                // Anthropic's own are good in every cloud; in its own dialect they pass as they came.
                let claudes =
                    surface == Surface::Messages && kind.speaks(surface) && second.speaks(surface);
                assert!(
                    !signed || same || claudes,
                    "{what}: a seal of another's: {sent}"
                );
                if same && surface != Surface::Chat {
                    assert!(signed, "{what}: its own seal is lost: {sent}");
                }
            }
        }
    }
}

/// The request for the turn that follows an answer with one call.
fn turn(surface: Surface, ask: &Value, answer: &Value) -> Value {
    let mut next = ask.clone();
    let result = "-3 degrees";
    match surface {
        Surface::Chat => {
            let message = answer["choices"][0]["message"].clone();
            let id = message["tool_calls"][0]["id"].clone();
            let messages = next["messages"].as_array_mut().unwrap();
            messages.push(message);
            messages.push(json!({ "role": "tool", "tool_call_id": id, "content": result }));
        }
        Surface::Responses => {
            let mut input = vec![json!({ "role": "user", "content": "Hi" })];
            let output = answer["output"].as_array().unwrap();
            input.extend(output.iter().cloned());
            let id = &output.last().unwrap()["call_id"];
            input.push(json!({ "type": "function_call_output", "call_id": id, "output": result }));
            next["input"] = input.into();
        }
        Surface::Messages => {
            let content = answer["content"].clone();
            let blocks = content.as_array().unwrap();
            let id = blocks.last().unwrap()["id"].clone();
            let result = json!({ "type": "tool_result", "tool_use_id": id, "content": result });
            let messages = next["messages"].as_array_mut().unwrap();
            messages.push(json!({ "role": "assistant", "content": content }));
            messages.push(json!({ "role": "user", "content": [result] }));
        }
    }
    next
}
