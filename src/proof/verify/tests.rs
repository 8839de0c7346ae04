//! What is found of files that somebody has been at.

use jiff::Timestamp;

use super::*;
use crate::proof::{Chain, Head, Note, Told, What, Why};

/// The records of one instance, numbered from `from`.
fn records(chain: &mut Chain, instance: &str, from: u64, count: u64) -> Vec<String> {
    let seqs = from..from + count;
    seqs.map(|seq| {
        let bare = format!(
            r#"{{"kind":"pillion.audit","instance":"{instance}","status":{}}}"#,
            seq % 7
        );
        let mut line = Vec::new();
        chain.seal(bare.as_bytes(), seq, &mut line);
        String::from_utf8(line).unwrap()
    })
    .collect()
}

fn pod(instance: &str, count: u64) -> Vec<String> {
    records(&mut Chain::default(), instance, 1, count)
}

/// What is found in these files, in this order.
fn verified(files: &[(&str, String)]) -> Report {
    with_notes("", "", files, false)
}

fn with_notes(heads: &str, notes: &str, files: &[(&str, String)], partial: bool) -> Report {
    let mut verifier = Verifier::new(partial);
    verifier.heads("heads", heads.as_bytes());
    verifier.notes("notes", notes.as_bytes());
    for (name, text) in files {
        let mixed = *name == "-";
        verifier.read(name, mixed, &mut text.as_bytes()).unwrap();
    }
    verifier.finish()
}

/// File, line and fault of the first problem.
fn first(report: &Report) -> Option<(&str, Option<u64>, Fault)> {
    let first = report.problems.first()?;
    Some((&first.file, first.line, first.what))
}

fn told(head: Head, instance: &str) -> String {
    let now: Timestamp = "2026-11-20T08:09:10Z".parse().unwrap();
    let note = Note::new("/a.jsonl", Some(instance), What::head(head, Why::Exit), now);
    serde_json::to_string(&note).unwrap() + "\n"
}

fn head_of(line: &str) -> Head {
    crate::proof::Sealed::read(line.trim_end().as_bytes())
        .unwrap()
        .head()
}

#[test]
fn what_is_whole_is_whole_in_any_order() {
    let one = pod("pod-1", 9);
    let files = [
        ("c", one[6..].concat()),
        ("other", pod("pod-2", 4).concat()),
        ("a", one[..3].concat()),
        ("b", one[3..6].concat()),
        ("empty", String::new()),
    ];
    let report = verified(&files);
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!((report.files, report.records), (5, 13));
    let chains: Vec<_> = report
        .chains
        .iter()
        .map(|it| {
            (
                it.instance.as_deref().unwrap(),
                it.files.join(" "),
                it.last_seq,
            )
        })
        .collect();
    let expected = [
        ("pod-2", "other".to_owned(), 4),
        ("pod-1", "a b c".to_owned(), 9),
    ];
    assert_eq!(chains, expected);
}

#[test]
fn a_broken_line_is_named() {
    let good = pod("pod-1", 6);
    let changed = |at: usize, from: &str, to: &str| {
        let mut lines = good.clone();
        lines[at] = lines[at].replacen(from, to, 1);
        lines.concat()
    };
    let without = |at: usize| [&good[..at], &good[at + 1..]].concat().concat();
    let mut swapped = good.clone();
    swapped.swap(2, 3);
    let doubled = [&good[..3], &good[2..]].concat().concat();
    let again = [&good[..1], &good[..]].concat().concat();
    let hash = format!("{}", head_of(&good[2]).hash);
    let other = format!("{}", head_of(&good[4]).hash);
    for (what, text, line, fault) in [
        (
            "changed",
            changed(3, "\"status\":4", "\"status\":5"),
            4,
            Fault::Changed,
        ),
        (
            "the first changed",
            changed(0, "\"status\":1", "\"status\":5"),
            1,
            Fault::Changed,
        ),
        (
            "the last changed",
            changed(5, "\"status\":6", "\"status\":5"),
            6,
            Fault::Changed,
        ),
        ("another hash", changed(2, &hash, &other), 3, Fault::Changed),
        (
            "no hash",
            changed(2, "\"hash\"", "\"hush\""),
            3,
            Fault::Unsealed,
        ),
        ("text", changed(2, "{", ""), 3, Fault::Unsealed),
        ("one removed", without(3), 4, Fault::Unlinked),
        ("two swapped", swapped.concat(), 3, Fault::Unlinked),
        ("one doubled", doubled, 4, Fault::Unlinked),
        ("the first doubled", again, 2, Fault::Forked),
        ("the first removed", without(0), 1, Fault::MissingSegment),
    ] {
        let report = verified(&[("f", text)]);
        assert_eq!(first(&report), Some(("f", Some(line), fault)), "{what}");
        assert_eq!(report.problems.len(), 1, "{what}: {:?}", report.problems);
    }
}

#[test]
fn a_torn_last_line_is_a_note() {
    let good = pod("pod-1", 3).concat();
    let report = verified(&[("f", good[..good.len() - 30].to_owned())]);
    assert!(report.ok);
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    assert!(report.notes[0].starts_with("f:3: the last line is torn"));
}

