//! When a target is left alone, and what brings it back.

mod account;
mod breaker;
mod probe;
mod reload;
mod slow;

use std::time::Duration;

use tokio::time::sleep;

use crate::support::fixture::{ask, plain};
use crate::support::{Answer, Gateway, Reply, Upstream, soon};

/// Between two requests that ask whether a target is back.
const PAUSE: Duration = Duration::from_millis(20);

async fn well() -> Upstream {
    Upstream::always(Reply::json(plain("Hello!"))).await
}

fn failure() -> Reply {
    Reply::error(500, "server_error", None, "oops")
}

fn hello() -> Reply {
    Reply::json(plain("Hello!"))
}

/// Fails like this first, and is well from then on.
async fn once(reply: Reply) -> Upstream {
    let mut first = Some(reply);
    Upstream::choosing(move |_| first.take().unwrap_or_else(hello)).await
}

/// A provider that takes one key only.
async fn lets_in(key: &'static str) -> Upstream {
    let bearer = format!("Bearer {key}");
    Upstream::choosing(move |seen| {
        if seen.header("authorization") == Some(&*bearer) {
            hello()
        } else {
            Reply::error(401, "x", Some("invalid_api_key"), "no")
        }
    })
    .await
}

fn ask_route(route: &str) -> String {
    ask().replace("\"chat\"", &format!("\"{route}\""))
}

/// Sends a request, and tells the class of each of its attempts.
async fn classes(gateway: &Gateway, body: &str) -> Vec<String> {
    let answer = gateway.chat(body).await;
    let record = gateway.audit(answer.id()).await;
    record.classes().into_iter().map(str::to_owned).collect()
}

/// Sends requests to the route until its first target has answered one. Meanwhile the second one does.
async fn until_it_is_back(gateway: &Gateway, body: &str) {
    soon("the first target answers", async {
        loop {
            let answer = gateway.chat(body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            if answer.header("x-pillion-target") == Some("first/model-first") {
                assert_eq!(answer.header("x-pillion-attempts"), Some("1"));
                return;
            }
            sleep(PAUSE).await;
        }
    })
    .await;
}

fn told(answer: &Answer, status: u16, code: &str) {
    let text = answer.text();
    assert_eq!((answer.status, &*answer.code()), (status, code), "{text}");
    assert_eq!(answer.header("x-should-retry"), Some("false"), "{text}");
}
