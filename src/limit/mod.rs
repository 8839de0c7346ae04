//! How much is served at once, and who waits for it.
//!
//! [`Seats`] are the places of the process: a request takes one before anything of it is sent and
//! keeps it to its answer's last byte. Without a free one it waits in the queue, which decides
//! and is pure. A [`Room`] is memory that several take their shares of. Never here: what a request asks
//! for, or where it goes.

mod inflight;
mod queue;
mod room;

pub use inflight::{Seat, Seats};
pub use room::Room;
