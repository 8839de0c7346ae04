//! Section U, the head: what a provider's status and its words mean, in each dialect.

use crate::support::Reply;
use crate::support::wire::{Fault, Script};

use super::asked::{Never, Row, Sees, Then, row};
use super::parts::{answers, codes, fails, hello, plays};
use super::scene::SECRET;
use super::words::Phase::Head;

const FAILED: Sees = Sees::Error(502, "upstream_failed");
const KEY: Sees = Sees::Error(502, "upstream_authentication_error");
const NO_OTHER: &[Never] = &[Never::Elsewhere, Never::Twice, Never::Again];
const ONCE: &[Never] = &[Never::Twice];

#[rustfmt::skip]
pub(super) fn another_target() -> Vec<Row> {
    use Sees::{Backup, Error};
    let limited = || Reply::error(429, "requests", Some("rate_limit_exceeded"), "Rate limit reached");
    vec![
        row("U5", "a rate limit", Head, fails(Fault::Rate), Backup, &["rate_limited"]).never(ONCE),
        row("U5a", "a rate limit everywhere", Head, fails(Fault::Rate), Error(429, "rate_limit_exceeded"), &["rate_limited", "rate_limited"])
            .then(Then::Same).short().never(ONCE),
        row("U5b", "a rate limit without a wait, everywhere", Head, plays(move |_| limited()), Error(429, "rate_limit_exceeded"), &["rate_limited"; 4])
            .then(Then::Same).never(&[Never::Twice, Never::Again]),
        row("U6", "a rate limit for an hour", Head, plays(move |_| limited().header("retry-after", 3600)), Backup, &["rate_limited"]).never(ONCE),
        row("U6a", "a rate limit for an hour, everywhere", Head, plays(move |_| limited().header("retry-after", 3600)), Error(429, "rate_limit_exceeded"), &["rate_limited", "rate_limited"])
            .then(Then::Same).never(&[Never::Twice, Never::Again]),
        row("U6b", "no quota", Head, fails(Fault::Quota), Backup, &["quota_exhausted"]).never(ONCE),
        row("U6c", "no quota anywhere", Head, fails(Fault::Quota), Error(503, "upstream_quota_exhausted"), &["quota_exhausted", "quota_exhausted"])
            .then(Then::Same).never(&[Never::Twice, Never::Again]),
        row("U6d", "no credit", Head, codes(402, "insufficient_credits", "Insufficient credits"), Backup, &["quota_exhausted"]).never(ONCE),
        row("U7", "an error of the server", Head, fails(Fault::Server), Backup, &["server_error"]).never(ONCE),
        row("U7a", "an error of every server", Head, fails(Fault::Server), FAILED, &["server_error", "server_error"])
            .then(Then::Same).never(&[Never::Twice, Never::Again]),
        row("U7b", "502", Head, answers(502), Backup, &["server_error"]).never(ONCE),
        row("U7c", "503", Head, answers(503), Backup, &["overloaded"]).never(ONCE),
        row("U7d", "504", Head, answers(504), Backup, &["server_error"]).never(ONCE),
        row("U7e", "529", Head, answers(529), Backup, &["overloaded"]).never(ONCE),
        row("U7f", "an overload in its own words", Head, fails(Fault::Overloaded), Backup, &["overloaded"]).never(ONCE),
        row("U7g", "an overload everywhere", Head, fails(Fault::Overloaded), FAILED, &["overloaded", "overloaded"])
            .then(Then::Same).never(&[Never::Twice, Never::Again]),
        row("U7h", "409", Head, answers(409), Backup, &["server_error"]).never(ONCE),
        row("U7i", "408", Head, answers(408), Backup, &["timeout"]).short(),
        row("U7j", "425", Head, answers(425), Backup, &["timeout"]).short(),
        row("U7k", "499", Head, answers(499), Backup, &["timeout"]).short(),
        row("U7l", "530, which no standard knows", Head, answers(530), Backup, &["server_error"]).never(ONCE),
        row("U7m", "520, which a front says of a server", Head, answers(520), Backup, &["overloaded"]).never(ONCE),
        row("U12", "no such model", Head, fails(Fault::Missing), Backup, &["target_missing"]).never(ONCE),
        row("U12a", "no such model anywhere", Head, fails(Fault::Missing), Error(502, "upstream_model_not_found"), &["target_missing", "target_missing"])
            .then(Then::Same).never(&[Never::Twice, Never::Again]),
        row("U16", "a page of HTML", Head, plays(|_| Reply::status(503).header("content-type", "text/html").body("<html>Bad Gateway</html>")), Backup, &["overloaded"])
            .never(&[Never::Twice, Never::Shown("<html>")]),
        row("U23", "a redirect", Head, plays(|_| Reply::status(302).header("location", "http://127.0.0.1:9/v1/elsewhere")), Backup, &["broken"])
            .never(&[Never::Twice, Never::Header("location")]),
        row("U23a", "a redirect that keeps the method, everywhere", Head, plays(|_| Reply::status(308).header("location", "http://127.0.0.1:9/v1/elsewhere")), FAILED, &["broken", "broken"])
            .then(Then::Same).never(&[Never::Twice, Never::Again, Never::Header("location")]),
        row("U23b", "204 with nothing", Head, plays(|_| Reply::status(204)), Backup, &["broken"]).never(ONCE),
    ]
}

