//! Being logged in, for as long as somebody reads.
//!
//! One task logs in and renews, whoever waits for a token. It begins when one is first asked for, and
//! does not try again by itself where a login fails: whoever reads asks again, in its own time.

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
}

pub(super) struct Session {
    asks: watch::Sender<u64>,
    state: watch::Receiver<State>,
}

struct State {
    /// How many of the asks have been answered.
    answered: u64,
    token: Result<Held, SecretError>,
}

impl Session {
    pub(super) fn begin(door: Arc<Door>, tasks: &Tasks) -> Self {
        let (asks, asked) = watch::channel(0);
        let (told, state) = watch::channel(State {
            answered: 0,
            token: Err(SecretError::Unasked),
        });
        let keeping = Keeping {
            door,
            told,
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
        let held = self.state.borrow().token.clone();
        match held {
            Ok(held) => Ok(held),
            Err(_) => self.log_in().await,
        }
    }

    /// Another token than the one of this number, which was refused.
    ///
    /// # Errors
    /// The login failed.
    pub(super) async fn another(&self, refused: u64) -> Result<Held, SecretError> {
        let held = self.state.borrow().token.clone();
        match held {
            Ok(held) if held.number != refused => Ok(held),
            Ok(_) | Err(_) => self.log_in().await,
        }
    }

    /// Waits for the login that is under way, or else for one that begins now.
    async fn log_in(&self) -> Result<Held, SecretError> {
        let mut state = self.state.clone();
        let ask = state.borrow_and_update().answered + 1;
        self.asks
            .send_if_modified(|asks| std::mem::replace(asks, ask.max(*asks)) < ask);
        let state = state.wait_for(|state| state.answered >= ask).await;
        match state {
            Ok(state) => state.token.clone(),
            Err(_) => Err(SecretError::Away("nobody logs in any more".into())),
        }
    }
}

/// What the task works with.
struct Keeping {
    door: Arc<Door>,
    told: watch::Sender<State>,
    number: u64,
}

impl Keeping {
    async fn run(mut self, mut asks: watch::Receiver<u64>) {
        let mut grant: Option<Grant> = None;
        loop {
            let due = grant
                .as_ref()
                .map_or(Due::Never, |grant| grant.lease.due(fastrand::f64()));
            let renews = tokio::select! {
                asked = asks.changed() => if asked.is_err() { return } else { false },
                renews = until(due) => renews,
            };
            let asked = *asks.borrow_and_update();
            let before = grant.take();
            let done = tokio::select! {
                biased;
                () = gone(asks.clone()) => return,
                done = self.next(before.as_ref(), renews, asked) => done,
            };
            grant = done;
        }
    }

    /// Renews, or logs in. What comes of it is told; returned is what is held behind it.
    async fn next(&mut self, before: Option<&Grant>, renews: bool, asked: u64) -> Option<Grant> {
        let is_asked = self.told.borrow().answered < asked;
        if let Some(grant) = before.filter(|_| renews && !is_asked) {
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
                self.tell(
                    asked,
                    Ok(Held {
                        token: Arc::clone(&grant.token),
                        number: self.number,
                    }),
                );
                Some(grant)
            }
            Err(error) => match before {
                // Nobody has complained of the one before.
                Some(grant) if !is_asked && !grant.lease.is_over(Instant::now()) => {
                    Some(put_off(grant))
                }
                Some(_) | None => {
                    self.tell(asked, Err(error));
                    None
                }
            },
        }
    }

    fn tell(&self, answered: u64, token: Result<Held, SecretError>) {
        self.told
            .send_modify(|state| *state = State { answered, token });
    }
}

fn put_off(grant: &Grant) -> Grant {
    Grant {
        lease: grant.lease.put_off(Instant::now()),
        ..grant.clone()
    }
}

/// Waits for what is due; whether that is a renewal.
async fn until(due: Due) -> bool {
    match due {
        Due::Never => std::future::pending().await,
        Due::Renew(at) => {
            sleep_until(at).await;
            true
        }
        Due::LogIn(at) => {
            sleep_until(at).await;
            false
        }
    }
}

/// Ends when nobody can ask any more.
async fn gone(mut asks: watch::Receiver<u64>) {
    while asks.changed().await.is_ok() {}
}
