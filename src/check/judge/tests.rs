//! Verdicts, as tables.

use http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::check::caller::Answer;
use crate::check::probe::Probe;
use crate::check::report::Word;
use crate::snapshot::Timeouts;

fn answer(status: u16, body: &Value) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    Answer {
        status,
        headers,
        body: body.to_string().into(),
        ..Answer::default()
    }
}

fn saying(text: &str) -> Answer {
    completion(&json!({ "role": "assistant", "content": text }), "stop")
}

fn calling(name: &str, arguments: &Value) -> Answer {
    let function = json!({ "name": name, "arguments": arguments.to_string() });
    let call = json!({ "id": "call_1", "type": "function", "function": function });
    let message = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
    completion(&message, "tool_calls")
}

fn completion(message: &Value, finish: &str) -> Answer {
    answer(
        200,
        &json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
            "usage": { "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12 },
        }),
    )
}

fn order() -> Value {
    json!({
        "customer": { "name": "Aigul", "tier": "plus" },
        "items": [{ "sku": "A-17", "quantity": 2 }],
        "express": true,
    })
}

/// An answer that the gateway gave because its one attempt ended in `class`.
fn failed(status: u16, class: &str) -> Answer {
    let error = json!({ "error": { "message": "told", "type": "upstream_error", "code": "c" } });
    Answer {
        record: Some(json!({ "attempts": [{ "class": class, "reason": "because" }] })),
        ..answer(status, &error)
    }
}

#[test]
fn each_answer_alone_says_what_is_lacking() {
    let ticket = json!({ "category": "delivery", "urgent": true, "summary": "late", "tags": [] });
    let no_tier = json!({ "customer": { "name": "A" }, "items": [], "express": true });
    for (probe, answers, lack, said) in [
        (Probe::Plain, vec![saying("Hello!")], None, ""),
        (
            Probe::Plain,
            vec![saying("")],
            Some(Lack::Lacking),
            "the answer is empty",
        ),
        (
            Probe::Plain,
            vec![answer(200, &json!({ "choices": [] }))],
            Some(Lack::Broken),
            "`object` is not chat.completion",
        ),
        (
            Probe::Plain,
            vec![failed(502, "connect")],
            Some(Lack::Unreachable),
            "connect: because",
        ),
        (
            Probe::Plain,
            vec![failed(502, "broken")],
            Some(Lack::Broken),
            "broken: because",
        ),
        (
            Probe::Tools,
            vec![failed(400, "invalid_request")],
            Some(Lack::Refused),
            "refused with 400: told",
        ),
        (
            Probe::Tools,
            vec![calling("record_order", &order()), saying("Done.")],
            None,
            "",
        ),
        (
            Probe::Tools,
            vec![
                calling("record_order", &order()),
                failed(502, "server_error"),
            ],
            Some(Lack::Unreachable),
            "the turn after the tool's result: server_error: because",
        ),
        (
            Probe::Tools,
            vec![saying("I recorded it.")],
            Some(Lack::Lacking),
            "answered in words where a tool was to be called",
        ),
        (
            Probe::Tools,
            vec![calling("record_order", &no_tier), saying("Done.")],
            Some(Lack::Lacking),
            "the arguments do not satisfy the schema: customer.tier is missing",
        ),
        (
            Probe::ParallelTools,
            vec![calling("get_weather", &json!({ "city": "Almaty" }))],
            Some(Lack::Lacking),
            "made fewer than the two calls asked for in one turn",
        ),
        (
            Probe::JsonSchema,
            vec![saying(&ticket.to_string())],
            None,
            "",
        ),
        (
            Probe::JsonSchema,
            vec![saying("It is about delivery.")],
            Some(Lack::Lacking),
            "the answer is not JSON",
        ),
        (
            Probe::JsonSchema,
            vec![saying("{}")],
            Some(Lack::Lacking),
            "the answer does not satisfy the schema: category is missing",
        ),
        (
            Probe::LongContext,
            vec![saying("It is kumquat-7431.")],
            None,
            "",
        ),
        (
            Probe::LongContext,
            vec![saying("No idea.")],
            Some(Lack::Lacking),
            "did not find what stood in the first line of a long prompt",
        ),
        (Probe::Error, vec![failed(400, "invalid_request")], None, ""),
        (
            Probe::Error,
            vec![answer(500, &json!("oops"))],
            Some(Lack::Broken),
            "status 500 came without an error object",
        ),
        (
            Probe::Error,
            vec![saying("Hello!")],
            Some(Lack::Lacking),
            "a conversation without messages was answered",
        ),
    ] {
        match (of(probe, &answers).result, lack) {
            (Ok(_), None) => {}
            (Err(trouble), Some(lack)) => {
                assert_eq!(
                    trouble,
                    Trouble {
                        lack,
                        said: said.into()
                    },
                    "{probe:?}"
                );
            }
            (result, _) => panic!("{probe:?} {said}: {result:?}"),
        }
    }
}

#[test]
fn a_stream_that_was_left_must_be_recorded_as_cancelled() {
    let left = |outcome: &str| Answer {
        left: true,
        record: Some(json!({ "outcome": outcome })),
        ..Answer::default()
    };
    let judged = |outcome, after| of(Probe::Cancel, &[left(outcome), after]).result;
    assert_eq!(judged("cancelled", saying("Hello!")), Ok(Traits::default()));
    assert_eq!(judged("ok", saying("Hello!")).unwrap().notes.len(), 1);
    let broken = judged("error", saying("Hello!")).unwrap_err();
    assert_eq!(broken.lack, Lack::Broken);
    let silent = judged("cancelled", failed(504, "timeout")).unwrap_err();
    assert!(
        silent
            .said
            .contains("the next request after a cancelled one: timeout")
    );
}

