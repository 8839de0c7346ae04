//! One path of a store, read in the background for as long as somebody names it.
//!
//! One task reads it, however many wait: as often as configured, give or take a tenth, so that a thousand
//! processes do not ask together for ever; sooner after a failure; and at once when a provider has refused what lay there. Requests never wait for a reading, but for those that were
//! refused. Never here: what is done with what was read.

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::store::{Found, Store};
use super::{SecretError, StorePlace};
use crate::tasks::Tasks;

/// After a failure, twice as long each time, and half of it or more.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest of those pauses, and the longest where the store has answered that we may not.
const LONGEST: Duration = Duration::from_mins(1);
const LONGEST_REFUSED: Duration = Duration::from_mins(5);
/// How long one reading may take, with a login before it.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two readings that refused requests ask for: one wrong key fails many at once. Shorter where
/// the last one brought a new version, which may have been replaced in its turn.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_CHANGED: Duration = Duration::from_secs(1);

/// Where readings go. Says whether the path has another version than before.
pub(super) type Take = Box<dyn Fn(Told) -> bool + Send>;

/// What became of a reading.
pub(super) enum Told {
    Found(Found),
    Failed(SecretError),
    /// It failed, and nothing has confirmed what is in use for too long.
    Stale(SecretError),
}

/// A path that is being read. Dropping it ends that.
pub(super) struct Shelf {
    /// In this store.
    pub(super) place: Arc<StorePlace>,
    asks: watch::Sender<u64>,
    /// The ask of the field that was named last.
    first: u64,
    reads: watch::Receiver<Reads>,
    asked_at: Mutex<Option<Instant>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Reads {
    /// Readings that have ended.
    count: u64,
    /// How many of the asks came before the last one began.
    answered: u64,
    /// Whether that one brought another version.
    changed: bool,
    /// When what is in use was last confirmed; never where nothing is.
    confirmed: Option<Instant>,
}

/// What a shelf's task works with.
pub(super) struct Reading {
    pub(super) store: Arc<dyn Store>,
    pub(super) path: Arc<str>,
    pub(super) refresh: Duration,
    pub(super) max_stale: Duration,
    /// When another place has last confirmed what it gave under this name.
    pub(super) confirmed: Option<Instant>,
    pub(super) take: Take,
}

impl Shelf {
    /// Begins to read.
    pub(super) fn open(place: Arc<StorePlace>, reading: Reading, tasks: &Tasks) -> Self {
        let (asks, asked) = watch::channel(0);
        let (told, reads) = watch::channel(Reads {
            confirmed: reading.confirmed,
            ..Reads::default()
        });
        tasks.spawn(keep(reading, asked, told));
        Self {
            place,
            asks,
            first: 0,
            reads,
            asked_at: Mutex::default(),
        }
    }

    /// When what is in use was last confirmed.
    pub(super) fn confirmed(&self) -> Option<Instant> {
        self.reads.borrow().confirmed
    }

    /// A field more is named of what lies here.
    pub(super) fn read_for_another(&mut self) {
        self.asks.send_modify(|asks| *asks += 1);
        self.first = *self.asks.borrow();
    }

    /// A wait for the end of the first reading for each field that is named, however it ends.
    pub(super) fn first_read(&self) -> impl Future<Output = ()> + use<> {
        let (mut reads, first) = (self.reads.clone(), self.first);
        async move {
            let has_been = |reads: &Reads| reads.count > 0 && reads.answered >= first;
            let _ = reads.wait_for(has_been).await;
        }
    }

