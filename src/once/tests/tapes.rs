//! What is kept of answers, and what is too long for that.

use super::*;

/// So many bytes of an endless answer.
const PIECE: usize = 1 << 20;

/// Polls once: whether a chunk was there.
fn ready(body: &mut Body) -> bool {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    Pin::new(body).poll_frame(&mut cx).is_ready()
}

/// A source that always has another piece.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        static ZEROS: [u8; PIECE] = [0; PIECE];
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&ZEROS)))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_is_let_go_and_its_readers_stay_together() {
    let scene = Scene::new();
    let Ok(Entered::First(vacancy)) = scene.enter(Asked::default(), keyed("k", "a")) else {
        panic!("there was none before");
    };
    let first = vacancy.begin(Box::pin(async { Response::new(Endless.boxed_unsync()) }));
    let (joined, _) = scene.join(&[], keyed("k", "a"));
    let mut fast = shared(first).await.into_body();
    let mut slow = shared(joined).await.into_body();
    assert!(ready(&mut slow));
    let mut lead = 0;
    while ready(&mut fast) {
        lead += 1;
        assert!(lead < 20, "it runs away");
    }
    assert!((8..=9).contains(&lead), "{lead} MiB before the slow one");
    let (again, _) = scene.first(&[], keyed("k", "a"));
    drop(again);
    assert!(ready(&mut slow) && ready(&mut slow));
    assert!(ready(&mut fast) && ready(&mut fast));
    assert!(!ready(&mut fast), "no further than the slow one let it");
    // One that leaves holds nobody up, and what is read by all is let go.
    drop(slow);
    for _ in 0..100 {
        assert!(ready(&mut fast));
    }
    assert_eq!(scene.calls.all.room.taken(), 0);
    drop(fast);
}

#[tokio::test(start_paused = true)]
async fn tapes_take_no_more_than_their_room_together() {
    let scene = Scene::new();
    let mut bodies = Vec::new();
    for number in 0..12 {
        let identity = keyed(&number.to_string(), "a");
        let Ok(Entered::First(vacancy)) = scene.enter(Asked::default(), identity) else {
            panic!("there was none before");
        };
        let waiter = vacancy.begin(Box::pin(async { Response::new(Endless.boxed_unsync()) }));
        let mut body = shared(waiter).await.into_body();
        for _ in 0..7 {
            assert!(ready(&mut body), "it goes on, kept or not");
        }
        bodies.push(body);
        assert!(scene.calls.all.room.taken() <= tape::TOGETHER);
    }
    drop(bodies);
    scene.cut.cancel();
    scene.tasks.idle().await;
    assert_eq!(scene.calls.all.room.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_bounded_and_the_oldest_goes() {
    let scene = Scene::new();
    let body = Bytes::from(vec![b'x'; 7 << 20]);
    for number in 0..12 {
        let (waiter, answering) = scene.first(&[], keyed(&number.to_string(), "a"));
        assert!(answering.send(Answers::Plain(body.clone())).is_ok());
        assert_eq!(all(shared(waiter).await).await.len(), body.len());
    }
    let (entries, size) = scene.calls.all.store.sizes();
    assert_eq!(entries, 9);
    assert!(size <= 64 << 20, "{size}");
    assert_eq!(scene.replayed(keyed("0", "a")).await, None);
    assert_eq!(
        scene.replayed(keyed("11", "a")).await.unwrap().len(),
        7 << 20
    );
}
