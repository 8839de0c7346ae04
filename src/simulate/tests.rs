//! The simulator over real loopback sockets, with hyper's client.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::*;
use crate::snapshot::Percent;

/// What came back, as far as it came.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
    /// Whether the body ended as its framing says.
    whole: bool,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The stream's events, without `[DONE]`.
    fn events(&self) -> Vec<Value> {
        self.data()
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    fn data(&self) -> impl Iterator<Item = &str> {
        self.body
            .split_terminator("\n\n")
            .map(|frame| frame.strip_prefix("data: ").unwrap())
    }

    /// The deltas' contents, joined.
    fn said(&self) -> String {
        self.events()
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
            .collect()
    }
}

fn fast() -> Behaviour {
    Behaviour {
        first_token: Duration::ZERO,
        pace: Duration::ZERO,
        ..Behaviour::default()
    }
}

async fn start(behaviour: Behaviour) -> Simulator {
    Simulator::start(SimulatedProvider {
        name: "west".into(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        models: [("m".to_owned(), behaviour)].into(),
    })
    .await
    .unwrap()
}

/// One request on a connection of its own; `Err` is an answer that never began.
async fn send(
    simulator: &Simulator,
    method: Method,
    path: &str,
    body: &str,
) -> Result<Got, hyper::Error> {
    let stream = TcpStream::connect(simulator.address()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    Tasks::default().spawn(async move {
        let _ = connection.await;
    });
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "simulated")
        .header("authorization", "Bearer anything")
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap();
    let response = sender.send_request(request).await?;
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let mut whole = true;
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => body.extend_from_slice(frame.data_ref().unwrap()),
            Err(_) => whole = false,
        }
    }
    Ok(Got {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body).unwrap(),
        whole,
    })
}

async fn chat(simulator: &Simulator, rest: Value) -> Result<Got, hyper::Error> {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
    body.as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    post(simulator, "/v1/chat/completions", &body).await
}

async fn post(simulator: &Simulator, path: &str, body: &Value) -> Result<Got, hyper::Error> {
    send(simulator, Method::POST, path, &body.to_string()).await
}

#[tokio::test]
async fn a_plain_answer_is_the_same_each_time() {
    let simulator = start(fast()).await;
    let first = chat(&simulator, json!({})).await.unwrap();
    let answer = first.json();
    assert_eq!(answer["object"], "chat.completion");
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.starts_with("Hello! This is west"), "{text}");
    assert_eq!(answer["usage"]["completion_tokens"], 24);
    assert_eq!(first.body, chat(&simulator, json!({})).await.unwrap().body);
    assert_eq!(simulator.requests("m"), 2);
}

#[tokio::test]
async fn a_stream_says_what_the_plain_answer_says() {
    let simulator = start(fast()).await;
    let plain = chat(&simulator, json!({})).await.unwrap().json();
    let ask = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let stream = chat(&simulator, ask).await.unwrap();
    assert_eq!(
        stream.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(plain["choices"][0]["message"]["content"], stream.said());
    let events = stream.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events[0]["usage"], Value::Null);
    let [.., finish, usage] = &events[..] else {
        panic!("no events")
    };
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 24);
    assert_eq!(stream.data().last(), Some("[DONE]"));
}

#[tokio::test]
async fn a_stream_whose_caller_wants_no_usage_has_none() {
    let simulator = start(fast()).await;
    let stream = chat(&simulator, json!({ "stream": true })).await.unwrap();
    assert!(!stream.body.contains("usage"));
}

#[tokio::test]
async fn tokens_keep_to_their_pace() {
    let simulator = start(Behaviour {
        first_token: Duration::from_millis(40),
        pace: Duration::from_millis(10),
        tokens: 7,
        ..Behaviour::default()
    })
    .await;
    for ask in [json!({}), json!({ "stream": true })] {
        let start = Instant::now();
        chat(&simulator, ask).await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(100));
    }
}

