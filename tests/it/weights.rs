//! Traffic that is done from one account to another by weight, while it runs.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::central::{following, until_live};
use crate::support::crowd::crowd;
use crate::support::fixture::{plain, streamed};
use crate::support::{Centre, Config, Folder, Gate, Gateway, Reply, Stream, Upstream, soon};

const LOOK: Duration = Duration::from_millis(5);

/// A conversation of its own for each number.
fn ask(number: usize, streamed: bool) -> String {
    let text = format!("Question {number}");
    let messages = json!([{ "role": "user", "content": text }]);
    json!({ "model": "chat", "stream": streamed, "messages": messages }).to_string()
}

/// Answers; a stream ends behind the gate.
async fn account(gate: &Gate) -> Upstream {
    let slow = Reply::sse(streamed(&["Hel", "lo!"])).pause_after(2, gate);
    Upstream::choosing(move |seen| {
        if seen.json()["stream"] == true {
            slow.clone()
        } else {
            Reply::json(plain("Hello!"))
        }
    })
    .await
}

/// A document by which the two get these shares. That a busy machine is slow moves nothing.
fn shares(version: u64, first: (&Upstream, u32), second: (&Upstream, u32)) -> String {
    let group = format!(
        "{{ any: [ {{ to: first/m, weight: {} }}, {{ to: second/m, weight: {} }} ], select: weighted }}",
        first.1, second.1
    );
    Config::new()
        .provider_alone("first", &first.0.base_url(), "")
        .provider_alone("second", &second.0.base_url(), "")
        .target(&group)
        .knob("slow_floor: 20s")
        .knob("idle: 5m")
        .central(&format!("version: {version}"))
}

/// Waits until both together were asked so often once more.
async fn until_asked(count: usize, first: &Upstream, second: &Upstream) {
    let hits = || first.hits() + second.hits();
    let until = hits() + count;
    soon("the requests come", async {
        while hits() < until {
            sleep(LOOK).await;
        }
    })
    .await;
}

async fn streams(gateway: &Gateway, numbers: std::ops::Range<usize>) -> Vec<Stream> {
    let mut streams = Vec::new();
    for number in numbers {
        let mut stream = gateway.stream(&ask(number, true)).await;
        stream.event().await;
        streams.push(stream);
    }
    streams
}

/// Whether a share of `count` draws that come true one time in two may be `found`: further off it is
/// once in a hundred thousand times.
fn is_half(found: u32, count: u32) -> bool {
    let (found, count) = (f64::from(found), f64::from(count));
    (found - count / 2.0).abs() <= 4.5 * (count / 4.0).sqrt()
}

#[tokio::test]
async fn weights_move_traffic_to_another_account_while_it_runs_and_no_request_fails() {
    /// Of so many requests at least the share of one configuration is seen.
    const EACH: usize = 300;
    const RATE: u32 = 200;
    const AT_ONCE: usize = 100;
    let gate = Gate::new();
    let (first, second) = (account(&gate).await, account(&gate).await);
    let parts = [(100, 0), (50, 50), (0, 100)];
    let document = |version: u64, (one, two)| shares(version, (&first, one), (&second, two));
    let centre = Centre::with(document(1, parts[0])).await;
    let config = following(&centre, "");
    let gateway = Gateway::begin(&config, Folder::new()).await.serving().await;
    let whole = until_live(&gateway, 1).await;
    let mut begun = streams(&gateway, 0..2).await;
    let done = OnceCell::new();
    let moves = async {
        until_asked(EACH, &first, &second).await;
        centre.says(document(2, parts[1]));
        let half = until_live(&gateway, 2).await;
        begun.extend(streams(&gateway, 2..10).await);
        until_asked(EACH, &first, &second).await;
        centre.says(document(3, parts[2]));
        let none = until_live(&gateway, 3).await;
        until_asked(EACH, &first, &second).await;
        done.set([whole, half, none]).unwrap();
    };
    let load = async {
        let mut came = Vec::new();
        while done.get().is_none() {
            let before = 1000 + came.len();
            let more = move |number| ask(before + number, false);
            came.extend(crowd(&gateway, AT_ONCE, RATE, more).await);
        }
        came
    };
    let (came, ()) = tokio::join!(load, moves);
    let versions = done.into_inner().unwrap();
    for one in &came {
        assert_eq!(
            (one.answer.status, one.tries),
            (200, 1),
            "{}",
            one.answer.text()
        );
    }

    // The first account is gone before what began there has ended.
    let without = Config::new().provider("second", &second.base_url(), "");
    centre.says(without.central("version: 4"));
    until_live(&gateway, 4).await;
    gate.open();
    let mut ended = BTreeMap::new();
    for stream in begun {
        let answer = stream.rest().await;
        let target = answer.header("x-pillion-target").unwrap().to_owned();
        assert!(
            answer.complete && answer.text().ends_with("data: [DONE]\n\n"),
            "{target}"
        );
        *ended.entry(target).or_insert(0) += 1;
    }
    assert!(ended["first/m"] > 2 && ended["second/m"] > 0, "{ended:?}");

    let records = gateway.records(|_| true, came.len() + 10).await;
    // By the configuration that a request has seen: how many there were, and of them at the first.
    let mut seen = BTreeMap::new();
    for record in &records {
        assert_eq!(
            (record.outcome(), record.classes()),
            ("ok", vec!["ok"]),
            "{}",
            record.0
        );
        if record.0["stream"] == false {
            let (count, at_first) = seen
                .entry(record.text("config_version"))
                .or_insert((0_u32, 0_u32));
            *count += 1;
            *at_first += u32::from(record.targets() == ["first/m"]);
        }
    }
    let [before, between, after] = versions.map(|version| seen[&*version]);
    println!("of so many, at the first: {before:?} {between:?} {after:?}");
    assert_eq!(before.0, before.1);
    assert!(is_half(between.1, between.0), "{between:?}");
    assert_eq!(after.1, 0);
    for (count, _) in [before, between, after] {
        assert!(count as usize > EACH / 2, "{seen:?}");
    }
}