#[rustfmt::skip]
pub(super) fn no_other_target() -> Vec<Row> {
    use Sees::{Error, Own};
    use crate::support::surface::Finish;
    vec![
        row("U10", "a mistake of the caller's", Head, fails(Fault::Invalid), Error(400, "invalid_value|invalid_request"), &["invalid_request"]).never(NO_OTHER),
        row("U10a", "422", Head, answers(422), Error(422, "invalid_request"), &["invalid_request"]).never(NO_OTHER),
        row("U10b", "413", Head, answers(413), Error(413, "invalid_request"), &["invalid_request"]).never(NO_OTHER),
        row("U10c", "415", Head, answers(415), Error(415, "invalid_request"), &["invalid_request"]).never(NO_OTHER),
        row("U10d", "404 of something else", Head, plays(|_| Reply::error(404, "invalid_request_error", None, "No such File object: file-1")),
            Error(404, "invalid_request"), &["invalid_request"]).never(NO_OTHER),
        row("U10e", "too long a request", Head, fails(Fault::TooLong), Error(400, "context_length_exceeded"), &["context_length"]).never(NO_OTHER),
        row("U10f", "a content policy", Head, codes(400, "content_policy_violation", "rejected by the safety system"), Error(400, "content_policy_violation"), &["policy"])
            .never(NO_OTHER),
        row("U10g", "a content policy as a 403", Head, codes(403, "content_policy_violation", "rejected by the safety system"), Error(400, "content_policy_violation"), &["policy"])
            .never(NO_OTHER),
        row("U11", "a refused key", Head, fails(Fault::Auth), KEY, &["auth"]).never(NO_OTHER),
        row("U11a", "403", Head, answers(403), KEY, &["auth"]).never(NO_OTHER),
        row("U11b", "a region", Head, codes(403, "unsupported_country_region_territory", "Country not supported"), KEY, &["auth"]).never(NO_OTHER),
        row("U11c", "a refusal that repeats the key", Head,
            plays(|_| Reply::error(401, "x", Some("invalid_api_key"), &format!("Incorrect API key provided: {SECRET}"))), KEY, &["auth"]).never(NO_OTHER),
        row("U24", "a mistake told with the key in it", Head,
            plays(|_| Reply::error(400, "invalid_request_error", Some("invalid_value"), &format!("Bad header Authorization: Bearer {SECRET}"))),
            Error(400, "invalid_value"), &["invalid_request"]).never(NO_OTHER),
        row("U24a", "an answer with the key in its headers", Head,
            plays(|asking| asking.wire.reply(asking.streamed, &hello()).header("x-goog-api-key", SECRET).header("set-cookie", "a=b").header("x-evil", SECRET)),
            Own("Hello canary-said-51c9aa02", Finish::Stop), &[]).never(&[Never::Header("set-cookie"), Never::Header("x-evil"), Never::Header("x-goog-api-key")]),
        row("U32", "an answer cut short by its length", Head,
            plays(|asking| asking.wire.reply(asking.streamed, &Script::text(&["Hel"]).ends(crate::support::wire::Finish::Length))),
            Own("Hel", Finish::Length), &[]).never(&[Never::Elsewhere]),
    ]
}
