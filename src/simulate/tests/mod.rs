//! The simulator over real loopback sockets, with hyper's client.

mod chat;
mod faults;
mod paths;
mod tools;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::*;

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
