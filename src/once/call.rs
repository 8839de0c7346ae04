//! One call, and those who wait for its answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::Response;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::asked::Asked;
use super::fan::Fan;
use super::reader::{Head, Reader, Shared};
use super::table::Ticket;
use super::tape::Tape;
use super::{Calls, lock};
use crate::body::Body;
use crate::error::GatewayError;
use crate::record::{Ended, Ending};

/// What makes an answer: the response as its first caller gets it. Its record is finished by whatever
/// ends it, and tells the call's [`Ending`].
pub type Work = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A call. It is dropped, and what it does is cancelled, with the last [`Place`] at it.
pub(super) struct Call {
    pub(super) calls: Calls,
    pub(super) ticket: Arc<Ticket>,
    pub(super) ending: Arc<Ending>,
    fan: Arc<Fan>,
    stage: Mutex<Stage>,
}

struct Stage {
    /// The numbers of those who wait for it or read it.
    present: SmallVec<[u64; 2]>,
    state: State,
}

enum State {
    /// Registered, and about to begin.
    Vacant,
    Running(Work),
    Answered(Shared),
    /// Its one caller has it whole; or it panicked. No others get it.
    Gone,
}

/// A new call, about to begin.
pub struct Vacancy {
    place: Place,
}

/// Waits for the call's answer, and drives it meanwhile.
#[must_use = "dropped, it is a caller that has left"]
pub struct Waiter {
    place: Option<Place>,
}

/// What a waiter gets.
pub enum Handed {
    /// The answer as it came, for nobody else.
    Whole(Response<Body>),
    /// The answer from its beginning, as others get it too.
    Shared(Reader),
    /// There is none, and why.
    Failed(GatewayError),
}

/// One who waits for a call, or reads what it answers.
pub(super) struct Place {
    pub(super) call: Arc<Call>,
    pub(super) number: u64,
    role: Role,
    asked: Asked,
    arrived: Instant,
    /// Whether it has what it came for.
    served: bool,
    /// Whether it left because its time was up.
    timed_out: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The caller whose request began it: the call's record is its own.
    First,
    Joined,
    /// Nobody: a retry is expected.
    Lingering,
}

impl Call {
    pub(super) fn new(calls: Calls, ticket: Arc<Ticket>) -> Self {
        Self {
            calls,
            ticket,
            ending: Arc::default(),
            fan: Arc::default(),
            stage: Mutex::new(Stage {
                present: SmallVec::new(),
                state: State::Vacant,
            }),
        }
    }

    /// One more for its answer; `None` when the beginning of that is no longer to be had.
    pub(super) fn join(self: &Arc<Self>, asked: Asked, now: Instant) -> Option<Waiter> {
        let place = Place::at(Arc::clone(self), Role::Joined, asked, now)?;
        Some(Waiter { place: Some(place) })
    }

    /// Drives the call: an answer for several, or what this one gets alone.
    fn poll(&self, place: &Place, cx: &mut Context<'_>) -> Poll<Result<Shared, Handed>> {
        let mut stage = lock(&self.stage);
        self.fan.set(place.number, cx.waker());
        // Taken out while it is polled, so that one that panics is not polled again.
        match std::mem::replace(&mut stage.state, State::Gone) {
            State::Vacant => {
                stage.state = State::Vacant;
                Poll::Pending
            }
            State::Gone => Poll::Ready(Err(self.gone())),
            State::Answered(shared) => {
                stage.state = State::Answered(shared.clone());
                Poll::Ready(Ok(shared))
            }
            State::Running(mut work) => {
                let waker = self.fan.waker();
                let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
                let Poll::Ready(response) = polled else {
                    stage.state = State::Running(work);
                    return Poll::Pending;
                };
                if self.is_for_one(place.role, &stage.present) {
                    self.ticket.close();
                    return Poll::Ready(Err(Handed::Whole(response)));
                }
                let shared = self.share(response, &stage.present);
                stage.state = State::Answered(shared.clone());
                Poll::Ready(Ok(shared))
            }
        }
    }

    /// Whether the answer that has come goes to the one of this role as it came.
    fn is_for_one(&self, role: Role, present: &[u64]) -> bool {
        let alone = present.len() == 1 && !self.ticket.identity.is_kept();
        match role {
            // What it is told when there is none names its record; the others are told in their words.
            Role::First => alone || self.has_failed(),
            Role::Joined | Role::Lingering => false,
        }
    }

    fn share(&self, response: Response<Body>, readers: &[u64]) -> Shared {
        if self.has_failed() {
            self.ticket.close();
        }
        let (parts, body) = response.into_parts();
        let head = Head {
            status: parts.status,
            headers: parts.headers,
        };
        let room = self.calls.all.room.clone();
        Shared::new(head, Tape::new(body, readers, room, &self.ticket))
    }

    fn has_failed(&self) -> bool {
        matches!(self.ending.ended(), Some(Ended::Failed(_)))
    }

    /// What one gets of an answer that is there for several.
    fn hand(&self, shared: Shared, place: Place) -> Handed {
        if let (Role::Joined | Role::Lingering, Some(Ended::Failed(error))) =
            (place.role, self.ending.ended())
        {
            return Handed::Failed(error.clone());
        }
        let number = place.number;
        Handed::Shared(Reader::new(shared, Some(place), number))
    }

