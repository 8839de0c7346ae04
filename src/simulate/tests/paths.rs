//! The other paths, and models that are not there.

use http::{Method, StatusCode};
use serde_json::json;

use super::*;

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
