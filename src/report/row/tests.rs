//! Lines of records, as a report reads them.

use super::*;

const RECORD: &str = concat!(
    r#"{"kind":"pillion.audit","time":"2026-11-20T08:09:10.123Z","id":"req_1","trace_id":null,"#,
    r#""key":"chat-\"prod\"","team":"support","service":null,"route":"chat","rule":null,"surface":"chat","stream":true,"#,
    r#""plan":["openai/gpt-5"],"attempts":[{"target":"openai/gpt-5","class":"timeout","ms":48,"first_token_ms":null},"#,
    r#"{"target":"claude/haiku","class":"ok","ms":849,"first_token_ms":349}],"status":200,"outcome":"ok","reason":null,"#,
    r#""target":"claude/haiku","provider":"claude","model":"haiku","first_token_ms":400,"total_ms":900,"#,
    r#""usage":{"prompt":12,"cached":0,"cache_write":null,"reasoning":null,"completion":7,"estimated":true},"#,
    r#""cost":"0.000123","currency":"USD","privacy":{"found":{"iin":2,"card":0},"action":"mask"},"seq":7,"prev":null,"hash":"00"}"#,
);

fn record(text: &str) -> Row<'_> {
    match line(text.as_bytes()) {
        Line::Record(row) => *row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_is_read() {
    let row = record(RECORD);
    assert_eq!(row.time, "2026-11-20T08:09:10.123Z");
    assert_eq!(row.key.as_deref(), Some("chat-\"prod\""));
    assert_eq!(
        (row.team.as_deref(), row.service.as_deref()),
        (Some("support"), None)
    );
    assert_eq!((row.outcome, row.reason.as_deref()), ("ok", None));
    assert_eq!((row.first_token_ms, row.total_ms), (Some(400), Some(900)));
    assert_eq!((row.cost, row.currency), (Some("0.000123"), Some("USD")));
    assert_eq!(row.stream, Some(true));
    let tokens = Tokens {
        prompt: Some(12),
        cached: Some(0),
        completion: Some(7),
        estimated: true,
        ..Tokens::default()
    };
    assert_eq!(row.usage, Some(tokens));
    assert!(row.fell_back());
    let mut attempts = Vec::new();
    row.attempts(|attempt| {
        attempts.push((
            attempt.target,
            attempt.class,
            attempt.ms,
            attempt.first_token_ms,
        ));
    });
    assert_eq!(
        attempts[1],
        ("claude/haiku".into(), "ok".into(), 849, Some(349))
    );
    let mut classes = Vec::new();
    row.classes(|class| classes.push(class.to_owned()));
    assert_eq!(classes, ["iin"]);
}

/// As it is written here, with every member.
const WRITTEN: &str = concat!(
    r#"{"kind":"pillion.audit","time":"2026-11-20T08:09:10.123Z","id":"req_1","trace_id":null,"#,
    r#""key":"chat-prod","team":"support","service":null,"environment":"prod","instance":"pod-1","#,
    r#""route":"chat","rule":null,"surface":"chat","stream":false,"plan":["openai/gpt-5","claude/haiku"],"#,
    r#""attempts":[{"target":"openai/gpt-5","class":"timeout","status":null,"ms":48,"first_token_ms":null,"reason":"a \"],\"status\":","billed":null,"upstream_id":null},"#,
    r#"{"target":"claude/haiku","class":"ok","status":200,"ms":849,"first_token_ms":349,"reason":null,"billed":true,"upstream_id":"x"}],"#,
    r#""status":200,"outcome":"error","reason":"timeout","target":"claude/haiku","provider":"claude","model":"haiku","#,
    r#""first_token_ms":null,"total_ms":900,"usage":{"prompt":12,"cached":0,"cache_write":null,"reasoning":3,"completion":7,"estimated":true},"#,
    r#""cost":"0.000123","currency":"USD","privacy":{"found":{"iin":2},"action":"mask"},"#,
    r#""residency":{"demanded":["kz"],"providers":{"openai":[],"claude":["eu","kz"]}},"dropped":["seed"],"#,
    r#""content":{"request":"{\"model\":\"a\",\"b\":[{}]},\"config_version\":","answer":null,"cut":false},"#,
    r#""config_version":"v","seq":7,"prev":null,"hash":"00"}"#,
);

#[test]
fn what_is_as_we_write_it_is_read_quickly_and_as_any_other_json() {
    let shown = |row: &Row<'_>| format!("{row:?}");
    let nulls = WRITTEN
        .replace(r#"{"prompt":12,"cached":0,"cache_write":null,"reasoning":3,"completion":7,"estimated":true}"#, "null")
        .replace(r#"{"found":{"iin":2},"action":"mask"}"#, "null")
        .replace(r#"{"demanded":["kz"],"providers":{"openai":[],"claude":["eu","kz"]}}"#, "null")
        .replace(r#"["seed"]"#, "null")
        .replace(r#"{"request":"{\"model\":\"a\",\"b\":[{}]},\"config_version\":","answer":null,"cut":false}"#, "null")
        .replace(r#""0.000123""#, "null");
    // More than anybody can have counted.
    let absurd = WRITTEN
        .replace(r#""prompt":12"#, r#""prompt":18446744073709551615"#)
        .replace(r#""completion":7"#, r#""completion":1099511627776"#);
    assert_eq!(record(&absurd).usage.unwrap().prompt, None);
    for text in [WRITTEN, &nulls, &absurd] {
        let row = quick::read(text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(shown(&row), shown(&read(text).unwrap()));
        for cut in BEGINNING.len()..text.len() {
            assert!(quick::read(&text[..cut]).is_err(), "{cut}");
        }
    }
    // Another order, blanks, escapes, more members: any JSON will do.
    let spaced = WRITTEN.replace(",\"team\":", ", \"team\": ");
    let escaped = WRITTEN.replace("chat-prod", "chat\\u002dprod");
    let more = WRITTEN.replace(",\"seq\":", ",\"new\":{\"a\":[1]},\"seq\":");
    for text in [&spaced, &escaped, &more] {
        assert!(quick::read(text).is_err(), "{text}");
        assert_eq!(shown(&record(text)), shown(&record(WRITTEN)), "{text}");
    }
}

#[test]
fn what_a_log_adds_is_passed_over_and_what_is_cut_is_known() {
    let logged = format!("2026-11-20T08:09:10.2Z stdout F {RECORD}\r");
    assert_eq!(record(&logged).total_ms, Some(900));
    for other in ["", "hello", r#"{"level":"info"}"#, r#"{"kind":"other"}"#] {
        assert!(matches!(line(other.as_bytes()), Line::Other), "{other}");
    }
    assert!(matches!(line(b"\xff\xfe"), Line::Other));
    for cut in 9..RECORD.len() {
        assert!(
            matches!(line(&RECORD.as_bytes()[..cut]), Line::Broken),
            "{cut}"
        );
    }
}
