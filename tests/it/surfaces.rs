//! What the surfaces have beside answers: counts of tokens, vectors, and errors before anybody is
//! known, each in its own form whoever is asked.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::passing::key;
use crate::support::kind::KINDS;
use crate::support::reply::End;
use crate::support::upstream::Seen;
use crate::support::{Config, Gateway, Kind, Reply, Surface, Upstream};

const COUNT: &str = "/v1/messages/count_tokens";

/// A message with all that is easily miscounted.
fn countable(model: &str) -> String {
    json!({
        "model": model,
        "system": "Be brief.",
        "tools": Surface::Messages.tools(&["weather"]),
        "messages": [
            { "role": "user", "content": "How is the weather in Almaty?" },
            { "role": "assistant", "content": [
                { "type": "tool_use", "id": "toolu_1", "name": "weather", "input": { "city": "Almaty" } }
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_1", "content": "-3 degrees" }
            ] }
        ]
    })
    .to_string()
}

fn path(seen: &Seen) -> &str {
    seen.head.split(' ').nth(1).unwrap()
}

/// How each kind is asked, and answers; `None` where it cannot be.
fn counting(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::Compatible | Kind::OpenAi => None,
        Kind::Anthropic => Some(("/v1/messages/count_tokens", r#"{"input_tokens":42}"#)),
        Kind::VertexClaude => Some((
            "/v1/projects/p/locations/europe-west4/publishers/anthropic/models/count-tokens:rawPredict",
            r#"{"input_tokens":42}"#,
        )),
        Kind::Gemini => Some((
            "/v1beta/models/gemini-2.5-flash:countTokens",
            r#"{"totalTokens":42}"#,
        )),
        Kind::Vertex => Some((
            "/v1/projects/p/locations/europe-west4/publishers/google/models/gemini-2.5-flash:countTokens",
            r#"{"totalTokens":42}"#,
        )),
        Kind::Bedrock => Some((
            "/model/amazon.nova-lite-v1%3A0/count-tokens",
            r#"{"inputTokens":42}"#,
        )),
        Kind::BedrockClaude => Some((
            "/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/count-tokens",
            r#"{"inputTokens":42}"#,
        )),
    }
}

#[tokio::test]
async fn tokens_are_counted_by_who_can_and_estimated_for_who_cannot() {
    for kind in KINDS {
        let counted = counting(kind);
        let good = counted.map_or("{}", |(_, body)| body);
        let replies = vec![
            Reply::json(good),
            Reply::status(500).body("oops"),
            Reply::status(404).body("{}"),
            Reply::status(401).body("{}"),
            Reply::json("{\"broken"),
            Reply::nothing(End::Rst),
        ];
        let asks = replies.len();
        let upstream = Upstream::script(replies).await;
        let gateway = Gateway::start(Config::new().kind("first", kind, &upstream)).await;
        for number in 0..asks {
            let answer = gateway.post(COUNT, &[], &countable("chat")).await;
            let what = format!("{kind:?}, {number}: {}", answer.text());
            assert_eq!(answer.status, 200, "{what}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/json"),
                "{what}"
            );
            let body = answer.json();
            let members: Vec<&String> = body.as_object().unwrap().keys().collect();
            assert_eq!(members, ["input_tokens"], "{what}");
            let tokens = body["input_tokens"].as_u64().unwrap();
            let asked = number == 0 && counted.is_some();
            assert_eq!(tokens == 42, asked, "{what}");
            assert!((10..500).contains(&tokens), "{what}");
            let record = gateway.audit(answer.id()).await;
            assert_eq!(record.text("surface"), "count_tokens", "{what}");
            assert_eq!(record.0["stream"], false, "{what}");
            assert_eq!(record.outcome(), "ok", "{what}: {}", record.0);
        }
        match counted {
            Some((at, _)) => assert_eq!(path(&upstream.request(0).await), at, "{kind:?}"),
            None => assert_eq!(upstream.hits(), 0, "{kind:?}"),
        }
    }
}

