//! A second target is asked while the first keeps silent for longer than it ever does.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::fixture::{ask, ask_stream, plain, read_plain, read_stream, role, streamed};
use crate::support::reply::End;
use crate::support::{Answer, Client, Config, Gate, Gateway, Record, Reply, Upstream, soon};

/// More than enough answers to make a history: ten are.
const HISTORY: usize = 30;
/// Much longer than a first target of these tests ever takes, but not too long for an answer.
const LATE: Duration = Duration::from_millis(300);
/// What a cancelled call is told by in the record.
const SLOWER: &str = "another target answered first";

/// A provider that says its name, until something else is put before that.
struct Actor {
    upstream: Upstream,
    part: Arc<Mutex<Option<Reply>>>,
}

impl Actor {
    async fn named(name: &'static str) -> Self {
        let part = Arc::new(Mutex::new(None::<Reply>));
        let playing = Arc::clone(&part);
        let upstream = Upstream::choosing(move |seen| {
            let streamed = seen.json()["stream"] == true;
            let usual = || says(name, streamed);
            playing.lock().unwrap().clone().unwrap_or_else(usual)
        });
        Self {
            upstream: upstream.await,
            part,
        }
    }

    /// From here on it does this.
    fn does(&self, reply: Reply) {
        *self.part.lock().unwrap() = Some(reply);
    }

    fn hits(&self) -> usize {
        self.upstream.hits()
    }
}

fn says(name: &str, stream: bool) -> Reply {
    if stream {
        Reply::sse(streamed(&[name]))
    } else {
        Reply::json(plain(name))
    }
}

/// Two actors and a gateway that races them.
struct Race {
    first: Actor,
    second: Actor,
    gateway: Gateway,
}

impl Race {
    async fn new(hedge: &str) -> Self {
        let (first, second) = (Actor::named("first").await, Actor::named("second").await);
        let config = Config::of(&[&first.upstream, &second.upstream])
            .limits("20s", "10s", "10s")
            .knob(hedge);
        let gateway = Gateway::start(config).await;
        Self {
            first,
            second,
            gateway,
        }
    }

