//! Which failures are hidden by the next target, which are not, and what the record says of them.

mod harmless;
mod hidden;
mod hostile;
mod next;
mod told;

use serde_json::json;

use crate::support::fixture::{ask_both, plain, read_plain, read_stream, streamed};
use crate::support::{Config, Gateway, Record, Reply, Upstream};

async fn backup() -> Upstream {
    Upstream::choosing(|seen| {
        if seen.json()["stream"] == true {
            Reply::sse(streamed(&["from the ", "backup"]))
        } else {
            Reply::json(plain("from the backup"))
        }
    })
    .await
}

/// Both kinds of request, or one.
#[derive(Clone, Copy, PartialEq)]
enum For {
    Both,
    Plain,
    Stream,
}

/// What a first target does, the class that this is, the status that the record shows, and how
/// often that target is tried.
type Row = (&'static str, For, Reply, &'static str, Option<u64>, usize);

async fn replay(rows: Vec<Row>) {
    for (what, whose, reply, class, status, tries) in rows {
        let first = Upstream::always(reply).await;
        let second = backup().await;
        let gateway = Gateway::start(Config::both(&[&first, &second])).await;
        let mut failed = vec![class; tries];
        failed.push("ok");
        let mut asked = 0;
        for (route, body) in ask_both() {
            let streamed = route == "streamed";
            let other = if streamed { For::Plain } else { For::Stream };
            if whose == other {
                continue;
            }
            let what = format!("{what}, {route}");
            let answer = gateway.chat(&body).await;
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            let said = if streamed {
                read_stream(&answer.data(), false).choices
            } else {
                read_plain(&answer.json())
            };
            assert_eq!(said[0].text, "from the backup", "{what}");
            let target = format!("{route}-second/m");
            assert_eq!(answer.header("x-pillion-target"), Some(&*target), "{what}");
            assert_eq!(answer.header("x-pillion-reason"), Some(class), "{what}");
            let attempts = (tries + 1).to_string();
            assert_eq!(
                answer.header("x-pillion-attempts"),
                Some(&*attempts),
                "{what}"
            );
            let record = gateway.audit(answer.id()).await;
            check(&record, route, &what, &failed, status);
            asked += tries;
        }
        assert_eq!(first.hits(), asked, "{what}");
    }
}

fn check(record: &Record, route: &str, what: &str, failed: &[&str], status: Option<u64>) {
    let (first, second) = (format!("{route}-first/m"), format!("{route}-second/m"));
    assert_eq!(record.classes(), failed, "{what}");
    assert_eq!(
        record.0["attempts"][0]["status"].as_u64(),
        status,
        "{what}: {}",
        record.0
    );
    let reasons = record.reasons();
    assert!(!reasons[0].is_empty(), "{what}: a reason");
    assert_eq!(record.targets()[0], first);
    assert_eq!(record.targets().last(), Some(&&*second));
    assert_eq!(record.outcome(), "ok");
    assert_eq!(record.text("target"), second);
    assert_eq!(record.text("provider"), format!("{route}-second"));
    assert_eq!(record.0["plan"], json!([first, second]));
}
