//! Requests read and answers written, as tables.

mod reading;
mod recordings;
mod splicing;
mod writing;
