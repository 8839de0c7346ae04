//! Promises of the room as a whole; no socket, and a clock that stands still.
