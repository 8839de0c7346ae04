//! The keys of personal data, one line a key.
//!
//! Kept from rustfmt, as the table of all the others is.

use crate::config::shape::Key;
use crate::config::shape::Presence::{Default, Optional, Required};
use crate::config::shape::Shape::{self, Bool, List, Map, Table, Text, Word};
use super::table::key;

/// At the top.
pub(super) const PRIVACY: &[Key] = &[
    key("detectors", Map { name: "detector", of: &Table(DETECTOR) }, Optional, "Classes of personal data of your own, beside those that are built in; one of these names is found by the pattern, too."),
];

const DETECTOR: &[Key] = &[
    key("pattern", Text, Required, "A regular expression; what fits it is personal."),
];

/// Of a route.
pub(super) const ON_ROUTE: &[Key] = &[
    key("observe", CLASSES, Optional, "Classes of personal data that are counted in the record, and nothing else."),
    key("mask", CLASSES, Optional, "Classes that no provider sees: a placeholder such as `[EMAIL_1]` takes the place of each value."),
    key("block", CLASSES, Optional, "Classes with which a request is refused."),
    key("unmask", Bool, Default("true"), "Whether the values are put back in the place of their placeholders in the answer."),
    key("unscannable", Word(&["refuse", "pass"]), Default("refuse"), "What becomes of what nobody can look into (images, files, sound, what passes through) where something is to be masked or blocked."),
];

const CLASSES: Shape = List { of: &Text, least: 0, most: 100 };
