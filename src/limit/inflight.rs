//! The seats as requests see them: taken, waited for, and given back when dropped.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::queue::{Queue, Ticket};
use crate::error::GatewayError;
use crate::health::Priority;

/// The seats of the process. Clones are one.
#[derive(Debug, Clone)]
pub struct Seats {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue<oneshot::Sender<Seat>>>,
    /// How many wait.
    waiting: Gauge,
}

/// Held by a request from before it is sent to its answer's last byte; dropped, it goes to whoever
/// waits next.
#[derive(Debug)]
#[must_use = "dropped at once, it is given back at once"]
pub struct Seat {
    shared: Arc<Shared>,
}

impl Seats {
    /// So many requests are served at once, and so many wait at most, as `waiting` tells.
    pub fn new(seats: usize, room: usize, waiting: Gauge) -> Self {
        let queue = Mutex::new(Queue::new(seats, room));
        Self {
            shared: Arc::new(Shared { queue, waiting }),
        }
    }

    /// A seat, if one is free.
    pub fn free(&self, priority: Priority) -> Option<Seat> {
        self.shared.lock().sit(priority).then(|| self.seat())
    }

    /// A seat, at once or when its turn comes. `latest` says until when that would be in time; it is
    /// asked only when no seat is free.
    ///
    /// Dropping the future gives the place in the queue back.
    ///
    /// # Errors
    /// [`GatewayError::Overloaded`]: at once when the queue is full or no time is left, else as soon as
    /// a seat would come too late, or an interactive request needs the place in the queue.
    pub async fn take(
        &self,
        priority: Priority,
        latest: impl FnOnce() -> Instant,
    ) -> Result<Seat, GatewayError> {
        if let Some(seat) = self.free(priority) {
            return Ok(seat);
        }
        self.wait(priority, latest()).await
    }

    async fn wait(&self, priority: Priority, latest: Instant) -> Result<Seat, GatewayError> {
        if latest <= Instant::now() {
            return Err(GatewayError::Overloaded);
        }
        let (sender, mut seat) = oneshot::channel();
        let queued = {
            let mut queue = self.shared.lock();
            // One may have become free since.
            if queue.sit(priority) {
                drop(queue);
                return Ok(self.seat());
            }
            queue.wait(priority, latest, sender)
        };
        let (ticket, gave_way) = queued.map_err(|_full| GatewayError::Overloaded)?;
        // A sender that is dropped tells its request that it is refused.
        drop(gave_way);
        let _waiting = Waiting::new(&self.shared, ticket);
        match timeout_at(latest, &mut seat).await {
            Ok(Ok(seat)) => Ok(seat),
            Ok(Err(_refused)) => Err(GatewayError::Overloaded),
            Err(_elapsed) => Err(GatewayError::Overloaded),
        }
    }

    fn seat(&self) -> Seat {
        Seat {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue<oneshot::Sender<Seat>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let next = self.shared.lock().rise(Instant::now);
        if let Some(next) = next {
            // A request that has just left does not take it: then it comes back here.
            drop(next.send(Self {
                shared: Arc::clone(&self.shared),
            }));
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seats").finish_non_exhaustive()
    }
}

/// A place in the queue, left when dropped.
struct Waiting<'a> {
    shared: &'a Shared,
    ticket: Ticket,
}

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared, ticket: Ticket) -> Self {
        shared.waiting.inc();
        Self { shared, ticket }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.waiting.dec();
        self.shared.lock().leave(self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::*;
    use Priority::{Batch, Interactive};

    const LONG: Duration = Duration::from_mins(1);

    fn seats(seats: usize, room: usize) -> (Seats, Gauge) {
        let gauge = Gauge::default();
        (Seats::new(seats, room, gauge.clone()), gauge)
    }

    /// What asks for a seat, polled once: pending, or its answer.
    macro_rules! asked {
        ($seats:expr, $priority:expr, $span:expr) => {{
            let latest = Instant::now() + $span;
            let mut asking = Box::pin($seats.take($priority, move || latest));
            let answer = tokio::select! {
                biased;
                answer = &mut asking => Some(answer.is_ok()),
                () = std::future::ready(()) => None,
            };
            (asking, answer)
        }};
    }

    #[tokio::test(start_paused = true)]
    async fn a_seat_that_is_given_back_goes_to_whoever_waits() {
        let (seats, gauge) = seats(1, 4);
        let seat = seats
            .take(Interactive, || unreachable!("a seat is free"))
            .await;
        let (batch, answer) = asked!(seats, Batch, LONG);
        assert_eq!(answer, None);
        let (interactive, answer) = asked!(seats, Interactive, LONG);
        assert_eq!((answer, gauge.get()), (None, 2));
        drop(seat);
        assert!(seats.free(Interactive).is_none(), "it is given already");
        drop(interactive.await.unwrap());
        drop(batch.await.unwrap());
        assert_eq!(gauge.get(), 0);
        assert!(seats.free(Batch).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_could_not_be_served_in_time_is_refused_then_and_not_later() {
        let (seats, gauge) = seats(1, 4);
        let _seat = seats.free(Interactive);
        let (_, answer) = asked!(seats, Interactive, Duration::ZERO);
        assert_eq!(answer, Some(false), "there is no time at all");
        let start = Instant::now();
        let latest = start + Duration::from_secs(3);
        let refused = seats.take(Interactive, || latest).await.err();
        assert_eq!(refused, Some(GatewayError::Overloaded));
        assert_eq!(start.elapsed().as_secs(), 3);
        assert_eq!(gauge.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once_and_batch_gives_way() {
        let (seats, gauge) = seats(1, 1);
        let seat = seats.free(Interactive);
        let (batch, _) = asked!(seats, Batch, LONG);
        let (_, answer) = asked!(seats, Batch, LONG);
        assert_eq!(answer, Some(false));
        let (interactive, answer) = asked!(seats, Interactive, LONG);
        assert_eq!(answer, None);
        let start = Instant::now();
        assert_eq!(batch.await.err(), Some(GatewayError::Overloaded));
        assert_eq!(start.elapsed(), Duration::ZERO);
        let (_, answer) = asked!(seats, Interactive, LONG);
        assert_eq!((answer, gauge.get()), (Some(false), 1));
        drop(seat);
        assert!(interactive.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_leaves_loses_neither_its_place_nor_a_seat_on_its_way_to_it() {
        let (seats, gauge) = seats(1, 1);
        let seat = seats.free(Interactive);
        let (waiting, _) = asked!(seats, Interactive, LONG);
        drop(waiting);
        assert_eq!(gauge.get(), 0);
        let (waiting, answer) = asked!(seats, Interactive, LONG);
        assert_eq!(answer, None, "the place is there again");
        // The seat has been given, and nobody has looked yet.
        drop(seat);
        drop(waiting);
        assert!(seats.free(Interactive).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_seat_given_in_time_is_had_also_when_the_time_is_over() {
        let (seats, _) = seats(1, 1);
        let seat = seats.free(Interactive);
        let (waiting, _) = asked!(seats, Interactive, Duration::from_secs(1));
        drop(seat);
        advance(Duration::from_secs(2)).await;
        assert!(waiting.await.is_ok());
    }
}