#[test]
fn what_lies_behind_a_line_without_end_is_looked_at() {
    let long = " ".repeat(70 << 20) + "\n";
    let good = pod("pod-1", 4);
    let changed = good[3].replace("pod-1", "pod-2");
    let text = good[..3].concat() + &long + &changed;
    let report = verified(&[("f", text)]);
    assert!(!report.ok);
    let found: Vec<_> = (report.problems.iter())
        .map(|problem| (problem.line, problem.what))
        .collect();
    let expected = [(Some(4), Fault::Unsealed), (Some(5), Fault::Changed)];
    assert_eq!(found, expected, "{:?}", report.notes);
}

#[test]
fn a_segment_that_is_missing_is_named_by_what_follows_it() {
    let one = pod("pod-1", 9);
    let (a, b, c) = (one[..3].concat(), one[3..6].concat(), one[6..].concat());
    let report = verified(&[("c", c.clone()), ("a", a)]);
    assert_eq!(first(&report), Some(("c", Some(1), Fault::MissingSegment)));
    let both = [("b", b), ("c", c)];
    assert_eq!(
        first(&verified(&both)),
        Some(("b", Some(1), Fault::MissingSegment))
    );
    // Unless it was removed in its time, or nobody claims that it is there.
    let end = head_of(&one[2]);
    let removed = What::Removed {
        segment: "f.1".into(),
        seq: end.seq,
        hash: end.hash,
    };
    let note = Note::new("/a.jsonl", Some("pod-1"), removed, Timestamp::UNIX_EPOCH);
    let note = serde_json::to_string(&note).unwrap();
    assert!(with_notes("", &note, &both, false).ok);
    assert!(with_notes("", "", &both, true).ok);
    // The heads of what was removed are not asked for.
    let heads = told(end, "pod-1") + &note;
    assert!(with_notes(&heads, "", &both, false).ok);
}

#[test]
fn lost_records_are_a_gap_unless_that_was_noted() {
    let mut chain = Chain::default();
    let mut lines = records(&mut chain, "pod-1", 1, 3);
    lines.extend(records(&mut chain, "pod-1", 6, 2));
    let gap = |after, lost| {
        let why = "the disk was full".into();
        let what = What::Gap { after, lost, why };
        let note = Note::new("/a.jsonl", Some("pod-1"), what, Timestamp::UNIX_EPOCH);
        serde_json::to_string(&note).unwrap()
    };
    let files = [("f", lines.concat())];
    let two = [("a", lines[..3].concat()), ("b", lines[3..].concat())];
    for (notes, ok) in [("", false), (&gap(3, 1), false), (&gap(3, 2), true)] {
        let report = with_notes("", notes, &files, false);
        assert_eq!(report.ok, ok, "{notes}");
        assert_eq!(with_notes("", notes, &two, false).ok, ok, "{notes}");
        if !ok {
            assert_eq!(first(&report), Some(("f", Some(4), Fault::Gap)));
        }
    }
}

#[test]
fn what_is_cut_off_shows_against_its_heads_alone() {
    let (one, two) = (pod("pod-1", 6), pod("pod-2", 4));
    let heads = told(head_of(&one[2]), "pod-1")
        + &told(head_of(&one[5]), "pod-1")
        + &told(head_of(&two[3]), "pod-2");
    let whole = [("one", one.concat()), ("two", two.concat())];
    assert!(with_notes(&heads, "", &whole, false).ok);
    let cut = [("one", one[..4].concat()), ("two", two.concat())];
    assert!(verified(&cut).ok);
    let report = with_notes(&heads, "", &cut, false);
    assert_eq!(first(&report), Some(("one", Some(4), Fault::CutTail)));
    assert_eq!(report.problems.len(), 1);
    let report = with_notes(&heads, "", &whole[..1], false);
    assert_eq!(first(&report), Some(("/a.jsonl", None, Fault::MissingPod)));
    assert!(report.problems[0].message.contains("pod-2"));
}

#[test]
fn heads_are_read_as_the_centre_has_them() {
    let one = pod("pod-1", 3);
    let head = head_of(&one[2]);
    let told = Told {
        file: "/a.jsonl".into(),
        seq: head.seq,
        hash: head.hash,
        time: String::new(),
    };
    let report = serde_json::json!({ "instance": "pod-1", "document": "ab", "heads": [told] });
    let none = serde_json::json!({ "instance": "pod-2", "document": "ab" });
    let list = serde_json::json!([report, none]);
    for text in [
        list.to_string(),
        serde_json::to_string_pretty(&list).unwrap(),
        format!("{report}\n{none}\n"),
    ] {
        let whole = with_notes(&text, "", &[("f", one.concat())], false);
        assert!(
            whole.ok && whole.notes.is_empty(),
            "{text}: {:?}",
            whole.notes
        );
        let cut = with_notes(&text, "", &[("f", one[..2].concat())], false);
        assert!(!cut.ok, "{text}");
    }
}

