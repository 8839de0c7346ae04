//! The keys of a route's rules, one line a key.
//!
//! Kept from rustfmt, as the table of all the others is.

use crate::config::shape::Key;
use crate::config::shape::Presence::{Default, Optional, Required};
use crate::config::shape::Shape::{self, AnyOf, Bool, Integer, List, Map, Percent, Table, Text, Word};
use super::table::{TARGETS, key};

pub(super) const RULE: &[Key] = &[
    key("name", Text, Required, "Names the rule in records."),
    key("when", Table(WHEN), Required, "What a request must be like, all of it; `share: 100%` is for every request."),
    key("targets", TARGETS, Optional, "Where such requests go, before the route's own targets."),
    key("only", Bool, Default("false"), "Whether the route's own targets are left out."),
    key("residency", Text, Optional, "Where such requests must stay: providers of another `residency`, or of none, get none of them."),
];

const WHEN: &[Key] = &[
    key("prompt_tokens", Table(TOKENS), Optional, "About how many tokens the prompt has."),
    key("tools", Bool, Optional, "Whether the model is offered tools."),
    key("images", Bool, Optional, "Whether the model is shown an image."),
    key("stream", Bool, Optional, "Whether a stream is asked for."),
    key("pii", List { of: &Text, least: 1, most: 100 }, Optional, "Classes of personal data of which one is in it; what cannot be scanned counts as all of them."),
    key("matches", Text, Optional, "A regular expression that one of its texts matches."),
    key("metadata", Map { name: "member of `metadata`", of: &WANTED }, Optional, "Members of the body's `metadata`, and what each says."),
    key("header", Map { name: "header", of: &WANTED }, Optional, "Headers of the request, and what each says."),
    key("tag", Map { name: "tag", of: &WANTED }, Optional, "Headers whose names begin with `x-pillion-tag-`, by the rest of their names."),
    key("key", ANY, Optional, "The id of the key that asks, or a list of such."),
    key("team", ANY, Optional, "Of the key, else of this instance."),
    key("service", ANY, Optional, "Of the key, else of this instance."),
    key("environment", ANY, Optional, "Of the key, else of this instance."),
    key("time", Table(TIME), Optional, "Days of the week and hours."),
    key("share", Percent, Optional, "A share of the conversations, always the same ones; a larger share holds the smaller one."),
];

const TOKENS: &[Key] = &[
    key("over", Integer { least: 0, most: u64::MAX }, Optional, "More than so many."),
    key("under", Integer { least: 1, most: u64::MAX }, Optional, "Fewer than so many."),
];

const TIME: &[Key] = &[
    key("days", List { of: &Word(&["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), least: 1, most: 7 }, Optional, "All of them when absent; where the hours go over midnight, the days on which they begin."),
    key("from", Text, Default("00:00"), "The first minute, such as `09:00`."),
    key("to", Text, Default("24:00"), "The minute at which it is over; not after `from`, that of the next day."),
    key("zone", Text, Default("UTC"), "An offset such as `+05:00`, or a name such as `Asia/Almaty` where the system knows zones by name."),
];

const MATCHING: &[Key] = &[
    key("matches", Text, Required, "A regular expression."),
];

const WANTED: Shape = AnyOf(&[Text, List { of: &Text, least: 1, most: 1000 }, Table(MATCHING)]);
const ANY: Shape = AnyOf(&[Text, List { of: &Text, least: 1, most: 1000 }]);
