//! Calls that their last caller has left.

use super::*;

#[tokio::test(start_paused = true)]
async fn who_leaves_alone_takes_the_call_along_unless_a_retry_is_expected() {
    for (headers, identity, after, lingers) in [
        (&[][..], plain("a"), 2000, false),
        (&[SDK][..], plain("a"), 2000, false),
        (&[SDK, ANNOUNCED][..], plain("a"), 1799, false),
        (&[SDK, ANNOUNCED][..], plain("a"), 1801, true),
        (&[SDK, ANNOUNCED][..], plain("a"), 2199, true),
        (&[SDK, ANNOUNCED][..], plain("a"), 2201, false),
        (&[ANNOUNCED][..], plain("a"), 2000, true),
        (&[][..], keyed("k", "a"), 0, true),
        (&[][..], deduped("a"), 0, true),
    ] {
        let scene = Scene::new();
        let (waiter, answering) = scene.first(headers, identity);
        sleep(Duration::from_millis(after)).await;
        drop(waiter);
        assert_eq!(!answering.is_closed(), lingers, "{headers:?} {after}");
        let one = usize::from(lingers);
        assert_eq!(scene.counts(), (one, one));
        sleep(Duration::from_millis(9999)).await;
        assert_eq!(!answering.is_closed(), lingers);
        sleep(Duration::from_millis(2)).await;
        assert!(answering.is_closed(), "ten seconds are all");
        scene.tasks.idle().await;
        assert_eq!(scene.counts(), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_lingers_is_joined_before_its_answer_and_behind_it() {
    for answered_first in [false, true] {
        let scene = Scene::new();
        let (waiter, answering) = scene.first(&[SDK, ANNOUNCED], plain("a"));
        sleep(2 * SECOND).await;
        drop(waiter);
        let mut answering = Some(answering);
        let mut answer = || {
            let sent = answering.take().unwrap().send(Answers::Plain("yes".into()));
            assert!(sent.is_ok());
        };
        if answered_first {
            answer();
            sleep(SECOND).await;
        }
        let (retry, kind) = scene.join(&[RETRY, ANNOUNCED], plain("a"));
        assert_eq!(kind, Kind::Retry);
        if !answered_first {
            answer();
        }
        assert_eq!(all(shared(retry).await).await, "yes");
        sleep(10 * SECOND).await;
        scene.tasks.idle().await;
        assert_eq!(scene.counts(), (0, 0), "kept for no longer than it lingers");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_told_to_come_again_finds_its_call() {
    let scene = Scene::new();
    let (waiter, answering) = scene.first(&[SDK], plain("a"));
    sleep(SECOND).await;
    waiter.give_up(&GatewayError::DeadlineExceeded);
    let (retry, _) = scene.join(&[RETRY], plain("a"));
    assert!(answering.send(Answers::Plain("yes".into())).is_ok());
    assert_eq!(all(shared(retry).await).await, "yes");
}

#[tokio::test(start_paused = true)]
async fn of_too_many_that_linger_the_oldest_goes() {
    let scene = Scene::new();
    let mut answering = Vec::new();
    for number in 0..66 {
        let (waiter, sender) = scene.first(&[], keyed(&number.to_string(), "a"));
        answering.push(sender);
        drop(waiter);
    }
    sleep(Duration::from_millis(1)).await;
    let gone: Vec<bool> = answering.iter().map(Answering::is_closed).collect();
    assert_eq!(gone[..3], [true, true, false]);
    assert!(!gone[2..].contains(&true));
    assert_eq!(scene.counts(), (64, 64));
    scene.cut.cancel();
    scene.tasks.idle().await;
    assert!(answering.iter().all(Answering::is_closed));
    assert_eq!(scene.counts(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_comes_again_nothing_lingers_and_who_waits_is_answered() {
    let scene = Scene::new();
    let (left, before) = scene.first(&[], keyed("left before", "a"));
    let (leaves, behind) = scene.first(&[], keyed("leaves behind", "a"));
    let (stays, answering) = scene.first(&[], keyed("stays", "a"));
    drop(left);
    assert_eq!(scene.counts(), (3, 1));
    scene.calls.desert();
    drop(leaves);
    assert!(answering.send(Answers::Plain("yes".into())).is_ok());
    assert_eq!(all(shared(stays).await).await, "yes");
    scene.tasks.idle().await;
    assert!(before.is_closed() && behind.is_closed());
    assert_eq!(scene.counts(), (0, 0));
}
