//! Requests read and answers written, as tables.

mod reading;
mod recordings;
mod sending;
mod splicing;
mod writing;
