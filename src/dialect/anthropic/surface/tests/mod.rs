//! Requests read and answers written, as tables.

mod reading;
mod writing;
