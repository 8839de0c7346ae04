//! What a provider may have done for a call of another process is not asked for again.

use super::{CALLS, Fleet, long, more_scripts};
use crate::support::fixture::{ask, ask_stream, plain, streamed};
use crate::support::reply::End;
use crate::support::twice::{CHAT, KEY, held, sent};
use crate::support::{Config, Gate, Reply, Upstream};

/// What a provider is to do something for: more than to answer.
fn hosted(body: &str) -> String {
    body.replacen('{', "{\"web_search_options\":{},", 1)
}

#[tokio::test]
async fn what_a_provider_may_have_done_is_not_asked_for_again_by_the_one_who_waits() {
    for breaks in [false, true] {
        let gate = Gate::new();
        let whole = streamed(&["Hel", "lo", "!"]);
        let (body, bad, good) = if breaks {
            let cut = Reply::sse(whole.clone()).pause_after(3, &gate);
            let good = Reply::sse(whole);
            (hosted(&ask_stream()), cut.cut_after(4, End::Rst), good)
        } else {
            let bad = Reply::error(500, "server_error", None, "no").pause_at(1, &gate);
            (hosted(&ask()), bad, Reply::json(plain("x")))
        };
        let first = Upstream::script([bad, good]).await;
        let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
            return;
        };
        let one = sent(&fleet.one, &[KEY], &body).await;
        first.request(0).await;
        let two = sent(&fleet.two, &[KEY], &body).await;
        fleet.two.under_way("chat", 1).await;
        more_scripts(&fleet.redis, 3).await;
        gate.open();
        let one = one.answer().await.rest().await;
        let two = two.answer().await.rest().await;
        assert_ne!(fleet.one.audit(one.id()).await.outcome(), "ok");
        assert_eq!((two.status, &*two.code()), (502, "upstream_failed"));
        assert_eq!(two.header("x-pillion-joined"), Some("true"));
        assert_ne!(one.id(), two.id());
        if !breaks {
            assert_eq!((one.status, one.text()), (two.status, two.text()));
        }
        let free = fleet.two.audit(two.id()).await;
        assert_eq!((free.outcome(), free.classes().len()), ("error", 0));
        assert_eq!(first.hits(), 1);
        // Nothing of it can be read, and it is for nobody who comes when it is over.
        let [name] = &fleet.redis.names(CALLS).await[..] else {
            panic!("one name");
        };
        let value = fleet.redis.ask(&["GET", name]).await;
        assert!(
            value.starts_with('f') && !value.contains("class"),
            "{value}"
        );
        let again = fleet.two.post(CHAT, &[KEY], &body).await;
        assert_eq!((again.status, first.hits()), (200, 2));
        assert_eq!(again.header("x-pillion-joined"), None);
    }
}

#[tokio::test]
async fn what_a_provider_has_done_is_not_asked_for_again_when_it_is_too_long_for_the_fleet() {
    let gate = Gate::new();
    let long = "x".repeat(3 << 20);
    let reply = Reply::json(plain(&long)).pause_at(5, &gate);
    let first = Upstream::always(reply).await;
    let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
        return;
    };
    let body = hosted(&ask());
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let two = sent(&fleet.two, &[KEY], &body).await;
    fleet.two.under_way("chat", 1).await;
    more_scripts(&fleet.redis, 3).await;
    gate.open();
    let one = one.answer().await.rest().await;
    assert!(one.complete && one.text().contains(&long));
    let two = two.answer().await.rest().await;
    assert_eq!((two.status, &*two.code()), (502, "upstream_failed"));
    assert_eq!(first.hits(), 1);
}

#[tokio::test]
async fn what_a_provider_refused_to_begin_is_run_by_the_one_who_waits() {
    let gate = Gate::new();
    let bad = Reply::error(503, "server_error", None, "no").pause_at(1, &gate);
    let first = Upstream::script([bad, Reply::json(plain("x"))]).await;
    let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
        return;
    };
    let body = hosted(&ask());
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let two = sent(&fleet.two, &[KEY], &body).await;
    fleet.two.under_way("chat", 1).await;
    more_scripts(&fleet.redis, 3).await;
    gate.open();
    assert_eq!(one.answer().await.rest().await.status, 502);
    let two = two.answer().await.rest().await;
    assert_eq!((two.status, first.hits()), (200, 2));
    assert_eq!(two.header("x-pillion-joined"), None);
}

#[tokio::test]
async fn what_a_process_cuts_as_it_ends_is_not_asked_for_again() {
    let gate = Gate::new();
    let (body, reply) = held(false, &gate);
    let body = hosted(&body);
    let first = Upstream::always(reply).await;
    let Some(mut fleet) = Fleet::start(long(Config::of(&[&first]))).await else {
        return;
    };
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let two = sent(&fleet.two, &[KEY], &body).await;
    fleet.two.under_way("chat", 1).await;
    more_scripts(&fleet.redis, 3).await;
    fleet.one.signal("TERM");
    fleet.one.signal("INT");
    fleet.one.ended().await;
    drop(one);
    let two = two.answer().await.rest().await;
    assert_eq!((two.status, &*two.code()), (502, "upstream_failed"));
    assert_eq!(first.hits(), 1);
}
