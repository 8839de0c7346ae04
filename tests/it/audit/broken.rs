//! What somebody has been at.

use std::io::Read as _;

use super::*;

#[tokio::test]
async fn what_was_tampered_with_is_named_to_the_line() {
    let first = provider().await;
    let config = || Config::of(&[&first]).root("identity: { instance: pod-1 }");
    let folder = left_by(config(), 6).await;
    let other = Config::of(&[&first]).root("identity: { instance: pod-2 }");
    let other = left_by(other, 2).await;
    let heads = folder.file("all.heads");
    let noted = [&folder, &other].map(|it| read(&it.file("audit.jsonl.heads")));
    fs::write(&heads, noted.concat()).unwrap();
    let heads = heads.to_str().unwrap();
    let good = read(&folder.file("audit.jsonl"));
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let mut flipped = good.clone().into_bytes();
    flipped[lines[..2].concat().len() + 40] ^= 1;
    let flipped = String::from_utf8(flipped).unwrap();
    let removed = lines[..2].concat() + &lines[3..].concat();
    let swapped = [lines[0], lines[2], lines[1]].concat() + &lines[3..].concat();
    let torn = good[..good.len() - 9].to_owned();
    let cut = lines[..4].concat();
    let other = other.file("audit.jsonl");
    // With the head of each pod, and without.
    for (what, text, without, with) in [
        ("nothing", good.clone(), None, None),
        (
            "a byte flipped",
            flipped,
            Some((3, "changed")),
            Some((3, "changed")),
        ),
        (
            "a line removed",
            removed,
            Some((3, "unlinked")),
            Some((3, "unlinked")),
        ),
        (
            "two swapped",
            swapped,
            Some((2, "unlinked")),
            Some((2, "unlinked")),
        ),
        ("a torn line", torn, None, Some((5, "cut_tail"))),
        ("a cut tail", cut, None, Some((4, "cut_tail"))),
    ] {
        let file = folder.file("one.jsonl");
        fs::write(&file, text).unwrap();
        let files = [other.clone(), file.clone()];
        for (more, expected) in [(&[][..], without), (&["--heads", heads][..], with)] {
            let (code, report) = verified(&files, more).await;
            let problem = &report["problems"][0];
            let Some((line, fault)) = expected else {
                assert_eq!(code, 0, "{what}: {report:#}");
                continue;
            };
            assert_eq!(code, 1, "{what}: {report:#}");
            assert_eq!(problem["file"], file.to_str().unwrap(), "{what}");
            assert_eq!(
                (&problem["line"], &problem["what"]),
                (&line.into(), &fault.into())
            );
            let (code, said) = verify(&files, more).await;
            let place = format!("{}:{line}:", file.display());
            assert!(code == 1 && said.contains(&place), "{what}: {said}");
            assert!(said.contains("expected: "), "{what}: {said}");
        }
    }
    // A pod that is gone.
    let one = [folder.file("audit.jsonl")];
    assert_eq!(verify(&one, &[]).await.0, 0);
    let (code, said) = verify(&one, &["--heads", heads]).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("no file holds the records of pod-2"),
        "{said}"
    );
    let (code, said) = verify(&[folder.file("nowhere")], &[]).await;
    assert!(code == 1 && said.contains("cannot read"), "{said}");
}

#[tokio::test]
async fn a_segment_that_is_missing_is_noticed() {
    let first = provider().await;
    let config = Config::of(&[&first]).audit("rotate: 1B, compress: false");
    let gateway = Gateway::start(config).await;
    for rounds in 1..=4 {
        ask_often(&gateway, 1).await;
        soon("it is rotated", async {
            while files(&gateway.folder).len() <= rounds {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    gateway.signal("TERM");
    let folder = gateway.left().await;
    let mut all = files(&folder);
    all.retain(|it| !it.ends_with("audit.jsonl"));
    assert_eq!(all.len(), 4);
    all.reverse();
    assert_eq!(verify(&all, &[]).await.0, 0);
    for at in 1..4 {
        let mut some = all.clone();
        some.remove(at);
        let (code, report) = verified(&some, &[]).await;
        assert_eq!(code, 1, "{report:#}");
        let problem = &report["problems"][0];
        assert_eq!(problem["what"], "missing_segment", "{report:#}");
        assert_eq!(problem["file"], all[at - 1].to_str().unwrap());
    }
    // The newest is missed by its heads alone.
    let heads = folder.file("audit.jsonl.heads");
    assert_eq!(verify(&all[1..], &[]).await.0, 0);
    let more = ["--heads", heads.to_str().unwrap()];
    assert_eq!(verify(&all[1..], &more).await.0, 1);
}

#[tokio::test]
async fn segments_are_compressed_beside_the_traffic_and_verified_as_they_are() {
    let first = provider().await;
    let config = Config::of(&[&first]).audit("rotate: 3kB");
    let gateway = Gateway::start(config).await;
    ask_often(&gateway, 12).await;
    let is_compressed = |path: &PathBuf| path.extension().is_some_and(|end| end == "gz");
    soon("a segment is compressed", async {
        while !files(&gateway.folder).iter().any(is_compressed) {
            ask_often(&gateway, 1).await;
        }
    })
    .await;
    gateway.signal("TERM");
    let folder = gateway.left().await;
    let files = files(&folder);
    let one = files.iter().find(|it| is_compressed(it)).unwrap();
    let mut magic = [0; 2];
    fs::File::open(one).unwrap().read_exact(&mut magic).unwrap();
    assert_eq!(magic, [0x1f, 0x8b]);
    let (code, report) = verified(&files, &[]).await;
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["chains"].as_array().unwrap().len(), 1);
}
