//! The exact lines.

use super::*;
use crate::error::GatewayError;
use crate::privacy::Transcript;

const ID: &[u8; 36] = b"req_018bcfe568000123456789abcdef0123";

/// A request that arrived at a known instant, with its caller, route and plan known.
fn planned() -> (Facts, impl Fn(u64) -> Instant) {
    let arrival = Arrival {
        time: "2026-11-20T08:09:10.1239Z".parse().unwrap(),
        instant: Instant::now(),
    };
    let mut facts = Facts::new(RequestId::fixed(ID), arrival);
    facts.trace = Trace::of_caller(&headers(
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ));
    facts.key = Some(key());
    facts.route = Some(route());
    facts.surface = Some(Surface::Chat);
    facts.streamed = Some(true);
    facts.version = Some("0123456789ab".into());
    facts.plan = Some(
        [target("openai", "gpt-5"), target("claude", "haiku")]
            .into_iter()
            .collect(),
    );
    let after = move |ms| arrival.instant + Duration::from_millis(ms);
    (facts, after)
}

fn line(facts: &mut Facts, end: End<'_>, at: Instant) -> String {
    let verdict = facts.end(end, at);
    let line = line::write(facts, &verdict, &identity()).unwrap();
    String::from_utf8(line).unwrap()
}

const KNOWN: &str = concat!(
    r#"{"kind":"pillion.audit","time":"2026-11-20T08:09:10.123Z","#,
    r#""id":"req_018bcfe568000123456789abcdef0123","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","#,
    r#""key":"chat-prod","team":"support","service":"chat","environment":null,"instance":"pod-1","#,
    r#""route":"chat","rule":null,"surface":"chat","stream":true,"plan":["openai/gpt-5","claude/haiku"],"#,
);

#[test]
fn an_answer_by_the_second_target_is_a_line() {
    let (mut facts, after) = planned();
    let log = facts.attempt(&target("openai", "gpt-5"), after(2));
    let mut failure = Failure::new(Class::RateLimited, "429 names a rate");
    failure.status = Some(StatusCode::TOO_MANY_REQUESTS);
    log.failed(&failure, after(50));
    let log = facts.attempt(&target("claude", "haiku"), after(51));
    log.upstream_id("msg_1");
    log.first_token(after(400));
    log.answered(StatusCode::OK);
    facts.usage = Some(usage());
    let expected = format!(
        "{KNOWN}{}",
        concat!(
            r#""attempts":[{"target":"openai/gpt-5","class":"rate_limited","status":429,"ms":48,"#,
            r#""first_token_ms":null,"reason":"429 names a rate","billed":null,"upstream_id":null,"start_ms":2},"#,
            r#"{"target":"claude/haiku","class":"ok","status":200,"ms":849,"first_token_ms":349,"#,
            r#""reason":null,"billed":true,"upstream_id":"msg_1","start_ms":51}],"#,
            r#""status":200,"outcome":"ok","reason":null,"target":"claude/haiku","provider":"claude","model":"haiku","#,
            r#""first_token_ms":400,"total_ms":900,"#,
            r#""usage":{"prompt":12,"cached":0,"cache_write":null,"reasoning":null,"completion":7,"estimated":false},"#,
            r#""cost":null,"currency":null,"privacy":null,"residency":null,"dropped":null,"content":null,"#,
            r#""config_version":"0123456789ab"}"#,
        )
    );
    assert_eq!(
        line(&mut facts, End::Answered(StatusCode::OK), after(900)),
        expected
    );
}

#[test]
fn a_request_without_an_answer_is_a_line() {
    let (mut facts, after) = planned();
    let log = facts.attempt(&target("openai", "gpt-5"), after(0));
    log.failed(
        &Failure::new(Class::Connect, "connection refused"),
        after(3),
    );
    let log = facts.attempt(&target("claude", "haiku"), after(3));
    let failure = Failure::new(Class::Timeout, "no first token in time");
    log.failed(&failure, after(803));
    let expected = format!(
        "{KNOWN}{}",
        concat!(
            r#""attempts":[{"target":"openai/gpt-5","class":"connect","status":null,"ms":3,"#,
            r#""first_token_ms":null,"reason":"connection refused","billed":false,"upstream_id":null,"start_ms":0},"#,
            r#"{"target":"claude/haiku","class":"timeout","status":null,"ms":800,"first_token_ms":null,"#,
            r#""reason":"no first token in time","billed":null,"upstream_id":null,"start_ms":3}],"#,
            r#""status":504,"outcome":"error","reason":"timeout","target":null,"provider":null,"model":null,"#,
            r#""first_token_ms":null,"total_ms":804,"usage":null,"#,
            r#""cost":null,"currency":null,"privacy":null,"residency":null,"dropped":null,"content":null,"#,
            r#""config_version":"0123456789ab"}"#,
        )
    );
    let error = GatewayError::Unanswered(failure);
    assert_eq!(line(&mut facts, End::Failed(&error), after(804)), expected);
}

