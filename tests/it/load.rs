//! Many requests at once against a primary that fails in every way, and a healthy backup.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};

use tokio::task::JoinSet;

use crate::support::fixture::{Ended, ask, ask_stream, read_plain, read_stream};
use crate::support::{Client, Config, Gateway};

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn config() -> Config {
    let (first, second) = (free_port(), free_port());
    let calm = "first_token: 5ms, pace: 1ms, tokens: 12";
    let faults = "fail: [ { class: timeout, share: 10% }, { class: rate_limited, share: 20% }, { class: broken, share: 10% }, { class: empty, share: 5% }, { class: cut, share: 5% } ]";
    Config::new()
        .root(&format!(
            "simulate:\n  first: {{ listen: \"127.0.0.1:{first}\", models: {{ \"*\": {{ {calm}, {faults} }} }} }}\n  second: {{ listen: \"127.0.0.1:{second}\", models: {{ \"*\": {{ {calm} }} }} }}"
        ))
        .provider("first", &format!("http://127.0.0.1:{first}/v1"), "")
        .provider("second", &format!("http://127.0.0.1:{second}/v1"), "")
        .limits("20s", "4s", "4s")
}

#[tokio::test]
async fn every_request_under_load_comes_to_an_answer_and_one_record() {
    let gateway = Gateway::start_on_ports(config).await;
    let mut requests = JoinSet::new();
    for number in 0..200 {
        let address = gateway.listen;
        requests.spawn(async move {
            let body = if number % 2 == 0 { ask() } else { ask_stream() };
            let mut client = Client::connect(address).await;
            client
                .post("/v1/chat/completions", &[], body.as_bytes())
                .await;
            (number, client.answer().await.rest().await)
        });
    }
    let mut ids = BTreeSet::new();
    let mut broken = BTreeSet::new();
    while let Some(done) = requests.join_next().await {
        let (number, answer) = done.unwrap();
        assert_eq!(answer.status, 200, "{number}: {}", answer.text());
        assert!(answer.complete, "{number}");
        assert!(ids.insert(answer.id().to_owned()));
        if number % 2 == 0 {
            assert!(!read_plain(&answer.json())[0].text.is_empty());
            continue;
        }
        let whole = read_stream(&answer.data(), false);
        assert!(
            !whole.choices[0].text.is_empty(),
            "{number}: nothing came of it"
        );
        if let Ended::Error(code) = whole.ended {
            assert_eq!(code, "stream_broken");
            broken.insert(answer.id().to_owned());
        }
    }
    let records = gateway.records(|_| true, 200).await;
    let recorded: BTreeSet<String> = records.iter().map(|r| r.text("id").to_owned()).collect();
    assert_eq!(recorded, ids, "one record each");
    assert_eq!(records.len(), 200);
    for record in &records {
        let expected = if broken.contains(record.text("id")) {
            "stream_broken"
        } else {
            "ok"
        };
        assert_eq!(record.outcome(), expected, "{}", record.0);
    }
    let failed = records
        .iter()
        .filter(|record| record.classes().len() > 1)
        .count();
    assert!(failed > 0, "the primary failed at half of them");
}
