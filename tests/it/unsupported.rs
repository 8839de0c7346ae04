//! What a target cannot be told, on every surface: dropped and named, refused, or left to a target
//! that takes it; and what its provider would run is asked for once.

use serde_json::{Value, json};

use crate::support::kind::KINDS;
use crate::support::reply::End;
use crate::support::stage::{alone, pair};
use crate::support::surface::SURFACES;
use crate::support::wire::{Fault, Script, Wire};
use crate::support::{Act, Config, Gateway, Kind, Refusing, Reply, Stage, Surface, Upstream};

fn with(surface: Surface, model: &str, more: &Value) -> String {
    let mut ask = surface.asking(model, false);
    let fields = more.as_object().unwrap().clone();
    ask.as_object_mut().unwrap().extend(fields);
    ask.to_string()
}

/// A field of each surface that a target of another dialect has no word for.
fn unknown(surface: Surface) -> (&'static str, Value) {
    match surface {
        Surface::Chat => ("logit_bias", json!({ "logit_bias": { "50256": -100 } })),
        Surface::Responses => ("prompt_cache_key", json!({ "prompt_cache_key": "k" })),
        Surface::Messages => ("inference_x", json!({ "inference_x": 1 })),
    }
}

#[tokio::test]
async fn what_is_dropped_is_named_and_what_speaks_the_same_is_told_all() {
    let stage = Stage::new().await;
    for kind in KINDS {
        stage.cast(kind, Act::Says(Script::text(&["Hello"])));
        for surface in SURFACES {
            let (name, more) = unknown(surface);
            let before = stage.upstream(kind).hits();
            let ask = with(surface, &alone(kind), &more);
            let (answer, record) = stage.ask(surface, &ask).await;
            let what = format!("{kind:?}, {surface:?}: {} {}", answer.text(), record.0);
            assert_eq!(answer.status, 200, "{what}");
            let seen = stage.upstream(kind).request(before).await;
            let told = seen.text().contains(name);
            let dropped = answer.header("x-pillion-dropped");
            if kind.speaks(surface) {
                assert!(told && dropped.is_none(), "{what}");
                assert_eq!(record.0["dropped"], Value::Null, "{what}");
            } else {
                assert!(!told, "{what}");
                assert_eq!(dropped, Some(name), "{what}");
                assert_eq!(record.0["dropped"], json!([name]), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_route_that_rejects_asks_whoever_takes_it_or_nobody() {
    let stage = Stage::with("", ", unsupported: reject").await;
    for kind in KINDS {
        for surface in SURFACES {
            let (name, more) = unknown(surface);
            if kind.speaks(surface) {
                continue;
            }
            let before = stage.upstream(kind).hits();
            let (answer, record) = stage
                .ask(surface, &with(surface, &alone(kind), &more))
                .await;
            let what = format!("{kind:?}, {surface:?}: {} {}", answer.text(), record.0);
            assert_eq!(answer.status, 400, "{what}");
            let (code, param) = surface.error(&answer);
            assert_eq!(code, "unsupported_parameter", "{what}");
            if surface != Surface::Messages {
                assert_eq!(param.as_deref(), Some(name), "{what}");
            }
            assert!(answer.text().contains(name), "{what}");
            // Its own dialect has the word.
            let own = match surface {
                Surface::Chat => Kind::Compatible,
                Surface::Responses => Kind::OpenAi,
                Surface::Messages => Kind::Anthropic,
            };
            stage.cast(own, Act::Says(Script::text(&["taken"])));
            let ask = with(surface, &pair(kind, own), &more);
            let (answer, record) = stage.ask(surface, &ask).await;
            let what = format!("{kind:?}, {own:?}, {surface:?}: {}", record.0);
            assert_eq!(surface.read(&answer, false).text, "taken", "{what}");
            assert_eq!(record.classes(), ["ok"], "{what}");
            assert_eq!(stage.upstream(kind).hits(), before, "{what}");
        }
    }
}

/// What would make another answer is never dropped: the parameter, and who takes it.
fn refused() -> Vec<(Surface, &'static str, Value, Kind)> {
    use Surface::{Chat, Messages, Responses};
    let search = json!([{ "type": "web_search" }]);
    let search_of_claude = json!([{ "type": "web_search_20250305", "name": "web_search" }]);
    let mcp = json!([{ "type": "url", "url": "https://x.test", "name": "x" }]);
    vec![
        (Chat, "n", json!({ "n": 2 }), Kind::Compatible),
        (
            Chat,
            "logprobs",
            json!({ "logprobs": true }),
            Kind::Compatible,
        ),
        (
            Chat,
            "web_search_options",
            json!({ "web_search_options": {} }),
            Kind::Compatible,
        ),
        (
            Responses,
            "previous_response_id",
            json!({ "previous_response_id": "resp_0" }),
            Kind::OpenAi,
        ),
        (Responses, "store", json!({ "store": true }), Kind::OpenAi),
        (
            Responses,
            "background",
            json!({ "background": true }),
            Kind::OpenAi,
        ),
        (Responses, "tools", json!({ "tools": search }), Kind::OpenAi),
        (
            Messages,
            "tools",
            json!({ "tools": search_of_claude }),
            Kind::Anthropic,
        ),
        (
            Messages,
            "mcp_servers",
            json!({ "mcp_servers": mcp }),
            Kind::Anthropic,
        ),
    ]
}

#[tokio::test]
async fn what_changes_the_answer_goes_to_whoever_has_it_or_is_a_clear_400() {
    let stage = Stage::new().await;
    for (surface, name, more, own) in refused() {
        for kind in KINDS.into_iter().filter(|kind| !kind.speaks(surface)) {
            let before = stage.upstream(kind).hits();
            let (answer, record) = stage
                .ask(surface, &with(surface, &alone(kind), &more))
                .await;
            let what = format!(
                "{name}, {kind:?}, {surface:?}: {} {}",
                answer.text(),
                record.0
            );
            assert_eq!(answer.status, 400, "{what}");
            let (code, param) = surface.error(&answer);
            assert_eq!(code, "unsupported_parameter", "{what}");
            if surface != Surface::Messages {
                let param = param.unwrap_or_default();
                assert!(param.starts_with(name), "{what}");
            }
            assert_eq!(record.outcome(), "error", "{what}");
            assert_eq!(stage.upstream(kind).hits(), before, "{what}");
            stage.cast(own, Act::does(two));
            let ask = with(surface, &pair(kind, own), &more);
            let (answer, record) = stage.ask(surface, &ask).await;
            let what = format!("{name}, {kind:?}, {own:?}, {surface:?}: {}", record.0);
            assert_eq!(answer.status, 200, "{what} {}", answer.text());
            let target = own.target(&alone(own));
            assert_eq!(answer.header("x-pillion-target"), Some(&*target), "{what}");
            assert_eq!(stage.upstream(kind).hits(), before, "{what}");
        }
    }
}

/// An answer of two choices, where there are choices.
fn two(wire: Wire, streamed: bool) -> Reply {
    let script = Script::text(&["taken"]);
    if wire != Wire::Chat || streamed {
        return wire.reply(streamed, &script);
    }
    let mut answer: Value = serde_json::from_str(&crate::support::fixture::plain("taken")).unwrap();
    let mut second = answer["choices"][0].clone();
    second["index"] = 1.into();
    answer["choices"].as_array_mut().unwrap().push(second);
    Reply::json(answer.to_string())
}

/// Requests that let the provider run something, of each surface: what they ask with, and whom.
fn executing() -> [(Surface, Value, Kind); 3] {
    [
        (
            Surface::Chat,
            json!({ "web_search_options": {} }),
            Kind::Compatible,
        ),
        (
            Surface::Responses,
            json!({ "tools": [{ "type": "web_search" }] }),
            Kind::OpenAi,
        ),
        (
            Surface::Messages,
            json!({ "tools": [{ "type": "web_search_20250305", "name": "web_search" }] }),
            Kind::Anthropic,
        ),
    ]
}

#[tokio::test]
async fn what_the_provider_runs_is_asked_again_only_if_it_never_began() {
    for (surface, more, kind) in executing() {
        let rows = [
            (Fault::Rate, true),
            (Fault::Overloaded, true),
            (Fault::Server, false),
            (Fault::Reset, false),
            (Fault::BrokenJson, false),
            (Fault::ErrorInside, false),
            (Fault::Empty, false),
        ];
        for (fault, again) in rows {
            let wire = kind.wire(surface);
            let first = Upstream::always(fault.reply(wire, false)).await;
            let second = Upstream::always(wire.reply(false, &Script::text(&["once"]))).await;
            let config = Config::new()
                .kind("a", kind, &first)
                .kind("b", kind, &second);
            let gateway = Gateway::start(config).await;
            let answer = gateway
                .post(surface.path(), &[], &with(surface, "chat", &more))
                .await;
            let record = gateway.audit(answer.id()).await;
            let what = format!("{fault:?}, {surface:?}: {} {}", answer.text(), record.0);
            assert_eq!(answer.status == 200, again, "{what}");
            assert_eq!(first.hits(), 1, "{what}");
            assert_eq!(second.hits(), usize::from(again), "{what}");
        }
    }
}

#[tokio::test]
async fn what_the_provider_runs_goes_on_where_there_was_no_connection() {
    let nobody = Refusing::new();
    let second = Upstream::always(Wire::Chat.reply(false, &Script::text(&["once"]))).await;
    let config = Config::new()
        .refusing("a", &nobody)
        .kind("b", Kind::Compatible, &second);
    let gateway = Gateway::start(config).await;
    let more = json!({ "web_search_options": {} });
    let answer = gateway.chat(&with(Surface::Chat, "chat", &more)).await;
    assert_eq!(Surface::Chat.read(&answer, false).text, "once");
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.classes(), ["connect", "connect", "ok"]);
}

/// A reply that breaks off is no reason to ask twice either, also of a stream.
#[tokio::test]
async fn a_stream_of_what_the_provider_runs_is_asked_for_once() {
    for (surface, more, kind) in executing() {
        let wire = kind.wire(surface);
        let first = Upstream::always(Reply::nothing(End::Fin)).await;
        let second = Upstream::always(wire.reply(true, &Script::text(&["twice"]))).await;
        let config = Config::new()
            .kind("a", kind, &first)
            .kind("b", kind, &second);
        let gateway = Gateway::start(config).await;
        let mut ask = surface.asking("chat", true);
        ask.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let answer = gateway.post(surface.path(), &[], &ask.to_string()).await;
        assert_eq!(answer.status, 502, "{surface:?}: {}", answer.text());
        assert_eq!((first.hits(), second.hits()), (1, 0), "{surface:?}");
    }
}
