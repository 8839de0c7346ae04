//! Calls that come to no answer, and calls whose first caller leaves.

use crate::support::fixture::{ask, ask_stream, plain, streamed};
use crate::support::reply::End;
use crate::support::twice::{CHAT, Held, KEY, both, is_free, sent};
use crate::support::{Config, Gate, Gateway, Reply, Upstream};

#[tokio::test]
async fn a_call_without_an_answer_is_told_to_all_and_kept_for_none() {
    let gate = Gate::new();
    let refused = Reply::error(500, "server_error", None, "no").pause_at(1, &gate);
    let first = Upstream::script([refused, Reply::json(plain("x"))]).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let one = sent(&gateway, &[KEY], &ask()).await;
    first.request(0).await;
    let two = sent(&gateway, &[KEY], &ask()).await;
    gateway.under_way("chat", 2).await;
    gate.open();
    let (one, two) = both(one, two).await;
    for answer in [&one, &two] {
        assert_eq!((answer.status, &*answer.code()), (502, "upstream_failed"));
        assert_eq!(gateway.audit(answer.id()).await.outcome(), "error");
    }
    assert_eq!(one.text(), two.text());
    assert_ne!(one.id(), two.id());
    assert_eq!(two.header("x-pillion-joined"), Some("true"));
    let again = gateway.post(CHAT, &[KEY], &ask()).await;
    assert_eq!((again.status, first.hits()), (200, 2));
    assert_eq!(again.header("x-pillion-joined"), None);
}

#[tokio::test]
async fn a_stream_that_broke_is_broken_for_all_and_kept_for_none() {
    let gate = Gate::new();
    let whole = streamed(&["Hel", "lo", "!"]);
    let cut = Reply::sse(whole.clone())
        .pause_after(3, &gate)
        .cut_after(4, End::Rst);
    let first = Upstream::script([cut, Reply::sse(whole)]).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let one = gateway.open(CHAT, &[KEY], &ask_stream()).await;
    let two = gateway.open(CHAT, &[KEY], &ask_stream()).await;
    gate.open();
    let (one, two) = (one.rest().await, two.rest().await);
    assert_eq!(one.text(), two.text());
    assert!(one.text().contains("stream_broken"), "{}", one.text());
    for answer in [&one, &two] {
        assert_eq!(gateway.audit(answer.id()).await.outcome(), "stream_broken");
    }
    let again = gateway.post(CHAT, &[KEY], &ask_stream()).await;
    assert!(again.text().ends_with("data: [DONE]\n\n"));
    assert_eq!(first.hits(), 2);
}

#[tokio::test]
async fn one_that_joined_outlives_the_first() {
    for (streams, begun) in [(false, false), (true, false), (true, true)] {
        let Held { body, gate, first } = Held::begun(streams).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let one = sent(&gateway, &[KEY], &body).await;
        first.request(0).await;
        let two = sent(&gateway, &[KEY], &body).await;
        gateway.under_way("chat", 2).await;
        if begun {
            let mut stream = one.answer().await;
            stream.event().await;
            stream.leave().await;
        } else {
            one.leave().await;
        }
        gate.open();
        let two = two.answer().await.rest().await;
        assert_eq!((two.status, two.complete), (200, true));
        is_free(&gateway, &two).await;
        let paid = gateway
            .records(|record| record.outcome() == "cancelled", 1)
            .await;
        assert_eq!(paid[0].classes(), ["ok"], "it was the provider's one call");
        assert_eq!(paid[0].0["usage"]["completion"], 3);
        assert_eq!(first.hits(), 1);
    }
}

#[tokio::test]
async fn a_call_with_a_key_goes_on_without_its_caller() {
    for (streams, begun) in [(false, false), (true, false), (true, true)] {
        let Held { body, gate, first } = Held::begun(streams).await;
        let gateway = Gateway::start(Config::of(&[&first])).await;
        let one = sent(&gateway, &[KEY], &body).await;
        first.request(0).await;
        if begun {
            let mut stream = one.answer().await;
            stream.event().await;
            stream.leave().await;
        } else {
            one.leave().await;
        }
        let again = sent(&gateway, &[KEY], &body).await;
        gateway.under_way("chat", 2).await;
        gate.open();
        let again = again.answer().await.rest().await;
        assert_eq!((again.status, again.complete), (200, true));
        assert_eq!(again.header("x-pillion-joined"), Some("true"));
        is_free(&gateway, &again).await;
        let left = gateway
            .records(|record| record.outcome() == "cancelled", 1)
            .await;
        assert_eq!(left[0].classes(), ["ok"]);
        // And whoever comes later still.
        let later = gateway.post(CHAT, &[KEY], &body).await;
        assert_eq!(later.text(), again.text());
        assert_eq!(first.hits(), 1);
    }
}