#[tokio::test]
async fn an_offered_tool_is_called_until_it_has_answered() {
    let arguments = r#"{"city":"Алматы","days":3}"#;
    let simulator = start(Behaviour {
        tool: Some(ToolCall::Named {
            name: "weather".into(),
            arguments: arguments.into(),
        }),
        ..fast()
    })
    .await;
    let tools = json!([{ "type": "function", "function": { "name": "weather" } }]);

    let plain = chat(&simulator, json!({ "tools": tools })).await.unwrap();
    let choice = &plain.json()["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"]["arguments"], arguments);

    let ask = json!({ "tools": tools, "stream": true });
    let stream = chat(&simulator, ask).await.unwrap();
    let calls: Vec<Value> = stream
        .events()
        .iter()
        .map(|event| event["choices"][0]["delta"]["tool_calls"][0].clone())
        .filter(|call| !call.is_null())
        .collect();
    assert_eq!(calls[0]["function"]["name"], "weather");
    assert_eq!(
        calls.iter().filter(|call| call["id"].is_string()).count(),
        1
    );
    let joined: String = calls
        .iter()
        .filter_map(|call| call["function"]["arguments"].as_str())
        .collect();
    assert_eq!(joined, arguments);

    let answered = json!({ "tools": tools, "messages": [{ "role": "tool", "content": "" }] });
    let text = chat(&simulator, answered).await.unwrap();
    assert!(text.json()["choices"][0]["message"]["content"].is_string());
}

#[tokio::test]
async fn the_first_offered_tool_is_called_with_arguments_of_its_schema() {
    let simulator = start(Behaviour {
        tool: Some(ToolCall::FirstOffered),
        ..fast()
    })
    .await;
    let parameters = json!({ "type": "object", "properties": { "days": { "type": "integer" } } });
    let function = json!({ "name": "forecast", "parameters": parameters });
    let tools = json!([{ "type": "function", "function": function }]);
    let got = chat(&simulator, json!({ "tools": tools })).await.unwrap();
    let call = got.json()["choices"][0]["message"]["tool_calls"][0].clone();
    assert_eq!(call["function"]["name"], "forecast");
    assert_eq!(call["function"]["arguments"], r#"{"days":1}"#);
}

#[tokio::test]
async fn what_a_model_cannot_do_is_refused_or_ignored() {
    let schema = json!({ "name": "s", "schema": { "const": 7 } });
    let asks = [
        (
            Feature::Tools,
            json!({ "tools": [{ "type": "function", "function": { "name": "f" } }] }),
            "tools",
        ),
        (
            Feature::JsonSchema,
            json!({ "response_format": { "type": "json_schema", "json_schema": schema } }),
            "response_format",
        ),
        (
            Feature::StreamUsage,
            json!({ "stream": true, "stream_options": { "include_usage": true } }),
            "stream_options",
        ),
    ];
    for (feature, ask, param) in asks {
        let rejecting = start(Behaviour {
            rejects: vec![feature],
            tool: Some(ToolCall::FirstOffered),
            ..fast()
        })
        .await;
        let got = chat(&rejecting, ask.clone()).await.unwrap();
        assert_eq!(got.status, 400);
        assert_eq!(got.json()["error"]["param"], param);
        assert_eq!(got.json()["error"]["code"], "unsupported_parameter");
        assert_eq!(chat(&rejecting, json!({})).await.unwrap().status, 200);

        let ignoring = start(Behaviour {
            ignores: vec![feature],
            tool: Some(ToolCall::FirstOffered),
            ..fast()
        })
        .await;
        let got = chat(&ignoring, ask).await.unwrap();
        assert_eq!(got.status, 200);
        assert!(got.body.contains("Hello!") || got.said().contains("Hello!"));
        assert!(!got.body.contains("prompt_tokens") || feature != Feature::StreamUsage);
    }
}

#[tokio::test]
async fn a_prompt_beyond_the_context_is_refused() {
    let simulator = start(Behaviour {
        context: Some(100),
        ..fast()
    })
    .await;
    for (letters, status) in [(200, 200), (600, 400)] {
        let messages = json!([{ "role": "user", "content": "x".repeat(letters) }]);
        let got = chat(&simulator, json!({ "messages": messages }))
            .await
            .unwrap();
        assert_eq!(got.status, status, "{}", got.body);
        if status == 400 {
            assert_eq!(got.json()["error"]["code"], "context_length_exceeded");
        }
    }
}

#[tokio::test]
async fn a_schema_is_answered_with_json_that_fits() {
    let simulator = start(fast()).await;
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "s", "schema": schema } });
    for stream in [false, true] {
        let got = chat(
            &simulator,
            json!({ "response_format": format, "stream": stream }),
        )
        .await
        .unwrap();
        let text = if stream {
            got.said()
        } else {
            let answer = got.json();
            let text = answer["choices"][0]["message"]["content"].as_str();
            text.unwrap().to_owned()
        };
        assert_eq!(text, r#"{"n":1}"#);
    }
}

