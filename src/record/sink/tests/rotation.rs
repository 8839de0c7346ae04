//! Files that are full, old, renamed or gone.

use super::*;

#[test]
fn a_full_file_becomes_a_segment_that_is_compressed_and_the_chain_goes_on() {
    let place = Place::new();
    let now = Instant::now();
    let policy = AuditFile {
        rotate: 4000,
        ..place.policy()
    };
    let mut sink = open(policy);
    for first in (1..200).step_by(5) {
        assert_eq!(sink.write(&some(first, 5), now), 0);
    }
    assert!(fs::metadata(&place.file).unwrap().len() < 5000);
    until("all segments are compressed", || {
        let all = segments(&place.file).unwrap();
        all.len() > 5 && all.iter().all(|it| it.compressed)
    });
    sink.close(200, now);
    let report = place.verified();
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!((report.records, report.chains.len()), (200, 1));
    // One of them is removed.
    let all = segments(&place.file).unwrap();
    fs::remove_file(&all[2].path).unwrap();
    let report = place.verified();
    assert_eq!(report.problems[0].file, all[3].path.display().to_string());
}

#[test]
fn a_start_in_the_middle_of_a_rotation_goes_on() {
    let place = Place::new();
    let now = Instant::now();
    let policy = AuditFile {
        rotate: 1,
        compress: false,
        ..place.policy()
    };
    let mut sink = open(policy.clone());
    sink.write(&some(1, 3), now);
    sink.close(3, now);
    let segment = segments(&place.file).unwrap().remove(0).path;
    assert_eq!(place.text(), "");
    for state in ["the new file is there", "no file", "not renamed yet"] {
        match state {
            "no file" => fs::remove_file(&place.file).unwrap(),
            "not renamed yet" => {
                fs::rename(&segment, &place.file).unwrap();
                fs::write(place.folder.join("audit.jsonl.next"), "").unwrap();
            }
            _ => {}
        }
        assert_eq!(open(policy.clone()).last_seq(), 3, "{state}");
    }
    let mut sink = open(AuditFile {
        rotate: 1,
        ..place.policy()
    });
    sink.write(&some(4, 3), now);
    sink.close(6, now);
    // A kill between the compressed file and the end of the plain one leaves both; one before that,
    // half of one.
    let all = segments(&place.file).unwrap();
    let copy = fs::read(&all[0].path).unwrap();
    fs::write(format!("{}.gz.part", all[0].path.display()), &copy[..9]).unwrap();
    let report = place.verified();
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.records, 6);
    let sink = open(place.policy());
    until("both are compressed", || {
        segments(&place.file)
            .unwrap()
            .iter()
            .all(|it| it.compressed)
    });
    sink.close(6, now);
    let left = segments(&place.file).unwrap();
    fs::write(left[0].path.with_extension(""), "x").unwrap();
    drop(open(place.policy()));
    until("the plain one is gone", || {
        drop(open(place.policy()));
        segments(&place.file)
            .unwrap()
            .iter()
            .all(|it| it.compressed)
    });
    assert!(place.verified().ok);
}

#[test]
fn what_is_older_than_its_retention_is_removed_and_that_is_no_theft() {
    let place = Place::new();
    let now = Instant::now();
    let policy = AuditFile {
        rotate: 1,
        ..place.policy()
    };
    let mut sink = open(policy);
    sink.write(&some(1, 3), now);
    sink.write(&some(4, 3), now);
    sink.close(6, now);
    let mut all = segments(&place.file).unwrap();
    let old = all.remove(0);
    let name = format!("audit.jsonl.20200101T000000Z-{}", old.last);
    let name = if old.compressed { name + ".gz" } else { name };
    fs::rename(&old.path, place.folder.join(name)).unwrap();
    let sink = place.open();
    until("the old one is gone", || {
        segments(&place.file).unwrap().iter().all(|it| it.last > 3)
    });
    drop(sink);
    assert!(place.notes().contains("\"kind\":\"pillion.audit.removed\""));
    let report = place.verified();
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.records, 3);
    assert!(!verified(&place.file, "").ok);
}

#[test]
fn a_segment_that_cannot_be_read_keeps_no_other_one_here_and_leaves_no_part() {
    let place = Place::new();
    let now = Instant::now();
    let mut sink = open(AuditFile {
        rotate: 1,
        compress: false,
        ..place.policy()
    });
    sink.write(&some(1, 3), now);
    sink.write(&some(4, 3), now);
    sink.close(6, now);
    let old = |end| {
        place
            .folder
            .join(format!("audit.jsonl.20200101T000000Z-{end}"))
    };
    let [damaged, whole] = ["3.gz", "6"].map(old);
    let all = segments(&place.file).unwrap();
    fs::remove_file(&all[0].path).unwrap();
    fs::write(&damaged, [0x1f, 0x8b, 8, 0, 7]).unwrap();
    fs::rename(&all[1].path, &whole).unwrap();
    // What can be opened and not be read.
    let unread = "audit.jsonl.29991231T235959Z-7";
    fs::create_dir(place.folder.join(unread)).unwrap();
    let sink = place.open();
    until("the whole one is gone", || {
        let all = segments(&place.file).unwrap();
        all.iter().all(|it| it.last != 6)
    });
    drop(sink);
    let mut left = Vec::new();
    for entry in fs::read_dir(&place.folder).unwrap() {
        left.push(entry.unwrap().file_name().into_string().unwrap());
    }
    left.sort();
    let damaged = damaged.file_name().unwrap().to_str().unwrap();
    let kept = ["audit.jsonl", damaged, unread, "audit.jsonl.heads"];
    assert_eq!(left, kept);
}

