//! How much is served at once, and who waits for it; how much a key, a route or a team may use.
//!
//! [`Seats`] are the places of the process: a request takes one before anything of it is sent and
//! keeps it to its answer's last byte. Without a free one it waits in the queue, which decides
//! and is pure. A [`Room`] is memory that several take their shares of. [`Quotas`] are the limits and
//! budgets that the operator gives: taken before anything is sent, put right when it is over. Never here: what
//! a request asks for, or where it goes.

mod book;
mod foreseen;
mod hold;
mod inflight;
mod ledger;
mod parts;
mod queue;
mod quotas;
mod rate;
mod refused;
mod room;
mod shown;
mod terms;
mod window;

pub use foreseen::Asked;
pub use hold::{Hold, Used};
pub use inflight::{Seat, Seats};
pub use ledger::Folder;
pub use quotas::{Given, Quotas, Request, Standing, Under, budget_of};
pub(crate) use rate::Rate;
pub use refused::{Refusal, Refused, Why};
pub use room::Room;
pub use shown::Shown;
pub use terms::{Account, Budget, Of, OnLoss, Scope, Terms};
pub use window::{Per, Window};