#[test]
fn several_pods_in_one_stream_are_told_apart() {
    let (one, two) = (pod("pod-1", 5), pod("pod-2", 5));
    let mut mixed: Vec<String> = one
        .iter()
        .zip(&two)
        .flat_map(|(a, b)| [a, b])
        .cloned()
        .collect();
    mixed.insert(3, "{\"level\":\"INFO\"}\n".into());
    let report = verified(&[("-", mixed.concat())]);
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.chains.len(), 2);
    // As a container's log has them, or `kubectl logs --prefix`.
    let logged = mixed.iter().enumerate().map(|(at, line)| match at % 3 {
        0 => format!("2026-11-20T08:09:10.123456789Z stdout F {line}"),
        1 => format!("[pod/pod-1/pillion] {line}"),
        _ => line.replace('\n', "\r\n"),
    });
    let logged = verified(&[("-", logged.collect())]);
    assert!(logged.ok, "{:?}", logged.problems);
    assert_eq!(logged.records, 10);
    mixed.remove(5);
    let report = verified(&[("-", mixed.concat())]);
    assert_eq!(first(&report).unwrap().2, Fault::Unlinked);
}

#[test]
fn copies_are_no_second_chain() {
    let one = pod("pod-1", 6);
    let files = [
        ("backup", one[..4].concat()),
        ("f", one.concat()),
        ("f.copy", one.concat()),
    ];
    let report = verified(&files);
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!((report.chains.len(), report.notes.len()), (1, 2));
}

/// What is found in what a collector has stored.
fn collected(text: &str) -> Report {
    let mut verifier = Verifier::new(false).collected();
    verifier.read("f", false, &mut text.as_bytes()).unwrap();
    verifier.finish()
}

#[test]
fn what_a_collector_stored_twice_is_read_once() {
    let (one, two) = (pod("pod-1", 6), pod("pod-2", 4));
    let again = [&one[..4], &two[..3], &one[2..], &two[1..]].concat();
    let mut lines = again.clone();
    lines.insert(5, "{\"level\":\"INFO\"}\n".into());
    let report = collected(&lines.concat());
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!((report.records, report.chains.len()), (10, 2));
    let notes = report.notes.concat();
    assert!(notes.contains("4 lines came twice"), "{notes}");
    // In a file of our own that is somebody's work.
    assert!(!verified(&[("f", again.concat())]).ok);
    // A line that only claims the hash of another is none.
    let forged = one[3].replace("\"status\":", "\"status\":1");
    let report = collected(&[one.concat(), forged].concat());
    assert_eq!(first(&report), Some(("f", Some(7), Fault::Changed)));
    // What is missing is missing.
    let report = collected(&[&one[..2], &one[3..]].concat().concat());
    assert_eq!(first(&report).unwrap().2, Fault::Unlinked);
}

#[test]
fn a_collector_knows_from_a_note_what_was_lost_before_it_was_sent() {
    let mut chain = Chain::default();
    let before = records(&mut chain, "pod-1", 1, 2);
    let after = records(&mut chain, "pod-1", 6, 1);
    let now: Timestamp = "2026-11-20T08:09:10Z".parse().unwrap();
    let what = What::Gap {
        after: 2,
        lost: 3,
        why: "too many".into(),
    };
    let note = Note::new("https", Some("pod-1"), what, now);
    let note = serde_json::to_string(&note).unwrap() + "\n";
    let lines = [before.concat(), note, after.concat()];
    let report = collected(&lines.concat());
    assert!(report.ok, "{:?}", report.problems);
    assert!(report.notes.concat().contains("3 records were lost"));
    // The store may hand it out behind them.
    let report = collected(&[&*lines[0], &*lines[2], &*lines[1]].concat());
    assert!(report.ok, "{:?}", report.problems);
    let report = collected(&[&*lines[0], &*lines[2]].concat());
    assert_eq!(first(&report).unwrap().2, Fault::Gap);
}

#[test]
fn a_collector_may_sort_by_the_time_of_requests() {
    let mut lines = [pod("pod-1", 40), pod("pod-2", 40)].concat();
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..20 {
        rng.shuffle(&mut lines);
        let report = collected(&lines.concat());
        assert!(report.ok, "{:?}", report.problems);
        assert_eq!((report.records, report.chains.len()), (80, 2));
        let head = pod("pod-1", 40).pop().unwrap();
        let whole = report
            .chains
            .iter()
            .find(|it| it.instance.as_deref() == Some("pod-1"));
        assert_eq!(whole.unwrap().head, head_of(&head).hash.to_string());
        let missing = rng.usize(..lines.len());
        let seq = head_of(&lines[missing]).seq;
        let report = collected(&[&lines[..missing], &lines[missing + 1..]].concat().concat());
        // The last of a chain is missed by its heads alone.
        assert_eq!(report.ok, seq == 40, "{seq}");
    }
    // In a file of our own nothing is mixed up.
    assert!(!verified(&[("f", lines.concat())]).ok);
}
