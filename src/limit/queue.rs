//! Who is served, who waits and who is turned away. Pure: `now` is an argument, and those who wait
//! are whatever the owner tells them by.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::health::Priority;

/// The seats and the queue before them. Interactive requests come before batch requests, and within
/// a priority who came first.
///
/// Nobody waits who could sit: a seat that is given back goes to the next in the queue at once.
#[derive(Debug)]
pub(super) struct Queue<T> {
    seats: usize,
    taken: usize,
    room: usize,
    next: u64,
    interactive: BTreeMap<u64, Waiter<T>>,
    batch: BTreeMap<u64, Waiter<T>>,
}

#[derive(Debug)]
struct Waiter<T> {
    /// After this it could not be served in time any more.
    latest: Instant,
    told_by: T,
}

/// A place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    priority: Priority,
    number: u64,
}

/// The queue has no place for this request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl<T> Queue<T> {
    /// So many are served, and so many wait at most.
    pub(super) fn new(seats: usize, room: usize) -> Self {
        Self {
            seats,
            taken: 0,
            room,
            next: 0,
            interactive: BTreeMap::new(),
            batch: BTreeMap::new(),
        }
    }

    /// Takes a seat, if one is free for such a request.
    pub(super) fn sit(&mut self, priority: Priority) -> bool {
        let free = self.taken < priority.share(self.seats);
        if free {
            self.taken += 1;
        }
        free
    }

    /// Waits for a seat. `Some` is the newest batch request, which gave its place to an interactive one.
    ///
    /// # Errors
    /// The queue is full of requests that come before this one.
    pub(super) fn wait(
        &mut self,
        priority: Priority,
        latest: Instant,
        told_by: T,
    ) -> Result<(Ticket, Option<T>), Full> {
        let mut gave_way = None;
        if self.waiting() >= self.room {
            gave_way = match priority {
                Priority::Interactive => self.batch.pop_last(),
                Priority::Batch => None,
            };
            if gave_way.is_none() {
                return Err(Full);
            }
        }
        let number = self.next;
        self.next += 1;
        self.line(priority)
            .insert(number, Waiter { latest, told_by });
        let gave_way = gave_way.map(|(_, waiter)| waiter.told_by);
        Ok((Ticket { priority, number }, gave_way))
    }

    /// Leaves the queue; nothing when its turn has come already.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.line(ticket.priority).remove(&ticket.number);
    }

    /// Gives a seat back. `Some` is whoever sits there now; those that could not be served in time any
    /// more are passed over, and gone. The clock is asked only when somebody waits.
    pub(super) fn rise(&mut self, now: impl FnOnce() -> Instant) -> Option<T> {
        self.taken -= 1;
        if self.waiting() == 0 {
            return None;
        }
        let now = now();
        for priority in [Priority::Interactive, Priority::Batch] {
            if self.taken >= priority.share(self.seats) {
                continue;
            }
            while let Some((_, waiter)) = self.line(priority).pop_first() {
                if waiter.latest > now {
                    self.taken += 1;
                    return Some(waiter.told_by);
                }
            }
        }
        None
    }

    fn waiting(&self) -> usize {
        self.interactive.len() + self.batch.len()
    }

    fn line(&mut self, priority: Priority) -> &mut BTreeMap<u64, Waiter<T>> {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Batch => &mut self.batch,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use Priority::{Batch, Interactive};

    struct Bench {
        queue: Queue<&'static str>,
        now: Instant,
    }

    impl Bench {
        /// All seats taken.
        fn full(seats: usize, room: usize) -> Self {
            let mut queue = Queue::new(seats, room);
            for _ in 0..seats {
                assert!(queue.sit(Interactive));
            }
            Self {
                queue,
                now: Instant::now(),
            }
        }

        /// Waits for ten seconds at most.
        fn wait(&mut self, priority: Priority, who: &'static str) -> Ticket {
            let (ticket, gave_way) = self.try_wait(priority, who).unwrap();
            assert_eq!(gave_way, None);
            ticket
        }

        fn try_wait(
            &mut self,
            priority: Priority,
            who: &'static str,
        ) -> Result<(Ticket, Option<&'static str>), Full> {
            let latest = self.now + Duration::from_secs(10);
            self.queue.wait(priority, latest, who)
        }

        fn rise(&mut self) -> Option<&'static str> {
            let now = self.now;
            self.queue.rise(|| now)
        }
    }

    #[test]
    fn there_are_so_many_seats_and_no_more() {
        let mut queue = Queue::<()>::new(2, 1);
        assert!(queue.sit(Interactive) && queue.sit(Batch));
        assert!(!queue.sit(Interactive));
        assert_eq!(queue.rise(|| unreachable!("nobody waits")), None);
        assert!(queue.sit(Batch), "of few seats none is left free");
        assert!(!queue.sit(Batch));
    }

    #[test]
    fn batch_leaves_a_fifth_of_the_seats_free() {
        let mut queue = Queue::new(10, 4);
        let now = Instant::now();
        for _ in 0..8 {
            assert!(queue.sit(Batch));
        }
        assert!(!queue.sit(Batch));
        assert!(queue.sit(Interactive) && queue.sit(Interactive));
        assert!(!queue.sit(Interactive));
        let latest = now + Duration::from_secs(1);
        queue.wait(Batch, latest, "batch").unwrap();
        assert_eq!(queue.rise(|| now), None, "nine are taken");
        assert_eq!(queue.rise(|| now), None, "eight are");
        assert_eq!(queue.rise(|| now), Some("batch"));
    }

    #[test]
    fn interactive_comes_before_batch_and_else_who_came_first() {
        let mut bench = Bench::full(1, 9);
        bench.wait(Batch, "b1");
        bench.wait(Interactive, "i1");
        bench.wait(Batch, "b2");
        bench.wait(Interactive, "i2");
        let order: Vec<_> = std::iter::from_fn(|| bench.rise()).collect();
        assert_eq!(order, ["i1", "i2", "b1", "b2"]);
        assert!(bench.queue.sit(Interactive), "and then the seat is free");
    }

    #[test]
    fn in_a_full_queue_the_newest_batch_request_gives_way_to_an_interactive_one() {
        let mut bench = Bench::full(1, 3);
        bench.wait(Batch, "b1");
        bench.wait(Interactive, "i1");
        bench.wait(Batch, "b2");
        assert_eq!(bench.try_wait(Batch, "b3"), Err(Full));
        assert_eq!(bench.try_wait(Interactive, "i2").unwrap().1, Some("b2"));
        assert_eq!(bench.try_wait(Interactive, "i3").unwrap().1, Some("b1"));
        assert_eq!(bench.try_wait(Interactive, "i4"), Err(Full));
        let order: Vec<_> = std::iter::from_fn(|| bench.rise()).collect();
        assert_eq!(order, ["i1", "i2", "i3"]);
    }

    #[test]
    fn who_leaves_gives_its_place_back_and_gets_no_seat() {
        let mut bench = Bench::full(1, 2);
        let first = bench.wait(Interactive, "i1");
        let second = bench.wait(Batch, "b1");
        assert_eq!(bench.try_wait(Batch, "b2"), Err(Full));
        bench.queue.leave(first);
        bench.queue.leave(first);
        bench.wait(Batch, "b2");
        bench.queue.leave(second);
        assert_eq!(bench.rise(), Some("b2"));
        assert_eq!(bench.rise(), None);
    }

    #[test]
    fn who_cannot_be_served_in_time_any_more_is_passed_over() {
        let mut bench = Bench::full(2, 9);
        let soon = bench.now + Duration::from_secs(1);
        bench.queue.wait(Interactive, soon, "late").unwrap();
        bench.queue.wait(Batch, soon, "late, too").unwrap();
        bench.wait(Batch, "patient");
        bench.now = soon;
        assert_eq!(bench.rise(), Some("patient"));
        assert_eq!(bench.rise(), None);
        assert_eq!(bench.queue.waiting(), 0);
    }

    #[test]
    fn whatever_happens_no_seat_is_lost_and_nobody_waits_beside_a_free_one() {
        let mut rng = fastrand::Rng::with_seed(7);
        let start = Instant::now();
        for round in 0..200 {
            let (seats, room) = (rng.usize(1..12), rng.usize(1..6));
            let mut queue = Queue::new(seats, room);
            let (mut sitting, mut tickets) = (0_usize, Vec::new());
            for step in 0..500_u64 {
                let now = start + Duration::from_millis(step);
                let priority = if rng.bool() { Interactive } else { Batch };
                match rng.u8(0..3) {
                    0 if queue.sit(priority) => sitting += 1,
                    0 => {
                        let latest = now + Duration::from_millis(rng.u64(0..40));
                        if let Ok((ticket, _)) = queue.wait(priority, latest, ()) {
                            tickets.push(ticket);
                        }
                    }
                    1 if sitting > 0 => {
                        sitting -= 1;
                        sitting += usize::from(queue.rise(|| now).is_some());
                    }
                    1 => {}
                    _ if tickets.is_empty() => {}
                    _ => queue.leave(tickets.swap_remove(rng.usize(..tickets.len()))),
                }
                assert_eq!(queue.taken, sitting, "round {round}");
                assert!(queue.taken <= seats && queue.waiting() <= room);
                let free = |priority: Priority| queue.taken < priority.share(queue.seats);
                assert!(queue.interactive.is_empty() || !free(Interactive));
                assert!(queue.batch.is_empty() || !free(Batch));
            }
        }
    }
}
