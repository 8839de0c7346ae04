//! `redis://…` and `rediss://…`: where a fleet shares what it knows. It may hold a password.

use std::fmt;

use http::Uri;
use zeroize::Zeroizing;

/// A URL of Redis, with TLS for `rediss`: its host, and perhaps user, password, port and database.
/// It cannot be printed, and is zeroed when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedState(Zeroizing<String>);

impl SharedState {
    /// # Errors
    /// What is wrong with it, for the operator, without any of its text.
    pub fn try_new(text: &str) -> Result<Self, &'static str> {
        const SCHEME: &str = "does not begin with `redis://` or `rediss://`";
        if !(text.starts_with("redis://") || text.starts_with("rediss://")) {
            return Err(SCHEME);
        }
        if text.contains(['?', '#']) {
            return Err("has a query or a fragment; in a password, `?` is `%3F` and `#` is `%23`");
        }
        let uri: Uri = text.parse().map_err(
            |_| "is not a URL; in a password, whatever is no letter or digit is written `%` and two hexadecimal digits",
        )?;
        if uri.path().contains('@') {
            return Err("has a `/` before its `@`; in a password, it is `%2F`");
        }
        let authority = uri.authority().ok_or("lacks a host")?;
        let (user, place) = match authority.as_str().split_once('@') {
            Some((user, place)) => (user, place),
            None => ("", authority.as_str()),
        };
        if place.contains('@') {
            return Err("has more than one `@`; in a password, it is `%40`");
        }
        if !is_escaped(user) {
            return Err(
                "has a `%` that no two hexadecimal digits follow; in a password, it is `%25`",
            );
        }
        match place.strip_prefix(authority.host()) {
            _ if authority.host().is_empty() => return Err("lacks a host"),
            Some("") => {}
            Some(port) if is_port(port) => {}
            Some(_) | None => return Err("has no port from 1 to 65535 behind its host"),
        }
        let database = uri.path().trim_start_matches('/');
        if !database.is_empty() && database.parse::<u16>().is_err() {
            return Err("has a path that is no number of a database");
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The URL itself, for the client that connects.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedState(…)")
    }
}

fn is_port(text: &str) -> bool {
    let port = text
        .strip_prefix(':')
        .and_then(|port| port.parse::<u16>().ok());
    port.is_some_and(|port| port > 0)
}

/// Whether two hexadecimal digits follow each `%`.
fn is_escaped(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_url_of_redis() {
        for text in [
            "redis://redis.internal",
            "redis://redis.internal:6379",
            "rediss://redis.internal:6380/",
            "redis://127.0.0.1:6379/15",
            "redis://[::1]:6379/0",
            "redis://:canary-4711@h",
            "rediss://user:ca%2Fn%40ary@h:6379/2",
        ] {
            assert_eq!(SharedState::try_new(text).unwrap().expose(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_its_text() {
        for (text, why) in [
            ("", "does not begin"),
            ("canary-4711", "does not begin"),
            ("http://canary-4711@h", "does not begin"),
            ("REDIS://canary-4711@h", "does not begin"),
            ("redis://", "is not a URL"),
            ("redis://:canary-4711@", "is not a URL"),
            ("redis://:canary 4711@h", "is not a URL"),
            ("redis://:canary?4711@h", "a query or a fragment"),
            ("redis://:canary#4711@h", "a query or a fragment"),
            ("redis://:canary/4711@h", "has a `/`"),
            ("redis://h/canary", "no number of a database"),
            ("redis://h/70000", "no number of a database"),
            ("redis://:canary@4711@h", "more than one `@`"),
            ("redis://:canary%4g@h", "no two hexadecimal digits"),
            ("redis://:canary%4@h", "no two hexadecimal digits"),
            ("redis://canary:70000", "no port"),
            ("redis://canary:0", "no port"),
            ("redis://canary:", "no port"),
        ] {
            let said = SharedState::try_new(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
            assert!(!said.contains("canary") && !said.contains("4711"), "{said}");
        }
    }

    #[test]
    fn it_cannot_be_printed() {
        let url = SharedState::try_new("redis://canary:4711@canary").unwrap();
        assert_eq!(
            format!("{url:?} {:#?}", Some(&url)),
            "SharedState(…) Some(\n    SharedState(…),\n)"
        );
    }
}