fn finding(result: Result<Traits, Trouble>) -> Finding {
    Finding {
        result,
        first_token: None,
        total: Duration::ZERO,
    }
}

fn lacking(lack: Lack) -> Finding {
    finding(Err(Trouble::new(lack, "why")))
}

fn able(change: impl FnOnce(&mut Traits)) -> Finding {
    let mut traits = Traits {
        finish: Some("stop".into()),
        content_type: "application/json".into(),
        usage: true,
        fields: BTreeSet::from(["id".into(), "usage".into(), "usage.details".into()]),
        error: Some(Refused {
            status: 400,
            kind: Some("invalid_request_error".into()),
            code: Some("empty_array".into()),
            should_retry: Some("false".into()),
        }),
        ..Traits::default()
    };
    change(&mut traits);
    finding(Ok(traits))
}

fn refusal(traits: &mut Traits) -> &mut Refused {
    traits.error.as_mut().unwrap()
}

#[test]
fn what_an_application_would_notice_is_a_difference() {
    for (other, word, said) in [
        (able(|_| {}), Word::Ok, ""),
        (
            able(|t| t.finish = Some("length".into())),
            Word::Differs,
            "finish_reason is length, the first's is stop",
        ),
        (
            able(|t| t.content_type = "text/html".into()),
            Word::Differs,
            "content-type is text/html, the first's is application/json",
        ),
        (
            able(|t| t.usage = false),
            Word::Differs,
            "there is no usage, and the first has it",
        ),
        (
            able(|t| refusal(t).status = 422),
            Word::Differs,
            "the error's status is 422, the first's is 400",
        ),
        (
            able(|t| refusal(t).code = Some("bad_value".into())),
            Word::Differs,
            "the error's code is bad_value, the first's is empty_array",
        ),
        (
            able(|t| refusal(t).code = None),
            Word::Ok,
            "the error's code is none, the first's is empty_array",
        ),
        (
            able(|t| refusal(t).should_retry = None),
            Word::Differs,
            "x-should-retry is none, the first's is false",
        ),
        (
            able(|t| t.fields = BTreeSet::from(["id".into(), "more".into()])),
            Word::Ok,
            "lacks usage",
        ),
    ] {
        let expected: Vec<&str> = Some(said)
            .filter(|said| !said.is_empty())
            .into_iter()
            .collect();
        let found = against(&able(|_| {}), &other);
        assert_eq!(found.0, word, "{said}");
        assert_eq!(found.1, expected);
    }
}

#[test]
fn what_the_first_can_do_the_others_must_and_no_more() {
    let ok = || able(|_| {});
    for (first, other, word) in [
        (ok(), lacking(Lack::Lacking), Word::Fails),
        (ok(), lacking(Lack::Refused), Word::Fails),
        (lacking(Lack::Lacking), ok(), Word::Ok),
        (lacking(Lack::Lacking), lacking(Lack::Lacking), Word::Note),
        (lacking(Lack::Lacking), lacking(Lack::Refused), Word::Fails),
        (lacking(Lack::Refused), lacking(Lack::Lacking), Word::Note),
        (lacking(Lack::Broken), lacking(Lack::Broken), Word::Note),
        (
            lacking(Lack::Unreachable),
            lacking(Lack::Unreachable),
            Word::Fails,
        ),
    ] {
        assert_eq!(against(&first, &other).0, word, "{first:?} {other:?}");
    }
}

#[test]
fn of_the_first_only_a_failure_is_one() {
    for (probe, finding, word) in [
        (Probe::Plain, able(|_| {}), Word::Ok),
        (Probe::Plain, lacking(Lack::Lacking), Word::Fails),
        (Probe::Tools, lacking(Lack::Lacking), Word::Note),
        (Probe::Tools, lacking(Lack::Refused), Word::Note),
        (Probe::Tools, lacking(Lack::Broken), Word::Fails),
        (Probe::Stream, lacking(Lack::Unreachable), Word::Fails),
    ] {
        assert_eq!(alone(probe, &finding).0, word, "{probe:?}");
    }
}

#[test]
fn pace_is_that_of_most_answers_and_not_of_the_slowest() {
    let allowed = Timeouts::INTERACTIVE;
    let timed = |probe, first_token: u64| {
        let finding = Finding {
            first_token: Some(Duration::from_millis(first_token)),
            ..able(|_| {})
        };
        (probe, finding)
    };
    let paced = |times: [u64; 3]| {
        let probes = [Probe::Stream, Probe::Usage, Probe::ToolsStreamed];
        let findings: Vec<_> = probes
            .into_iter()
            .zip(times)
            .map(|(probe, time)| timed(probe, time))
            .collect();
        pace(&findings, &allowed).unwrap().result
    };
    assert!(paced([100, 9_000, 200]).is_ok());
    let late = paced([100, 9_000, 3_000]).unwrap_err();
    assert_eq!(
        late.said,
        "the first token comes after 3.00 s, and the route allows 2.50 s"
    );
    assert!(pace(&[(Probe::Stream, lacking(Lack::Broken))], &allowed).is_none());
}
