//! Outages that would have been noticed: without a backup, and with one that answers otherwise.

use serde_json::{Value, json};

use super::{BOTH, ORDER, config, drill, ordered, orders};
use crate::support::fixture::{plain, plain_calls};
use crate::support::upstream::Seen;
use crate::support::{Folder, Reply, Upstream};

/// What a backup does at the request of this number.
type Act = fn(&Seen, usize) -> Reply;

#[tokio::test]
async fn without_a_backup_at_another_provider_nothing_is_sent() {
    for targets in ["first/m", "first/m, first/n"] {
        let first = Upstream::choosing(orders("first", 0)).await;
        let config = |folder: &Folder| config(folder, &[&first], targets, "");
        let (said, fine) = drill(config, &[]).await;
        assert!(!fine);
        assert_eq!(said["requests"], 0);
        assert_eq!(said["backups"], json!([]));
        assert!(
            said["verdict"].as_str().unwrap().contains("NO BACKUP"),
            "{said}"
        );
        assert_eq!(first.hits(), 0);
    }
}

#[tokio::test]
async fn a_backup_that_answers_otherwise_is_found_out() {
    let words = |_: &Seen, _: usize| Reply::json(plain("It is recorded."));
    let no_usage = |seen: &Seen, number: usize| {
        let id = format!("call_second_{number}");
        let mut answer: Value =
            serde_json::from_slice(plain_calls(&[(&id, "record_order", ORDER)]).as_bytes())
                .unwrap();
        assert_ne!(seen.json()["stream"], true);
        answer.as_object_mut().unwrap().remove("usage");
        Reply::json(answer.to_string())
    };
    let twice = |seen: &Seen, number: usize| {
        let ids = [format!("call_{number}_a"), format!("call_{number}_b")];
        ordered(seen, &[&ids[0], &ids[1]])
    };
    let same_id = |seen: &Seen, _: usize| ordered(seen, &["call_first_1"]);
    let dead = |_: &Seen, _: usize| Reply::error(500, "server_error", None, "not today");
    let acts: [(&str, Act, &str, u64, u64); 5] = [
        ("words", words, "finish_reason is stop", 0, 0),
        ("no usage", no_usage, "there is no usage", 0, 0),
        ("twice", twice, "REPEATED", 4, 0),
        ("same id", same_id, "REPEATED", 4, 0),
        ("dead", dead, "4 of 8 requests FAILED", 0, 4),
    ];
    for (name, act, why, repeated, failed) in acts {
        let first = Upstream::choosing(orders("first", 5)).await;
        let mut number = 0;
        let second = Upstream::choosing(move |seen| {
            number += 1;
            act(seen, number)
        })
        .await;
        let config = |folder: &Folder| config(folder, &[&first, &second], BOTH, "");
        let (said, fine) = drill(config, &["-n", "8", "--plain"]).await;
        assert!(!fine, "{name}: {said:#}");
        let all = format!("{} {}", said["verdict"], said["schema"]["differences"]);
        assert!(all.contains(why), "{name}: {all}");
        assert_eq!(said["tool_calls"]["repeated"], repeated, "{name}");
        assert_eq!(said["after"]["failed"], failed, "{name}");
        let listed = said["requests_failed"].as_array().unwrap();
        assert_eq!(listed.len() as u64, failed, "{name}");
        let differs = ["words", "no usage"].contains(&name);
        assert_eq!(said["schema"]["ok"], !differs, "{name}: {said:#}");
        assert_eq!(said["switch"].is_null(), name == "dead");
    }
}