#[test]
fn a_file_that_is_never_full_is_rotated_in_time() {
    let place = Place::new();
    let policy = AuditFile {
        retention: Duration::from_millis(1),
        ..place.policy()
    };
    let mut sink = open(policy);
    let mut last = 0;
    until("it is rotated", || {
        last += 1;
        sink.write(&one(last), Instant::now());
        place.notes().contains("\"why\":\"rotation\"")
    });
    sink.close(last, Instant::now());
}

#[test]
fn after_a_rename_lines_go_to_the_new_file_and_the_chain_goes_on() {
    let place = Place::new();
    let now = Instant::now();
    let mut sink = place.open();
    sink.write(&some(1, 2), now);
    fs::rename(&place.file, place.folder.join("audit.jsonl.1")).unwrap();
    // Whether somebody says so or not.
    sink.write(&one(3), now);
    fs::rename(&place.file, place.folder.join("audit.jsonl.2")).unwrap();
    sink.reopen(now);
    sink.write(&one(4), now);
    // And when nothing was renamed.
    sink.reopen(now);
    sink.write(&one(5), now);
    sink.close(5, now);
    let old = ["audit.jsonl.1", "audit.jsonl.2"].map(|name| place.folder.join(name));
    let [oldest, older] = old.map(|path| fs::read_to_string(path).unwrap());
    let held = [&oldest, &older, &place.text()].map(|text| seqs(text));
    assert_eq!(held, [vec![1, 2], vec![3], vec![4, 5]]);
    let mut verifier = Verifier::new(false);
    for text in [place.text(), oldest, older] {
        verifier.read("f", false, &mut text.as_bytes()).unwrap();
    }
    assert!(verifier.finish().ok);
    // A start that finds the file renamed and nothing in the new one goes on from its heads.
    fs::write(&place.file, "").unwrap();
    assert_eq!(place.open().last_seq(), 5);
}

#[cfg(unix)]
#[test]
fn what_somebody_takes_away_or_cuts_is_gone_and_nothing_that_follows() {
    let now = Instant::now();
    let takes_away: fn(&Path) = |file| fs::remove_file(file).unwrap();
    let replaces: fn(&Path) = |file| {
        let text = fs::read_to_string(file).unwrap();
        fs::remove_file(file).unwrap();
        // Another file, which ends within a line.
        fs::write(file, &text[..text.len() / 2]).unwrap();
    };
    let empties: fn(&Path) = |file| fs::write(file, "").unwrap();
    let cuts: fn(&Path) = |file| {
        let text = fs::read_to_string(file).unwrap();
        fs::write(file, &text[..text.len() - 9]).unwrap();
    };
    for (harm, left) in [
        (takes_away, vec![3, 4]),
        (replaces, vec![1, 3, 4]),
        (empties, vec![3, 4]),
        (cuts, vec![1, 3, 4]),
    ] {
        let place = Place::new();
        let mut sink = place.open();
        sink.write(&some(1, 2), now);
        harm(&place.file);
        sink.write(&one(3), now);
        sink.write(&one(4), now);
        sink.close(4, now);
        assert_eq!(seqs(&place.text()), left);
        // That there was more is seen.
        let report = place.verified();
        assert!(!report.ok, "{left:?}");
        assert_eq!(report.problems[0].line, Some(left.len() as u64 - 1));
        assert_eq!(place.open().last_seq(), 4);
    }
}

#[cfg(unix)]
#[test]
fn where_no_other_file_can_be_had_the_old_one_is_gone_on_with() {
    let place = Place::new();
    let now = Instant::now();
    let mut sink = place.open();
    sink.write(&one(1), now);
    let renamed = place.folder.join("old");
    fs::rename(&place.file, &renamed).unwrap();
    fs::create_dir(&place.file).unwrap();
    assert_eq!(sink.write(&one(2), now), 0);
    fs::remove_dir(&place.file).unwrap();
    // It is not looked for with each record.
    assert_eq!(sink.write(&one(3), now), 0);
    assert_eq!(sink.write(&one(4), now + Duration::from_secs(1)), 0);
    let old = fs::read_to_string(&renamed).unwrap();
    assert_eq!((seqs(&old), seqs(&place.text())), (vec![1, 2, 3], vec![4]));
}