#[tokio::test]
async fn what_cannot_be_counted_is_the_callers_error() {
    let upstream = Upstream::always(Reply::json("{}")).await;
    let gateway = Gateway::start(Config::new().kind("first", Kind::Compatible, &upstream)).await;
    for body in [
        r#"{"model":"chat"}"#,
        r#"{"model":"chat","messages":"Hi"}"#,
        r#"{"model":"chat","messages":[{"role":"user","content":7}]}"#,
    ] {
        let answer = gateway.post(COUNT, &[], body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        Surface::Messages.error(&answer);
    }
    assert_eq!(upstream.hits(), 0);
}

/// A model that makes vectors, the provider's keys, and how it answers what it is asked: for the
/// text `tN` the vector `[N, 0.5]`.
struct Vectors {
    name: &'static str,
    kind: Kind,
    model: &'static str,
    path: &'static str,
    answer: fn(&Value) -> Value,
    /// How often it is asked for three texts, and whether it counts tokens.
    calls: usize,
    counts: bool,
}

/// The vector of a text.
fn vector(text: &Value) -> Value {
    let number: f64 = text.as_str().unwrap()[1..].parse().unwrap();
    json!([number, 0.5])
}

fn vectors() -> Vec<Vectors> {
    vec![
        Vectors {
            name: "gemini",
            kind: Kind::Gemini,
            model: "gemini-embedding-001",
            path: "/v1beta/models/gemini-embedding-001:batchEmbedContents",
            answer: |ask| {
                let requests = ask["requests"].as_array().unwrap().iter();
                let one =
                    |one: &Value| json!({ "values": vector(&one["content"]["parts"][0]["text"]) });
                json!({ "embeddings": requests.map(one).collect::<Vec<_>>() })
            },
            calls: 1,
            counts: false,
        },
        Vectors {
            name: "vertex",
            kind: Kind::Vertex,
            model: "text-embedding-005",
            path: "/v1/projects/p/locations/europe-west4/publishers/google/models/text-embedding-005:predict",
            answer: |ask| {
                let instances = ask["instances"].as_array().unwrap().iter();
                let one = |one: &Value| {
                    json!({ "embeddings": {
                        "values": vector(&one["content"]),
                        "statistics": { "token_count": 3.0, "truncated": false }
                    } })
                };
                json!({ "predictions": instances.map(one).collect::<Vec<_>>() })
            },
            calls: 1,
            counts: true,
        },
        Vectors {
            name: "titan",
            kind: Kind::Bedrock,
            model: "amazon.titan-embed-text-v2:0",
            path: "/model/amazon.titan-embed-text-v2%3A0/invoke",
            answer: |ask| json!({ "embedding": vector(&ask["inputText"]), "inputTextTokenCount": 3 }),
            calls: 3,
            counts: true,
        },
        Vectors {
            name: "cohere",
            kind: Kind::Bedrock,
            model: "cohere.embed-multilingual-v3",
            path: "/model/cohere.embed-multilingual-v3/invoke",
            answer: |ask| {
                let texts = ask["texts"].as_array().unwrap().iter();
                let all: Vec<Value> = texts.map(vector).collect();
                json!({ "id": "e", "embeddings": { "float": all }, "response_type": "embeddings_by_type" })
            },
            calls: 1,
            counts: false,
        },
    ]
}

fn floats(text: &str) -> Vec<f32> {
    let bytes = BASE64_STANDARD.decode(text).unwrap();
    let floats = bytes.chunks_exact(4);
    floats
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}

#[tokio::test]
async fn vectors_are_the_same_list_whoever_makes_them() {
    for case in vectors() {
        let reply = case.answer;
        let upstream =
            Upstream::choosing(move |seen| Reply::json(reply(&seen.json()).to_string())).await;
        let route = format!("{{ targets: [\"first/{}\"] }}", case.model);
        let config = Config::new()
            .kind_alone("first", case.kind, &upstream)
            .route("vectors", &route);
        let gateway = Gateway::start(config).await;
        for (input, count) in [(json!("t7"), 1), (json!(["t1", "t2", "t3"]), 3)] {
            for format in [None, Some("float"), Some("base64")] {
                let before = upstream.hits();
                let mut ask = json!({ "model": "vectors", "input": input });
                if let Some(format) = format {
                    ask["encoding_format"] = format.into();
                }
                let answer = gateway.post("/v1/embeddings", &[], &ask.to_string()).await;
                let what = format!("{}, {count}, {format:?}: {}", case.name, answer.text());
                assert_eq!(answer.status, 200, "{what}");
                let body = answer.json();
                assert_eq!(body["object"], "list", "{what}");
                assert_eq!(body["model"], "vectors", "{what}");
                // Where nobody counts, nothing is made up.
                let counted = case.counts.then_some(3 * count);
                let usage = counted.map(|it| json!({ "prompt_tokens": it, "total_tokens": it }));
                assert_eq!(body.get("usage"), usage.as_ref(), "{what}");
                let data = body["data"].as_array().unwrap();
                assert_eq!(data.len(), count, "{what}");
                for (index, one) in data.iter().enumerate() {
                    assert_eq!(one["object"], "embedding", "{what}");
                    assert_eq!(one["index"], index, "{what}");
                    let first = if count == 1 {
                        7.0
                    } else {
                        [1.0, 2.0, 3.0][index]
                    };
                    let got: Vec<f32> = match format {
                        Some("base64") => floats(one["embedding"].as_str().unwrap()),
                        _ => serde_json::from_value(one["embedding"].clone()).unwrap(),
                    };
                    assert_eq!(got, [first, 0.5], "{what}");
                }
                let asked = if count == 1 { 1 } else { case.calls };
                assert_eq!(upstream.hits() - before, asked, "{what}");
                assert_eq!(path(&upstream.request(before).await), case.path, "{what}");
                let record = gateway.audit(answer.id()).await;
                assert_eq!(record.text("surface"), "embeddings", "{what}");
                assert_eq!(record.classes(), ["ok"], "{what}");
            }
        }
    }
}

#[tokio::test]
async fn vectors_that_fail_come_from_the_next_target_of_another_dialect() {
    let first = Upstream::always(Reply::status(503).body("{}")).await;
    let second = Upstream::choosing(|seen| {
        let texts = seen.json()["requests"].as_array().unwrap().len();
        let one = json!({ "values": [0.25, 0.5] });
        Reply::json(json!({ "embeddings": vec![one; texts] }).to_string())
    })
    .await;
    let config = Config::new()
        .kind_alone("first", Kind::Bedrock, &first)
        .kind_alone("second", Kind::Gemini, &second)
        // One that makes no vectors is passed over.
        .kind_alone("third", Kind::Anthropic, &first)
        .route(
            "vectors",
            "{ targets: [third/claude-haiku-4-5, \"first/amazon.titan-embed-text-v2:0\", second/gemini-embedding-001] }",
        )
        .route("none", "{ targets: [third/claude-haiku-4-5] }");
    let gateway = Gateway::start(config).await;
    let ask = json!({ "model": "vectors", "input": ["a", "b"] }).to_string();
    let answer = gateway.post("/v1/embeddings", &[], &ask).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 2);
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.classes(), ["overloaded", "ok"]);
    let ask = json!({ "model": "none", "input": "a" }).to_string();
    let answer = gateway.post("/v1/embeddings", &[], &ask).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    let (_, param) = Surface::Chat.error(&answer);
    assert_eq!(param.as_deref(), Some("model"));
}

