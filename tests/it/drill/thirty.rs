//! Thirty requests to a gateway whose primary dies beneath the eleventh.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::fixture::{
    DONE, Ended, arguments, ask, ask_stream, call, finish, plain, read_plain, read_stream, role,
    streamed, usage,
};
use crate::support::upstream::Seen;
use crate::support::{Answer, Config, Gate, Gateway, Reply, Upstream};

const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Streamed,
    Tools,
}

fn body(form: Form) -> String {
    let tools = json!([{ "type": "function", "function": { "name": "order", "parameters": {} } }]);
    match form {
        Form::Plain => ask(),
        Form::Streamed => ask_stream(),
        Form::Tools => ask_stream().replacen('{', &format!("{{\"tools\":{tools},"), 1),
    }
}

/// A provider that answers each form, and gives every call an id of its own.
fn answers(name: &'static str, pause: Option<(usize, Gate)>) -> impl FnMut(&Seen) -> Reply + Send {
    let mut number = 0;
    move |seen| {
        number += 1;
        let ask = seen.json();
        if ask["stream"] != true {
            return Reply::json(plain("Hello!"));
        }
        if ask.get("tools").is_none() {
            return Reply::sse(streamed(&["Hel", "lo!"]));
        }
        let begun =
            role() + &call(0, &format!("call_{name}_{number}"), "order") + &arguments(0, "{\"n\":");
        let at = begun.len();
        let reply =
            Reply::sse(begun + &arguments(0, "1}") + &finish("tool_calls") + &usage() + DONE);
        match &pause {
            Some((held, gate)) if *held == number => reply.pause_at(at, gate),
            _ => reply,
        }
    }
}

/// The members of an answer, or of a stream's frames, at any depth.
fn schema(answer: &Answer, form: Form) -> BTreeSet<String> {
    fn members(value: &Value, at: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                into.insert(format!("{at}.{key}"));
                members(value, &format!("{at}.{key}"), into);
            }),
            Value::Array(items) => items.iter().for_each(|item| members(item, at, into)),
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    if form == Form::Plain {
        members(&answer.json(), "", &mut all);
    } else {
        for data in answer.data().into_iter().filter(|data| *data != "[DONE]") {
            members(&serde_json::from_str(data).unwrap(), "", &mut all);
        }
    }
    all
}

#[tokio::test]
async fn thirty_requests_and_an_outage_come_to_thirty_answers() {
    let gate = Gate::new();
    // The eleventh is in the middle of its tool call when the primary dies.
    let held = (11, gate.clone());
    let mut first = Upstream::choosing(answers("first", Some(held))).await;
    let second = Upstream::choosing(answers("second", None)).await;
    let config = Config::of(&[&first, &second]).limits("5s", "2s", "2s");
    let gateway = Gateway::start(config).await;
    let mut calls = BTreeSet::new();
    let mut schemas = [const { None }; 3];
    let (mut died, mut probes) = (None, 0);
    for number in 1..=30_usize {
        let form = [Form::Plain, Form::Streamed, Form::Tools][number % 3];
        let start = Instant::now();
        let answer = if number == 11 {
            let mut client = gateway.connect().await;
            client
                .post("/v1/chat/completions", &[], body(form).as_bytes())
                .await;
            first.request(10).await;
            first.kill().await;
            client.answer().await.rest().await
        } else {
            gateway.chat(&body(form)).await
        };
        assert!(
            start.elapsed() < DEADLINE,
            "{number}: {:?}",
            start.elapsed()
        );
        assert_eq!(answer.status, 200, "{number}: {}", answer.text());
        let said = if form == Form::Plain {
            read_plain(&answer.json()).remove(0)
        } else {
            let whole = read_stream(&answer.data(), false);
            assert_eq!(whole.ended, Ended::Done, "{number}");
            whole.choices.into_iter().next().unwrap()
        };
        match form {
            Form::Plain | Form::Streamed => assert_eq!(said.text, "Hello!"),
            Form::Tools => {
                assert_eq!(said.calls.len(), 1, "{number}");
                assert_eq!(said.calls[0].2, "{\"n\":1}");
                assert!(
                    calls.insert(said.calls[0].0.clone()),
                    "{number}: a call twice"
                );
            }
        }
        let schema = schema(&answer, form);
        let known = schemas[number % 3].get_or_insert_with(|| schema.clone());
        assert_eq!(*known, schema, "{number}: another schema");

        let record = gateway.audit(answer.id()).await;
        let classes = record.classes();
        match number {
            ..=10 => assert_eq!(classes, ["ok"], "{number}"),
            11 => {
                died.get_or_insert(start);
                assert_eq!(classes, ["reset", "connect", "ok"], "{number}");
                assert!(!record.reasons()[0].is_empty() && !record.reasons()[1].is_empty());
            }
            // Two failures are enough: from here on it is left alone, but for a probe now and then.
            _ if classes == ["connect", "ok"] => probes += 1,
            _ => assert_eq!(classes, ["ok"], "{number}"),
        }
        if number > 10 {
            assert_eq!(record.text("target"), "second/model-second");
        }
    }
    // The first comes after five seconds at most a fifth less, each other one later still.
    let after = died.unwrap().elapsed().as_secs();
    assert!(probes <= after / 4, "{probes} probes in {after} s");
    assert_eq!(calls.len(), 10);
    assert_eq!(gateway.all_records().len(), 30);
}