    /// Has it read again because what lay there was refused, unless that was done just now, and
    /// waits for the end of it.
    pub(super) fn read_again(&self, now: Instant) -> impl Future<Output = ()> + use<> {
        let mut reads = self.reads.clone();
        let last = *reads.borrow();
        let ask = {
            let mut asked_at = self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
            let pause = if last.changed { PAUSE_CHANGED } else { PAUSE };
            if asked_at.is_none_or(|at| now.saturating_duration_since(at) >= pause) {
                *asked_at = Some(now);
                self.asks.send_modify(|asks| *asks += 1);
            }
            *self.asks.borrow()
        };
        // Also when somebody else asked: that one may not have been answered.
        async move { drop(reads.wait_for(|reads| reads.answered >= ask).await) }
    }
}

async fn keep(reading: Reading, mut asks: watch::Receiver<u64>, told: watch::Sender<Reads>) {
    let Reading {
        store,
        path,
        refresh,
        max_stale,
        mut confirmed,
        take,
    } = reading;
    let mut failures = 0_u32;
    loop {
        let answered = *asks.borrow_and_update();
        let read = timeout(PATIENCE, store.read(&path));
        let read = tokio::select! {
            biased;
            () = gone(asks.clone()) => return,
            read = read => read,
        };
        let read = read.unwrap_or_else(|_| Err(SecretError::Away("no answer in time".into())));
        let now = Instant::now();
        let (outcome, pause) = match read {
            Ok(found) => {
                (confirmed, failures) = (Some(now), 0);
                (
                    Told::Found(found),
                    refresh.mul_f64(0.9 + 0.2 * fastrand::f64()),
                )
            }
            Err(error) => {
                let pause = again(&error, failures).mul_f64(0.5 + 0.5 * fastrand::f64());
                failures += 1;
                let is_stale = confirmed.is_some_and(|at| now - at >= max_stale);
                if is_stale {
                    confirmed = None;
                    (Told::Stale(error), pause)
                } else {
                    (Told::Failed(error), pause)
                }
            }
        };
        let is_failure = !matches!(outcome, Told::Found(_));
        let changed = take(outcome);
        told.send_modify(|reads| {
            *reads = Reads {
                count: reads.count + 1,
                answered,
                changed,
                confirmed,
            };
        });
        let mut next = now + pause;
        if let Some(at) = confirmed.filter(|_| is_failure) {
            // It ends when it is over, not when it happens to be looked at.
            next = next.min(at + max_stale);
        }
        tokio::select! {
            changed = asks.changed() => if changed.is_err() { return },
            () = sleep_until(next) => {}
        }
    }
}

/// Ends when nobody can ask any more.
async fn gone(mut asks: watch::Receiver<u64>) {
    while asks.changed().await.is_ok() {}
}

fn again(error: &SecretError, failures: u32) -> Duration {
    let longest = match error {
        SecretError::Refused(_) => LONGEST_REFUSED,
        SecretError::Missing
        | SecretError::Unreadable(_)
        | SecretError::NotAFile
        | SecretError::Empty
        | SecretError::TooLong
        | SecretError::Lines
        | SecretError::Control
        | SecretError::NotAscii
        | SecretError::ByteOrderMark
        | SecretError::Issued
        | SecretError::Unasked
        | SecretError::Away(_)
        | SecretError::NoField
        | SecretError::Fields => LONGEST,
    };
    AGAIN.saturating_mul(1 << failures.min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use zeroize::Zeroizing;

    use super::*;
    use crate::secret::store::Asking;
    use crate::secret::{AwsPlace, StoreKind};

    /// A store that takes a second for each answer, and fails while it is told to.
    #[derive(Default)]
    struct Slow {
        asked: AtomicU64,
        away: std::sync::atomic::AtomicBool,
    }

    impl Store for Slow {
        fn read<'a>(&'a self, _: &'a str) -> Asking<'a> {
            Box::pin(async {
                let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
                if self.away.load(Ordering::Relaxed) {
                    return Err(SecretError::Away("gone".into()));
                }
                let text = Zeroizing::new(format!("sk-{number}"));
                Ok(Found::text(number.to_string().into(), text))
            })
        }
    }

    struct Scene {
        store: Arc<Slow>,
        shelf: Shelf,
        /// What became of each reading, in words.
        told: Arc<Mutex<Vec<String>>>,
    }

    fn scene(max_stale: Duration) -> Scene {
        let store = Arc::new(Slow::default());
        let told = Arc::new(Mutex::new(Vec::new()));
        let place = StorePlace {
            kind: StoreKind::AwsSm(AwsPlace {
                region: None,
                address: None,
            }),
            ca: None,
            refresh: Duration::from_mins(5),
            max_stale,
        };
        let words = Arc::clone(&told);
        let reading = Reading {
            store: Arc::<Slow>::clone(&store),
            path: "p".into(),
            refresh: place.refresh,
            max_stale: place.max_stale,
            confirmed: Some(Instant::now()),
            take: Box::new(move |told| {
                let (word, changed) = match told {
                    Told::Found(found) => (found.version.to_string(), true),
                    Told::Failed(_) => ("failed".to_owned(), false),
                    Told::Stale(_) => ("stale".to_owned(), false),
                };
                words.lock().unwrap().push(word);
                changed
            }),
        };
        let shelf = Shelf::open(Arc::new(place), reading, &Tasks::default());
        Scene { store, shelf, told }
    }

    impl Scene {
        fn told(&self) -> Vec<String> {
            self.told.lock().unwrap().clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_are_refused_there_is_one_reading() {
        let scene = scene(Duration::from_hours(12));
        scene.shelf.first_read().await;
        let began = Instant::now();
        let waits: Vec<_> = (0..100)
            .map(|_| scene.shelf.read_again(Instant::now()))
            .collect();
        for wait in waits {
            wait.await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        assert_eq!(scene.told(), ["1", "2"]);
        // Nobody waits for what was done just now.
        let at_once = Instant::now();
        scene
            .shelf
            .read_again(at_once - Duration::from_millis(1))
            .await;
        assert_eq!(at_once.elapsed(), Duration::ZERO);
        tokio::time::sleep(PAUSE).await;
        scene.shelf.read_again(Instant::now()).await;
        assert_eq!(scene.store.asked.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_began_before_the_refusal_does_not_answer_it() {
        let scene = scene(Duration::from_hours(12));
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.shelf.read_again(Instant::now()).await;
        assert_eq!(scene.told(), ["1", "2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_is_read_every_five_minutes_give_or_take() {
        let scene = scene(Duration::from_hours(12));
        tokio::time::sleep(Duration::from_hours(1)).await;
        let read = scene.told().len();
        assert!((11..=14).contains(&read), "{read} readings in an hour");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nothing_confirms_is_stale_at_its_limit_and_comes_back() {
        let scene = scene(Duration::from_mins(10));
        scene.shelf.first_read().await;
        let confirmed = Instant::now();
        scene.store.away.store(true, Ordering::Relaxed);
        let at = loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            if scene.told().iter().any(|word| word == "stale") {
                break confirmed.elapsed();
            }
        };
        let limit = Duration::from_mins(10);
        assert!(at >= limit && at < limit + PATIENCE, "{at:?}");
        let failed = scene.told().len();
        assert!(failed < 25, "{failed} readings in the outage's ten minutes");
        scene.store.away.store(false, Ordering::Relaxed);
        tokio::time::sleep(LONGEST + Duration::from_secs(2)).await;
        assert_eq!(
            scene.told().iter().filter(|word| *word == "stale").count(),
            1
        );
        assert!(scene.told().last().unwrap().parse::<u64>().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_that_nobody_names_is_not_read() {
        let Scene { store, shelf, .. } = scene(Duration::from_hours(12));
        shelf.first_read().await;
        drop(shelf);
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(store.asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_store_is_left_alone_for_longer_each_time() {
        let away = SecretError::Away("".into());
        let refused = SecretError::Refused("".into());
        for (error, failures, seconds) in [
            (&away, 0, 1),
            (&away, 3, 8),
            (&away, 6, 60),
            (&away, 1000, 60),
            (&refused, 6, 64),
            (&refused, 20, 300),
        ] {
            assert_eq!(again(error, failures).as_secs(), seconds, "{failures}");
        }
    }
}