#[tokio::test]
async fn who_is_not_known_is_told_in_the_surfaces_own_form() {
    let upstream = Upstream::always(Reply::json("{}")).await;
    let config = Config::new()
        .kind("first", Kind::Compatible, &upstream)
        .root(&key("token", ", routes: [chat]"));
    let gateway = Gateway::start(config).await;
    let anthropics = [("x-api-key", "token")];
    let openais = [("authorization", "Bearer token")];
    for (path, surface) in [
        ("/v1/chat/completions", Surface::Chat),
        ("/v1/responses", Surface::Responses),
        ("/v1/messages", Surface::Messages),
        (COUNT, Surface::Messages),
        ("/messages", Surface::Messages),
    ] {
        let ask = |model| surface.asking(model, false).to_string();
        for (headers, body, status, code) in [
            (&[][..], ask("chat"), 401, "invalid_api_key"),
            (
                &[("x-api-key", "wrong")],
                ask("chat"),
                401,
                "invalid_api_key",
            ),
            (&anthropics, ask("nobodys"), 404, "model_not_found"),
            (&openais, ask("nobodys"), 404, "model_not_found"),
            (&openais, "{".to_owned(), 400, "invalid_json"),
        ] {
            let answer = gateway.post(path, headers, &body).await;
            let what = format!("{path}, {headers:?}: {}", answer.text());
            assert_eq!(answer.status, status, "{what}");
            assert_eq!(surface.error(&answer).0, code, "{what}");
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{what}");
            assert!(!answer.text().contains("127.0.0.1"), "{what}");
        }
    }
    assert_eq!(upstream.hits(), 0);
}
