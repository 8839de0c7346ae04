//! Personal data in what is sent: found, taken out, and put back into the answer.
//!
//! Pure: no socket, no clock, no chance. What a route does about it is somebody else's to say:
//!
//! ```text
//! Detectors::new(patterns)                once for a configuration; a bad pattern is a problem of it
//! Survey::read(&detectors, body)          once for a request: every text of it, every class
//!   .found(classes)                       for rules, `observe`, `block`, and the record
//!   .unscannable()                        images, files, sound: to be taken for holding every class
//!   .mask(&detectors, body, classes)      the body with placeholders, and the vault of this request
//! Unmask::new(vault, form)                one text of a stream: push pieces, then finish
//! Frames::new(vault, surface)             a whole stream, in the frames of its caller's surface
//! vault.restore(text, form)               a whole text; `restore_body` for a whole plain answer
//! Transcript::of(detectors, body, vault)  what a record may hold of an exchange: the request, masked
//! Said::new(surface)                      what its answer says: told its body, or each piece of its stream
//! transcript.answer(&said, is_whole)      the same, masked
//! ```
//!
//! A value becomes `[EMAIL_1]`: its class and a number by first occurrence, so that the next turn of a
//! conversation, which carries the same history, numbers alike without anything kept between. A number is
//! passed over where the request itself holds such a text. Two ways to write a value are one value, and
//! the first is what is put back. What was found once is replaced in all texts of the request where it is
//! written the same, also without the words that told it. JSON's escapes within a text are looked at as what
//! they stand for, and that is what comes back.
//!
//! What is not found: names of persons, since a list or a pattern takes every second capital letter for
//! one, and a model that does better does not fit into a sidecar; an address without a street or a flat;
//! e-mail addresses in words (`name at example dot com`); numbers in words; a value that is cut in two by the end of a
//! message, or of a part of one; keys of the API's own objects
//! and of schemas; texts within images, files and sound, which [`Unscannable`] names.
//!
#![doc = include_str!("FIGURES.md")]

mod again;
mod class;
mod detect;
mod frames;
mod keys;
mod mask;
mod nesting;
mod placeholder;
mod said;
mod splice;
mod transcript;
mod unmask;
mod vault;
mod walk;

pub use class::{Class, Classes, Found};
pub use detect::{BadPattern, Detectors, Hit};
pub use frames::Frames;
pub use keys::Unscannable;
pub use mask::{Masked, Survey, mask};
pub use said::Said;
pub use splice::Moved;
pub use transcript::{MaskedText, Transcript};
pub use unmask::{Form, Unmask};
pub use vault::Vault;

#[cfg(test)]
mod tests;