    /// What they get who come to one that was handed over whole.
    fn gone(&self) -> Handed {
        Handed::Failed(match self.ending.ended() {
            Some(Ended::Failed(error)) => error.clone(),
            // It panicked.
            Some(Ended::Answered(_) | Ended::Broken(..) | Ended::Cancelled) | None => {
                GatewayError::Internal
            }
        })
    }

    /// The answer has come to its end: it is kept, if it is one that is.
    pub(super) fn over(&self) {
        let Some(Ended::Answered(_)) = self.ending.ended() else {
            self.ticket.close();
            return;
        };
        let shared = match &lock(&self.stage).state {
            State::Answered(shared) if self.ticket.is_open() => shared.clone(),
            State::Answered(_) | State::Vacant | State::Running(_) | State::Gone => return,
        };
        if self.ticket.identity.is_kept() {
            self.calls
                .all
                .store
                .keep(&self.ticket, shared, Instant::now());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.forget(&self.ticket);
    }
}

impl Vacancy {
    /// For the one whose request begins the call.
    pub(super) fn new(call: Arc<Call>, asked: Asked, now: Instant) -> Self {
        let number = call.calls.number();
        lock(&call.stage).present.push(number);
        Self {
            place: Place::new(call, number, Role::First, asked, now),
        }
    }

    /// For the record of the request that begins it.
    pub fn ending(&self) -> Arc<Ending> {
        Arc::clone(&self.place.call.ending)
    }

    /// By which others find the call.
    pub fn ticket(&self) -> Arc<Ticket> {
        Arc::clone(&self.place.call.ticket)
    }

    pub fn begin(self, work: Work) -> Waiter {
        let call = &self.place.call;
        lock(&call.stage).state = State::Running(work);
        // Others may have come between.
        call.fan.wake_all();
        Waiter {
            place: Some(self.place),
        }
    }
}

impl Waiter {
    /// The caller is told that there is no answer in its time. It may come again for that.
    pub fn give_up(mut self, told: &GatewayError) {
        if let Some(mut place) = self.place.take() {
            if place.role == Role::First {
                place.call.ending.leave(Some(told.clone()));
            }
            place.timed_out = true;
        }
    }

    /// One for nobody, while a retry is expected.
    pub(super) fn lingering(call: Arc<Call>, now: Instant) -> Option<Self> {
        let place = Place::at(call, Role::Lingering, Asked::default(), now)?;
        Some(Self { place: Some(place) })
    }
}

impl Future for Waiter {
    type Output = Handed;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Handed> {
        let Some(place) = self.place.take() else {
            return Poll::Pending; // It has its answer, and is polled no more.
        };
        let call = Arc::clone(&place.call);
        let Poll::Ready(answer) = call.poll(&place, cx) else {
            self.place = Some(place);
            return Poll::Pending;
        };
        call.fan.remove(place.number);
        // The others have theirs to fetch.
        call.fan.wake_all();
        Poll::Ready(match answer {
            Ok(shared) => {
                if shared.is_over() {
                    call.over();
                }
                call.hand(shared, place)
            }
            Err(alone) => {
                place.served();
                alone
            }
        })
    }
}

impl Place {
    /// One more at a call; `None` when the beginning of its answer is no longer to be had.
    fn at(call: Arc<Call>, role: Role, asked: Asked, arrived: Instant) -> Option<Self> {
        let number = call.calls.number();
        {
            let mut stage = lock(&call.stage);
            let there = match &stage.state {
                State::Vacant | State::Running(_) => true,
                State::Answered(shared) => shared.enter(number),
                State::Gone => false,
            };
            if !there {
                return None;
            }
            stage.present.push(number);
        }
        Some(Self::new(call, number, role, asked, arrived))
    }

    fn new(call: Arc<Call>, number: u64, role: Role, asked: Asked, arrived: Instant) -> Self {
        Self {
            call,
            number,
            role,
            asked,
            arrived,
            served: false,
            timed_out: false,
        }
    }

    /// It has what it came for.
    pub(super) fn served(mut self) {
        self.served = true;
    }

    /// Whether one that leaves now is likely to come again.
    fn comes_again(&self) -> bool {
        self.timed_out
            || self.call.ticket.identity.is_kept()
            || self.asked.timed_out(self.arrived.elapsed())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let call = &self.call;
        let (last, shared) = {
            let mut stage = lock(&call.stage);
            stage.present.retain(|number| *number != self.number);
            let shared = match &stage.state {
                State::Answered(shared) => Some(shared.clone()),
                State::Vacant | State::Running(_) | State::Gone => None,
            };
            (stage.present.is_empty(), shared)
        };
        call.fan.remove(self.number);
        // It may have been the one that drove the call.
        call.fan.wake_all();
        if let Some(shared) = shared {
            shared.leave(self.number);
        }
        if self.served {
            return;
        }
        let left = match self.role {
            Role::First => {
                // One whose process ends has not left.
                if !call.calls.all.cut.is_cancelled() {
                    call.ending.leave(None);
                }
                true
            }
            Role::Joined => true,
            Role::Lingering => false,
        };
        let is_wanted = || call.ending.ended().is_none() && call.ticket.is_open();
        if left && last && is_wanted() && self.comes_again() {
            call.calls.linger(Arc::clone(call));
        }
    }
}
