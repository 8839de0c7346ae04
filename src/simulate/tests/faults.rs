//! Faults that were asked for, and a simulator that is stopped.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::*;
use crate::snapshot::Percent;

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
    let asked = async {
        while simulator.requests("m") == 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    tokio::select! {
        _ = chat(&simulator, json!({})) => panic!("it is answered"),
        () = asked => {}
    }
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
