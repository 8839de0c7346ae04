//! Being logged in, for as long as somebody reads.
//!
//! One task logs in and renews, whoever waits for a token. It begins when one is first asked for, and
//! does not try again by itself where a login fails: whoever reads asks again, in its own time. A token
//! is used until there is another one, and one that we got ourselves is given back then.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::lease::Due;
use super::login::{Door, Grant};
use crate::secret::{Secret, SecretError};
use crate::tasks::Tasks;

/// A token and which one it is.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) token: Arc<Secret>,
    pub(super) number: u64,
    /// When it was logged in for.
    pub(super) since: Instant,
}

pub(super) struct Session {
    asks: watch::Sender<u64>,
    state: watch::Receiver<State>,
}

struct State {
    /// How many of the asks have been answered.
    answered: u64,
    /// What the last login came to.
    last: Result<Held, SecretError>,
    /// Stays until there is another one, or its life is over, whatever becomes of a login.
    held: Option<Held>,
}

impl Session {
    pub(super) fn begin(door: Arc<Door>, tasks: &Tasks) -> Self {
        let (asks, asked) = watch::channel(0);
        let (told, state) = watch::channel(State {
            answered: 0,
            last: Err(SecretError::Unasked),
            held: None,
        });
        let keeping = Keeping {
            door,
            told,
            tasks: tasks.clone(),
            number: 0,
        };
        tasks.spawn(keeping.run(asked));
        Self { asks, state }
    }

    /// The token that is held, or that of a login.
    ///
    /// # Errors
    /// The login failed.
    pub(super) async fn token(&self) -> Result<Held, SecretError> {
        let held = self.state.borrow().held.clone();
        match held {
            Some(held) => Ok(held),
            None => self.log_in().await,
        }
    }

    /// Another token than the one of this number, which was refused. That one stays where there is none.
    ///
    /// # Errors
    /// The login failed.
    pub(super) async fn another(&self, refused: u64) -> Result<Held, SecretError> {
        let held = self.state.borrow().held.clone();
        match held {
            Some(held) if held.number != refused => Ok(held),
            Some(_) | None => self.log_in().await,
        }
    }

    /// Whether `held` is not the one that is held now.
    pub(super) fn is_past(&self, held: &Held) -> bool {
        let state = self.state.borrow();
        (state.held.as_ref()).is_none_or(|now| now.number != held.number)
    }

    /// Waits for the login that is under way, or else for one that begins now.
    async fn log_in(&self) -> Result<Held, SecretError> {
        let mut state = self.state.clone();
        let ask = state.borrow_and_update().answered + 1;
        self.asks
            .send_if_modified(|asks| std::mem::replace(asks, ask.max(*asks)) < ask);
        let state = state.wait_for(|state| state.answered >= ask).await;
        match state {
            Ok(state) => state.last.clone(),
            Err(_) => Err(SecretError::Away("nobody logs in any more".into())),
        }
    }
}

/// What the task works with.
struct Keeping {
    door: Arc<Door>,
    told: watch::Sender<State>,
    tasks: Tasks,
    number: u64,
}

/// Why the task does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// Somebody has no token, or one that was refused.
    Asked,
    Renew,
    LogIn,
}

impl Keeping {
    async fn run(mut self, mut asks: watch::Receiver<u64>) {
        let mut grant: Option<Grant> = None;
        self.keep(&mut grant, &mut asks).await;
        if let Some(grant) = grant.filter(|grant| self.is_to_be_given_back(grant)) {
            self.door.give_back(&grant.token).await;
        }
    }

    /// Ends when nobody can ask any more.
    async fn keep(&mut self, grant: &mut Option<Grant>, asks: &mut watch::Receiver<u64>) {
        loop {
            let due = grant
                .as_ref()
                .map_or(Due::Never, |grant| grant.lease.due(fastrand::f64()));
            let due = tokio::select! {
                asked = asks.changed() => if asked.is_err() { return } else { Wake::Asked },
                due = until(due) => due,
            };
            let asked = *asks.borrow_and_update();
            let is_asked = self.told.borrow().answered < asked;
            let wake = if is_asked { Wake::Asked } else { due };
            let next = tokio::select! {
                biased;
                () = gone(asks.clone()) => return,
                next = self.next(grant.as_ref(), wake, asked) => next,
            };
            *grant = next;
        }
    }

    /// Renews, or logs in. What comes of it is told; returned is what is held behind it.
    async fn next(&mut self, before: Option<&Grant>, wake: Wake, asked: u64) -> Option<Grant> {
        if let Some(grant) = before.filter(|_| wake == Wake::Renew) {
            match self.door.renew(grant).await {
                Ok(grant) => return Some(grant),
                Err(SecretError::Refused(why)) => {
                    tracing::debug!(%why, "a store does not renew its token: logging in");
                }
                Err(_) => return Some(put_off(grant)),
            }
        }
        match self.door.log_in().await {
            Ok(grant) => {
                self.number += 1;
                let held = Held {
                    token: Arc::clone(&grant.token),
                    number: self.number,
                    since: Instant::now(),
                };
                self.told.send_modify(|state| {
                    *state = State {
                        answered: asked,
                        last: Ok(held.clone()),
                        held: Some(held),
                    };
                });
                self.replaced(before);
                Some(grant)
            }
            Err(error) => {
                let good = before.filter(|grant| !grant.lease.is_over(Instant::now()));
                self.told.send_modify(|state| {
                    state.answered = asked;
                    state.last = Err(error);
                    state.held.take_if(|_| good.is_none());
                });
                match wake {
                    Wake::Asked => good.cloned(),
                    Wake::Renew | Wake::LogIn => good.map(put_off),
                }
            }
        }
    }

    /// Gives the one before back, beside the work: nobody uses it any more.
    fn replaced(&self, before: Option<&Grant>) {
        if let Some(grant) = before.filter(|grant| self.is_to_be_given_back(grant)) {
            let (door, token) = (Arc::clone(&self.door), Arc::clone(&grant.token));
            self.tasks
                .spawn(async move { door.give_back(&token).await });
        }
    }

    fn is_to_be_given_back(&self, grant: &Grant) -> bool {
        self.door.issues() && !grant.lease.is_over(Instant::now())
    }
}

fn put_off(grant: &Grant) -> Grant {
    Grant {
        lease: grant.lease.put_off(Instant::now()),
        ..grant.clone()
    }
}

/// Waits for what is due.
async fn until(due: Due) -> Wake {
    match due {
        Due::Never => std::future::pending().await,
        Due::Renew(at) => {
            sleep_until(at).await;
            Wake::Renew
        }
        Due::LogIn(at) => {
            sleep_until(at).await;
            Wake::LogIn
        }
    }
}

/// Ends when nobody can ask any more.
async fn gone(mut asks: watch::Receiver<u64>) {
    while asks.changed().await.is_ok() {}
}
