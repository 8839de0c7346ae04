//! Which lines count.

use super::*;

#[test]
fn a_span_leaves_the_others_out_and_says_so() {
    let span = Span {
        since: Some("2026-11-21".into()),
        until: Some("2026-11-22".into()),
    };
    let summary = summary(&[By::Route], span, &day(), None, &Exchange::default());
    assert_eq!((summary.lines.records, summary.lines.outside), (1, 4));
}

#[test]
fn what_is_no_record_is_counted_apart() {
    let mut tally = Tally::new(vec![By::Route], Span::default());
    let good = record(&json!({}));
    for line in [
        &*good,
        "",
        "{\"level\":\"info\"}",
        "plain text",
        &good[..300],
    ] {
        tally.line(line.as_bytes(), false);
    }
    tally.line(&good.as_bytes()[..500], true);
    let expected = Lines {
        records: 1,
        outside: 0,
        repeated: 0,
        other: 2,
        broken: 2,
        torn: 1,
    };
    assert_eq!(tally.finish().lines, expected);
}

/// Records as they are written, sealed one after the other.
fn sealed(bare: &[String]) -> Vec<String> {
    let mut chain = crate::proof::Chain::default();
    let mut lines = Vec::new();
    for (seq, bare) in (1..).zip(bare) {
        let (bare, _) = bare.split_once(",\"seq\":").unwrap();
        chain.seal(format!("{bare}}}").as_bytes(), seq, &mut lines);
    }
    let lines = String::from_utf8(lines).unwrap();
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn a_record_counts_once_however_often_it_stands_there() {
    let mut lines = sealed(&day());
    // A collector was sent the last two again; a log has put a time before one.
    lines.extend_from_within(3..);
    lines.push(format!("2026-11-20T08:09:11Z stdout F {}", lines[0]));
    // By any reader of JSON, too.
    lines.push(lines[1].replace("\"seq\":", " \"seq\": "));
    let once = told(&[By::Route], &lines[..5]);
    let often = told(&[By::Route], &lines);
    assert_eq!(
        (&often["rows"], &often["total"]),
        (&once["rows"], &once["total"])
    );
    assert_eq!(often["lines"]["records"], 5);
    assert_eq!(often["lines"]["repeated"], 4);
    let notes = often["notes"].to_string();
    assert!(
        notes.contains("4 records stand there more than once"),
        "{notes}"
    );
}

#[test]
fn records_without_a_seal_all_count() {
    let one = record(&json!({}));
    let told = told(&[By::Route], &[one.clone(), one]);
    assert_eq!(told["total"]["requests"], 2);
}