#[tokio::test]
async fn completions_stream_their_text() {
    let simulator = start(Behaviour {
        text: Some("one two".into()),
        ..fast()
    })
    .await;
    for stream in [false, true] {
        let body = json!({ "model": "m", "prompt": "hi", "stream": stream });
        let got = post(&simulator, "/v1/completions", &body).await.unwrap();
        let events = if stream {
            got.events()
        } else {
            vec![got.json()]
        };
        let joined: String = events
            .iter()
            .filter_map(|event| event["choices"][0]["text"].as_str())
            .collect();
        assert_eq!(joined, "one two");
    }
}

#[tokio::test]
async fn embeddings_come_as_numbers_or_base64() {
    let simulator = start(fast()).await;
    let body = json!({ "model": "m", "input": ["a", "b"], "dimensions": 3 });
    let got = post(&simulator, "/v1/embeddings", &body)
        .await
        .unwrap()
        .json();
    assert_eq!(got["data"].as_array().unwrap().len(), 2);
    assert_eq!(got["data"][1]["embedding"].as_array().unwrap().len(), 3);

    let body = json!({ "model": "m", "input": "a", "dimensions": 3, "encoding_format": "base64" });
    let got = post(&simulator, "/v1/embeddings", &body)
        .await
        .unwrap()
        .json();
    assert_eq!(got["data"][0]["embedding"].as_str().unwrap().len(), 16);
}

#[tokio::test]
async fn other_paths_are_echoed() {
    let simulator = start(fast()).await;
    let got = send(&simulator, Method::PUT, "/v1/files/x", "12345")
        .await
        .unwrap();
    assert_eq!(
        got.json(),
        json!({ "method": "PUT", "path": "/v1/files/x", "bytes": 5 })
    );
    let got = send(&simulator, Method::GET, "/v1/models", "")
        .await
        .unwrap();
    assert_eq!(got.json()["data"][0]["id"], "m");
}