#[test]
fn a_broken_stream_and_a_cancelled_one_keep_who_answered() {
    for (end, rest) in [
        (
            End::Broken(
                StatusCode::OK,
                &Failure::new(Class::Reset, "connection reset"),
            ),
            concat!(
                r#""attempts":[{"target":"openai/gpt-5","class":"reset","status":200,"ms":500,"first_token_ms":100,"#,
                r#""reason":"connection reset","billed":true,"upstream_id":null,"start_ms":0}],"#,
                r#""status":200,"outcome":"stream_broken","reason":"reset","#,
            ),
        ),
        (
            End::Cancelled,
            concat!(
                r#""attempts":[{"target":"openai/gpt-5","class":"cancelled","status":200,"ms":500,"first_token_ms":100,"#,
                r#""reason":null,"billed":true,"upstream_id":null,"start_ms":0}],"#,
                r#""status":null,"outcome":"cancelled","reason":"cancelled","#,
            ),
        ),
    ] {
        let (mut facts, after) = planned();
        let log = facts.attempt(&target("openai", "gpt-5"), after(0));
        log.first_token(after(100));
        log.answered(StatusCode::OK);
        let expected = format!(
            "{KNOWN}{rest}{}",
            concat!(
                r#""target":"openai/gpt-5","provider":"openai","model":"gpt-5","#,
                r#""first_token_ms":100,"total_ms":500,"usage":null,"#,
                r#""cost":null,"currency":null,"privacy":null,"residency":null,"dropped":null,"content":null,"#,
                r#""config_version":"0123456789ab"}"#,
            )
        );
        assert_eq!(line(&mut facts, end, after(500)), expected);
    }
}

#[test]
fn what_is_not_known_is_null() {
    let arrival = Arrival {
        time: "2026-11-20T08:09:10Z".parse().unwrap(),
        instant: Instant::now(),
    };
    let mut facts = Facts::new(RequestId::fixed(ID), arrival);
    let verdict = facts.end(End::Failed(&GatewayError::InvalidToken), arrival.instant);
    let line = line::write(&facts, &verdict, &Identity::default()).unwrap();
    assert_eq!(
        String::from_utf8(line).unwrap(),
        concat!(
            r#"{"kind":"pillion.audit","time":"2026-11-20T08:09:10.000Z","#,
            r#""id":"req_018bcfe568000123456789abcdef0123","trace_id":null,"key":null,"team":null,"#,
            r#""service":null,"environment":null,"instance":null,"route":null,"rule":null,"#,
            r#""surface":null,"stream":null,"plan":null,"attempts":[],"#,
            r#""status":401,"outcome":"error","reason":"invalid_api_key","#,
            r#""target":null,"provider":null,"model":null,"first_token_ms":null,"total_ms":0,"#,
            r#""usage":null,"cost":null,"currency":null,"privacy":null,"residency":null,"dropped":null,"content":null,"#,
            r#""config_version":null}"#,
        )
    );
}

#[test]
fn content_is_masked_once_it_was_looked_into() {
    let (mut facts, after) = planned();
    let (transcribing, content) = Content::new();
    facts.content = Some(Box::new(content));
    let answered = End::Answered(StatusCode::OK);
    let early = line(&mut facts, answered, after(1));
    assert!(
        early.contains(r#""content":null,"config_version""#),
        "{early}"
    );
    let transcript = Transcript::of(&Arc::default(), r#"{"input":"a@b.kz"}"#, None);
    transcribing.done(transcript.unwrap());
    let bare = line(&mut facts, answered, after(1));
    let request = r#""content":{"request":"{\"input\":\"[EMAIL_1]\"}","answer":"#;
    assert!(
        bare.contains(&format!(r#"{request}null,"cut":false}},"#)),
        "{bare}"
    );
    let mut said = Said::new(Surface::Chat);
    said.whole(br#"{"choices":[{"index":0,"message":{"content":"Hi a@b.kz"}}]}"#);
    facts.content.as_mut().unwrap().answered(&said, true);
    let whole = line(&mut facts, answered, after(1));
    let answer = r#""[{\"text\":\"Hi [EMAIL_1]\"}]","cut":false},"config_version""#;
    assert!(whole.contains(&format!("{request}{answer}")), "{whole}");
    // A look that failed.
    let (transcribing, content) = Content::new();
    facts.content = Some(Box::new(content));
    drop(transcribing);
    facts.content.as_mut().unwrap().answered(&said, true);
    assert_eq!(line(&mut facts, answered, after(1)), early);
}

#[test]
fn a_providers_code_is_not_a_reason() {
    let (mut facts, after) = planned();
    let mut failure = Failure::new(Class::InvalidRequest, "400");
    failure.said = Some(Box::new(crate::outcome::Said {
        code: Some("anything the provider likes".into()),
        ..Default::default()
    }));
    let error = GatewayError::Unanswered(failure);
    let verdict = facts.end(End::Failed(&error), after(1));
    assert_eq!(verdict.reason, Some("invalid_request"));
    assert_eq!(verdict.rejection, None);
}

#[test]
fn a_long_upstream_id_is_cut_between_characters() {
    let (mut facts, after) = planned();
    let log = facts.attempt(&target("openai", "gpt-5"), after(0));
    log.upstream_id(&"é".repeat(65).replacen('é', "x", 1));
    assert_eq!(
        facts.attempts[0].lock().upstream_id.as_ref().unwrap().len(),
        127
    );
}
