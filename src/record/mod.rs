//! What happened: one record per request, written exactly once.
//!
//! [`Records::begin`] opens a [`Recorder`] when a request arrives; the request path tells it facts
//! as they become known; [`Recorder::finish`] takes it by value. A recorder that is dropped
//! unfinished is the caller having hung up: that is an outcome too, and is recorded with what was
//! seen so far. The metrics of a request are counted from its record, in one place.
//! Never here: content. The record holds names, numbers and classes.