#[tokio::test]
async fn an_unknown_model_is_not_found_unless_any_is_taken() {
    let simulator = start(fast()).await;
    let ask = json!({ "model": "other" });
    let got = chat(&simulator, ask.clone()).await.unwrap();
    assert_eq!(got.status, StatusCode::NOT_FOUND);
    assert_eq!(got.json()["error"]["code"], "model_not_found");

    let simulator = Simulator::start(SimulatedProvider {
        name: "any".into(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        models: [("*".to_owned(), fast())].into(),
    })
    .await
    .unwrap();
    let got = chat(&simulator, ask).await.unwrap();
    assert_eq!(got.json()["model"], "other");
}

#[tokio::test]
async fn refusals_are_those_of_openai() {
    for (class, status, code) in [
        (FaultClass::RateLimited, 429, json!("rate_limit_exceeded")),
        (FaultClass::QuotaExhausted, 429, json!("insufficient_quota")),
        (FaultClass::Overloaded, 503, json!("server_is_overloaded")),
        (FaultClass::ServerError, 500, json!(null)),
        (FaultClass::Auth, 401, json!("invalid_api_key")),
        (FaultClass::InvalidRequest, 400, json!("unsupported_value")),
        (FaultClass::TargetMissing, 404, json!("model_not_found")),
        (
            FaultClass::ContextLength,
            400,
            json!("context_length_exceeded"),
        ),
        (FaultClass::Policy, 400, json!("content_policy_violation")),
    ] {
        let simulator = start(Behaviour {
            script: vec![class],
            ..fast()
        })
        .await;
        let got = chat(&simulator, json!({ "stream": true })).await.unwrap();
        assert_eq!(got.status, status, "{class:?}");
        assert_eq!(got.json()["error"]["code"], code, "{class:?}");
        let next = chat(&simulator, json!({})).await.unwrap();
        assert_eq!(next.status, StatusCode::OK, "{class:?}");
    }
}

#[tokio::test]
async fn a_rate_limit_says_how_long_to_wait() {
    let fault = |wait| Behaviour {
        fail: vec![Fault {
            class: FaultClass::RateLimited,
            share: Percent::try_new(100).unwrap(),
            wait,
        }],
        ..fast()
    };
    for (wait, seconds, millis) in [
        (None, "2", "2000"),
        (Some(Duration::from_millis(1200)), "2", "1200"),
        (Some(Duration::from_secs(7)), "7", "7000"),
    ] {
        let simulator = start(fault(wait)).await;
        let got = chat(&simulator, json!({})).await.unwrap();
        assert_eq!(got.headers["retry-after"], seconds);
        assert_eq!(got.headers["retry-after-ms"], millis);
    }
}

#[tokio::test]
async fn a_fault_of_the_connection_gives_no_head() {
    for class in [FaultClass::Connect, FaultClass::Reset] {
        let simulator = start(Behaviour {
            script: vec![class],
            ..fast()
        })
        .await;
        let error = chat(&simulator, json!({})).await.err().unwrap();
        let reset = class == FaultClass::Reset;
        assert_eq!(error.is_incomplete_message(), !reset, "{error:?}");
    }
}

#[tokio::test]
async fn a_timeout_lasts_until_the_client_goes_away() {
    let simulator = start(Behaviour {
        script: vec![FaultClass::Timeout],
        ..fast()
    })
    .await;
    let waited = tokio::time::timeout(Duration::from_millis(50), chat(&simulator, json!({}))).await;
    assert!(waited.is_err());
    assert_eq!(simulator.requests("m"), 1);
}

#[tokio::test]
async fn a_bad_success_says_200() {
    for (class, stream, whole) in [
        (FaultClass::Broken, false, true),
        (FaultClass::Broken, true, true),
        (FaultClass::Empty, false, true),
        (FaultClass::Empty, true, true),
        (FaultClass::Cut, false, false),
        (FaultClass::Cut, true, false),
    ] {
        let simulator = start(Behaviour {
            script: vec![class],
            ..fast()
        })
        .await;
        let got = chat(&simulator, json!({ "stream": stream })).await.unwrap();
        let case = format!("{class:?} {stream}: {}", got.body);
        assert_eq!(got.status, StatusCode::OK, "{case}");
        assert_eq!(got.whole, whole, "{case}");
        assert!(!got.body.contains("[DONE]"), "{case}");
        match (class, stream) {
            (FaultClass::Empty, false) => assert_eq!(got.json()["choices"], json!([])),
            (FaultClass::Empty, true) => assert_eq!(got.events().len(), 1),
            (FaultClass::Cut, true) => assert!(got.said().starts_with("Hello!"), "{case}"),
            _ => assert!(serde_json::from_str::<Value>(&got.body).is_err(), "{case}"),
        }
    }
}

#[tokio::test]
async fn a_stopped_simulator_cuts_its_streams_and_refuses_connections() {
    let simulator = start(Behaviour {
        first_token: Duration::from_mins(1),
        ..Behaviour::default()
    })
    .await;
    let ask = json!({ "stream": true });
    let (got, ()) = tokio::join!(chat(&simulator, ask), async {
        while simulator.requests("m") == 0 {
            tokio::task::yield_now().await;
        }
        simulator.stop().await;
    });
    assert!(got.is_err() || got.is_ok_and(|got| !got.whole));
    let error = TcpStream::connect(simulator.address()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}
