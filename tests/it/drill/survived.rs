//! Outages that the command finds nobody would have noticed.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{BOTH, ORDER, PRICES, attempts, command, config, drill, orders};
use crate::support::kind::KINDS;
use crate::support::upstream::Seen;
use crate::support::wire::{Script, Wire};
use crate::support::{Config, Folder, Kind, Upstream};

#[tokio::test]
async fn the_command_finds_that_nobody_would_have_noticed() {
    for (form, forms) in [("", "both"), ("--stream", "stream"), ("--plain", "plain")] {
        // The eleventh waits for its answer when the primary is cut: nothing else ends it.
        let first = Upstream::choosing(orders("first", 11)).await;
        let second = Upstream::choosing(orders("second", 0)).await;
        let config = |folder: &Folder| config(folder, &[&first, &second], BOTH, "") + PRICES;
        let mut arguments = vec!["-n", "20"];
        arguments.extend(Some(form).filter(|form| !form.is_empty()));
        let (said, fine) = drill(config, &arguments).await;
        assert!(fine, "{forms}: {said:#}");
        assert_eq!(said["primary"], "first/m");
        assert_eq!(said["backups"], json!(["second/n"]));
        assert_eq!(
            (&said["cut_at_request"], &said["in_flight"]),
            (&11.into(), &true.into())
        );
        assert_eq!(
            (&said["requests"], &said["failed"]),
            (&20.into(), &0.into())
        );
        assert_eq!(said["error_rate"], 0.0);
        for (part, first_tokens) in [("before", forms != "plain"), ("after", forms != "plain")] {
            let times = &said[part];
            assert_eq!(times["requests"], 10);
            let [p50, p95, worst] = ["p50", "p95", "worst"].map(|name| times["ms"][name].as_u64());
            assert!(p50.is_some() && p50 <= p95 && p95 <= worst, "{times}");
            assert_eq!(
                times["first_token_ms"]["p50"].is_u64(),
                first_tokens,
                "{times}"
            );
        }
        assert_eq!(said["switch"]["to"], "second/n");
        assert_eq!(said["switch"]["request"], 11);
        assert_eq!(said["tool_calls"]["calls"], 20);
        assert_eq!(said["tool_calls"]["repeated"], 0);
        assert_eq!(said["schema"]["differences"], json!([]));
        assert_eq!(said["schema"]["compared"], 10);
        let [primary, backup] = &said["targets"].as_array().unwrap()[..] else {
            panic!("{said:#}");
        };
        for target in [primary, backup] {
            assert_eq!(target["answers"], 10);
            assert_eq!(target["prompt_tokens"], 90);
            assert_eq!(target["completion_tokens"], 30);
        }
        assert_eq!(
            (&primary["cost"], &backup["cost"]),
            (&"0.0000825".into(), &"0.00024".into())
        );
        assert_eq!(primary["unanswered_maybe_billed"], 1);
        assert_eq!(backup["attempts"], 10);
        assert_eq!(attempts(&said, "reset"), [("first/m".to_owned(), 1)]);
        let refused = attempts(&said, "connect");
        assert!(
            matches!(&refused[..], [(target, 1..)] if target == "first/m"),
            "{refused:?}"
        );
        // Behind the cut the provider itself is left in peace.
        assert_eq!((first.hits(), second.hits()), (11, 10));
        let streams = first.requests();
        let streams = streams.iter().filter(|seen| seen.json()["stream"] == true);
        let expected = if forms == "both" {
            5
        } else {
            11 * usize::from(forms == "stream")
        };
        assert_eq!(streams.count(), expected, "{forms}");
    }
}

#[tokio::test]
async fn each_way_to_go_is_survived() {
    let mut drills = JoinSet::new();
    for (fault, class) in [
        ("connect", "connect"),
        ("reset", "reset"),
        ("hang", "timeout"),
        ("error", "overloaded"),
    ] {
        drills.spawn(async move {
            let first = Upstream::choosing(orders("first", 0)).await;
            let second = Upstream::choosing(orders("second", 0)).await;
            // Short for silence, and long enough for a busy machine.
            let knobs = ", timeout: 3s, first_token: 1s, answer: 1s";
            let config = |folder: &Folder| config(folder, &[&first, &second], BOTH, knobs);
            let (said, fine) = drill(config, &["-n", "8", "--fault", fault]).await;
            assert!(fine, "{fault}: {said:#}");
            assert_eq!(said["fault"], fault);
            assert_eq!(said["switch"]["to"], "second/n");
            let failed = attempts(&said, class);
            assert!(
                failed
                    .iter()
                    .any(|(target, count)| target == "first/m" && *count >= 1),
                "{fault}: {said:#}"
            );
            // At most the one that was on its way was still the primary's.
            let hits = first.hits();
            let in_flight = ["connect", "reset"].contains(&fault);
            assert!(
                hits == 4 || in_flight && hits == 5,
                "{fault}: {hits}: {said:#}"
            );
            assert!((3..=4).contains(&second.hits()), "{fault}");
        });
    }
    drills.join_all().await;
}

#[tokio::test]
async fn a_provider_of_any_kind_goes_and_stands_in() {
    let mut drills = JoinSet::new();
    let fault = |place: usize| ["connect", "reset", "error"][place % 3];
    for (place, kind) in KINDS.into_iter().enumerate() {
        for (first, second) in [(kind, Kind::Compatible), (Kind::Compatible, kind)] {
            drills.spawn(async move {
                let call = ("call_1", "record_order", &[ORDER][..]);
                let script = Script::calls(&[], &[call]);
                let playing = script.clone();
                let says = move |seen: &Seen| Wire::of(seen).reply(Wire::streamed(seen), &playing);
                let one = Upstream::choosing(says.clone()).await;
                let other = Upstream::choosing(says).await;
                let folder = Folder::new();
                let config = Config::new()
                    .kind("one", first, &one)
                    .kind("other", second, &other)
                    .write(&folder);
                let config = config.to_str().unwrap();
                let arguments = ["chat", "-n", "8", "--json", "--fault", fault(place)];
                let arguments = [&arguments[..], &["--config", config]].concat();
                let output = command(&folder, None, &arguments).await;
                let what = format!("{first:?}, then {second:?}");
                assert!(output.status.success(), "{what}: {output:?}");
                let said: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(said["primary"], first.target("one"), "{what}");
                assert_eq!(said["switch"]["to"], second.target("other"), "{what}");
                assert_eq!(said["tool_calls"]["calls"], 8, "{what}");
                assert!((4..=5).contains(&one.hits()), "{what}");
            });
        }
    }
    drills.join_all().await;
}