    /// With so many answers of the first target behind it.
    async fn with_history(hedge: &str, body: &str, answers: usize) -> Self {
        let race = Self::new(hedge).await;
        for _ in 0..answers {
            let answer = race.gateway.chat(body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        race
    }

    async fn send(&self, body: &str) -> Client {
        let mut client = self.gateway.connect().await;
        client
            .post("/v1/chat/completions", &[], body.as_bytes())
            .await;
        client
    }

    /// The targets of a request's attempts, each with its class and its reason.
    async fn attempts(&self, answer: &Answer) -> Vec<(String, String, String)> {
        let record = self.gateway.audit(answer.id()).await;
        let (targets, classes, reasons) = (record.targets(), record.classes(), record.reasons());
        let each = targets.iter().zip(classes).zip(reasons);
        each.map(|((target, class), reason)| {
            ((*target).to_owned(), class.to_owned(), reason.to_owned())
        })
        .collect()
    }
}

const ON: &str = "hedge: { spend: 100% }";

fn said(answer: &Answer, stream: bool) -> String {
    if stream {
        let whole = read_stream(&answer.data(), false);
        whole.choices[0].text.clone()
    } else {
        read_plain(&answer.json())[0].text.clone()
    }
}

/// Whether they are streamed, and a body.
fn both() -> [(bool, String); 2] {
    [(false, ask()), (true, ask_stream())]
}

fn attempt(name: &str, class: &str, reason: &str) -> (String, String, String) {
    let target = format!("{name}/model-{name}");
    (target, class.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn a_silent_target_loses_to_the_next_one_and_is_cancelled() {
    for (stream, body) in both() {
        let race = Race::with_history(ON, &body, HISTORY).await;
        let asked = (race.first.hits(), race.second.hits());
        // A role is no answer yet.
        race.first.does(if stream {
            Reply::sse(role()).ends(End::Silence)
        } else {
            Reply::silence()
        });
        let start = Instant::now();
        let answer = race.gateway.chat(&body).await;
        let took = start.elapsed();
        assert_eq!(said(&answer, stream), "second");
        assert_eq!(
            answer.header("x-pillion-target"),
            Some("second/model-second")
        );
        assert!(
            took < Duration::from_secs(5),
            "no limit was waited for: {took:?}"
        );
        let closed = race.first.upstream.closed(asked.0).await;
        let late = closed.saturating_duration_since(start + took);
        assert!(late < Duration::from_secs(1), "{late:?}");
        assert_eq!(race.second.hits(), asked.1 + 1);
        let expected = [
            attempt("first", "cancelled", SLOWER),
            attempt("second", "ok", ""),
        ];
        assert_eq!(race.attempts(&answer).await, expected);
        let record = race.gateway.audit(answer.id()).await;
        assert_eq!(record.outcome(), "ok");
        assert_eq!(record.0["usage"]["completion"], 3, "once: {}", record.0);
    }
}

#[tokio::test]
async fn the_first_target_may_win_all_the_same() {
    for (stream, body) in both() {
        let race = Race::with_history(ON, &body, HISTORY).await;
        let asked = (race.first.hits(), race.second.hits());
        let gate = Gate::new();
        race.first.does(says("first", stream).pause_at(0, &gate));
        race.second.does(Reply::silence());
        let client = race.send(&body).await;
        race.second.upstream.request(asked.1).await;
        gate.open();
        let answer = client.answer().await.rest().await;
        let answered = Instant::now();
        assert_eq!(said(&answer, stream), "first");
        let closed = race.second.upstream.closed(asked.1).await;
        let late = closed.saturating_duration_since(answered);
        assert!(late < Duration::from_secs(1), "{late:?}");
        assert_eq!(
            (race.first.hits(), race.second.hits()),
            (asked.0 + 1, asked.1 + 1)
        );
        let expected = [
            attempt("first", "ok", ""),
            attempt("second", "cancelled", SLOWER),
        ];
        assert_eq!(race.attempts(&answer).await, expected);
    }
}

#[tokio::test]
async fn when_one_fails_the_other_goes_on() {
    for (stream, body) in both() {
        for loser in ["first", "second"] {
            let race = Race::with_history(ON, &body, HISTORY).await;
            let asked = (race.first.hits(), race.second.hits());
            let (fails, wins) = (Gate::new(), Gate::new());
            let part = |name: &str| {
                if name == loser {
                    let failure = Reply::error(500, "server_error", None, "oops");
                    failure.pause_at(0, &fails)
                } else {
                    says(name, stream).pause_at(0, &wins)
                }
            };
            race.first.does(part("first"));
            race.second.does(part("second"));
            let client = race.send(&body).await;
            race.second.upstream.request(asked.1).await;
            fails.open();
            soon("the failure is noticed", async {
                let noticed = format!("\"target_id\":\"{loser}/model-{loser}\"");
                let failed =
                    |line: &&str| line.contains("an attempt failed") && line.contains(&noticed);
                while !race.gateway.log().lines().any(|line| failed(&line)) {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            wins.open();
            let answer = client.answer().await.rest().await;
            let winner = if loser == "first" { "second" } else { "first" };
            assert_eq!(said(&answer, stream), winner);
            // Neither was asked again.
            assert_eq!(
                (race.first.hits(), race.second.hits()),
                (asked.0 + 1, asked.1 + 1)
            );
            let attempts = race.attempts(&answer).await;
            let classes: Vec<&str> = attempts.iter().map(|one| &*one.1).collect();
            let expected = if loser == "first" {
                ["server_error", "ok"]
            } else {
                ["ok", "server_error"]
            };
            assert_eq!(classes, expected);
        }
    }
}

/// Sends it while the first target is late by [`LATE`]; says how often the second one was asked.
async fn asked_beside(race: &Race, body: &Value) -> usize {
    let stream = body["stream"] == true;
    race.first.does(says("first", stream).pace(LATE));
    let before = race.second.hits();
    let answer = race.gateway.chat(&body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let hedged = race.second.hits() - before;
    let expected = if hedged == 0 { "first" } else { "second" };
    assert_eq!(said(&answer, stream), expected);
    let attempts = race.attempts(&answer).await;
    assert_eq!(attempts.len(), 1 + hedged, "{attempts:?}");
    hedged
}

fn body() -> Value {
    serde_json::from_str(&ask_stream()).unwrap()
}

#[tokio::test]
async fn what_a_provider_executes_is_never_asked_of_two() {
    let searches = [
        ("web_search_options", json!({})),
        ("tools", json!([{ "type": "browser_search" }])),
    ];
    for (name, value) in searches {
        // One that is late is far from what is usual.
        let race = Race::with_history(ON, &ask_stream(), 2 * HISTORY).await;
        let mut hosted = body();
        hosted[name] = value;
        assert_eq!(asked_beside(&race, &hosted).await, 0, "{name}");
        let other = asked_beside(&race, &body()).await;
        assert_eq!(other, 1, "of the others it is");
    }
}

#[tokio::test]
async fn without_a_history_or_a_wish_nobody_is_asked_beside() {
    for (knob, answers) in [(ON, 5), ("hedge: off", HISTORY), ("idle: 15s", HISTORY)] {
        let race = Race::with_history(knob, &ask_stream(), answers).await;
        assert_eq!(asked_beside(&race, &body()).await, 0, "{knob}");
    }
}

#[tokio::test]
async fn races_cost_no_more_than_their_share() {
    // Of about fifty requests of one length, a twentieth is two, and one may begin before that.
    let race = Race::with_history("hedge: on", &ask_stream(), 45).await;
    for _ in 0..5 {
        asked_beside(&race, &body()).await;
    }
    assert_eq!(race.second.hits(), 3);
}

#[tokio::test]
async fn races_keep_to_the_retry_budget_of_the_second_target() {
    const RACES: usize = 14;
    let race = Race::with_history(ON, &ask_stream(), HISTORY).await;
    let start = Instant::now();
    for _ in 0..RACES {
        asked_beside(&race, &body()).await;
    }
    let windows = 1 + usize::try_from(start.elapsed().as_secs() / 10).unwrap();
    let all = 10 * windows;
    // A call that is over before it has reached its target is one of them all the same.
    let records = race.gateway.records(|_| true, HISTORY + RACES).await;
    let targets = records.iter().flat_map(Record::targets);
    let hedged = targets
        .filter(|target| *target == "second/model-second")
        .count();
    assert!(
        (10.min(all)..=all).contains(&hedged),
        "{hedged} in {windows}"
    );
    assert!((1..=hedged).contains(&race.second.hits()));
}
