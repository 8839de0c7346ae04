//! What may hang is done on threads aside: one for each folder at most.
//!
//! A mount that hangs holds whoever looks at it, for as long as it likes, and a thread that is held cannot
//! be ended. So nobody waits for one for long; and while one is held, nobody else looks into its folder.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long whoever wants something of a folder waits for it, and how long a thread may look before it
/// is one that hangs.
const PATIENCE: Duration = Duration::from_secs(2);

/// The threads. Clones share them.
#[derive(Clone)]
pub(super) struct Aside {
    lanes: Arc<Lanes>,
    patience: Duration,
}

impl Default for Aside {
    fn default() -> Self {
        Self {
            lanes: Arc::default(),
            patience: PATIENCE,
        }
    }
}

#[derive(Default)]
struct Lanes {
    /// Folders that are looked into, since when.
    busy: Mutex<HashMap<PathBuf, Instant>>,
    freed: Condvar,
}

/// Held by the one thread that looks into a folder.
struct Lane {
    lanes: Arc<Lanes>,
    folder: PathBuf,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.lanes.busy().remove(&self.folder);
        self.lanes.freed.notify_all();
    }
}

impl Aside {
    /// Does what there is to be done in each folder, and waits until it is done. Returned are the
    /// folders that hang: their work goes on by itself, or was not begun.
    pub(super) fn run<W>(&self, works: BTreeMap<PathBuf, W>) -> BTreeSet<PathBuf>
    where
        W: FnOnce() + Send + 'static,
    {
        let began = Instant::now();
        let until = began + self.patience;
        let mut hanging: BTreeSet<PathBuf> = works.keys().cloned().collect();
        let (done, dones) = mpsc::channel();
        let mut waiting = Vec::new();
        for (folder, work) in works {
            match self.enter(&folder, began) {
                Some(lane) => begin(lane, work, done.clone()),
                None => waiting.push((folder, work)),
            }
        }
        for (folder, work) in waiting {
            if let Some(lane) = self.enter(&folder, until) {
                begin(lane, work, done.clone());
            }
        }
        // From here on only the threads hold it.
        drop(done);
        while let Ok(folder) = dones.recv_timeout(until.saturating_duration_since(Instant::now())) {
            hanging.remove(&folder);
        }
        hanging
    }

    /// The lane of a folder, once nobody else has it; `None` where it hangs.
    fn enter(&self, folder: &Path, until: Instant) -> Option<Lane> {
        let mut busy = self.lanes.busy();
        loop {
            let now = Instant::now();
            match busy.get(folder) {
                None => break,
                Some(since) if now.saturating_duration_since(*since) >= self.patience => {
                    return None;
                }
                Some(_) if now >= until => return None,
                Some(_) => {
                    let waited = self.lanes.freed.wait_timeout(busy, until - now);
                    (busy, _) = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        busy.insert(folder.to_owned(), Instant::now());
        Some(Lane {
            lanes: Arc::clone(&self.lanes),
            folder: folder.to_owned(),
        })
    }
}

impl Lanes {
    fn busy(&self) -> MutexGuard<'_, HashMap<PathBuf, Instant>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn begin(lane: Lane, work: impl FnOnce() + Send + 'static, done: mpsc::Sender<PathBuf>) {
    let folder = lane.folder.clone();
    let all = move || {
        work();
        drop(lane);
        // Whoever waited may have given up.
        let _ = done.send(folder);
    };
    if let Err(error) = thread::Builder::new().name("files".into()).spawn(all) {
        tracing::warn!(%error, "no thread can be had to read a file on");
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    impl Aside {
        pub(in crate::secret) fn patient(patience: Duration) -> Self {
            Self {
                patience,
                ..Self::default()
            }
        }

        /// Holds a folder until what is returned is dropped, as a mount that hangs does.
        pub(in crate::secret) fn hang(&self, folder: &Path) -> mpsc::Sender<()> {
            let (free, held) = mpsc::channel();
            let work = move || {
                let _ = held.recv();
            };
            let late = self.run(BTreeMap::from([(folder.to_owned(), work)]));
            assert!(late.contains(folder));
            free
        }

        /// Waits until nobody looks into any.
        pub(in crate::secret) fn idle(&self) {
            let mut busy = self.lanes.busy();
            while !busy.is_empty() {
                busy = self.lanes.freed.wait(busy).unwrap();
            }
        }
    }

    type Work = Box<dyn FnOnce() + Send>;

    #[test]
    fn a_folder_that_hangs_holds_one_thread_and_no_other_folder() {
        let aside = Aside::patient(Duration::from_secs(1));
        let (hung, fine) = (PathBuf::from("/hung"), PathBuf::from("/fine"));
        let free = aside.hang(&hung);
        let looks = Arc::new(AtomicUsize::new(0));
        let both = || {
            [&hung, &fine].map(|folder| {
                let looks = Arc::clone(&looks);
                let work: Work = Box::new(move || {
                    looks.fetch_add(1, Ordering::SeqCst);
                });
                (folder.clone(), work)
            })
        };
        for round in 1..=3 {
            let late = aside.run(BTreeMap::from(both()));
            assert_eq!(late, BTreeSet::from([hung.clone()]));
            assert_eq!(looks.load(Ordering::SeqCst), round, "only the other one");
        }
        assert_eq!(aside.lanes.busy().len(), 1);
        drop(free);
        aside.idle();
        assert_eq!(aside.run(BTreeMap::from(both())), BTreeSet::new());
        assert_eq!(looks.load(Ordering::SeqCst), 5);
    }

    #[test]
    fn who_comes_while_a_folder_is_looked_into_has_the_next_turn() {
        let aside = Aside::patient(Duration::from_mins(1));
        let folder = PathBuf::from("/f");
        let (began, begins) = mpsc::channel();
        let (free, held) = mpsc::channel::<()>();
        let first: Work = Box::new(move || {
            began.send(()).unwrap();
            let _ = held.recv();
        });
        thread::scope(|scope| {
            scope.spawn(|| aside.run(BTreeMap::from([(folder.clone(), first)])));
            begins.recv().unwrap();
            let second: Work = Box::new(|| ());
            let next = scope.spawn(|| aside.run(BTreeMap::from([(folder.clone(), second)])));
            drop(free);
            assert_eq!(next.join().unwrap(), BTreeSet::new());
        });
    }

    #[test]
    fn a_work_that_panics_frees_its_folder() {
        let aside = Aside::patient(Duration::from_mins(1));
        let folder = PathBuf::from("/f");
        let work: Work = Box::new(|| panic!("on purpose"));
        let late = aside.run(BTreeMap::from([(folder.clone(), work)]));
        assert_eq!(late, BTreeSet::from([folder.clone()]));
        let work: Work = Box::new(|| ());
        assert!(aside.run(BTreeMap::from([(folder, work)])).is_empty());
    }
}
