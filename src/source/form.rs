//! The forms that the URL of a central document may have, and what each names.
//!
//! | form | names |
//! |---|---|
//! | `file:/path` | a file |
//! | `https://host/path?query`, `http://…` | what a GET gives |
//! | `etcd://[user:password@]host:2379/key`, `etcd+https://…` | a key of etcd |
//! | `consul://host:8500/key`, `consul+https://…` | a key of Consul |
//! | `redis://[user:password@]host:6379/database/key`, `rediss://…` | a string of Redis |
//! | `s3://bucket/key?region=…` | an object |
//!
//! A key is all that follows the slash behind the host, slashes and all; one that begins with a slash
//! has two there. `%` and two hexadecimal digits are one byte. Pure.

use std::path::{Path, PathBuf};

use http::Uri;
use http::uri::Authority;
use zeroize::Zeroizing;

use crate::config::SharedState;
use crate::redis;
use crate::upstream;

/// What a URL names.
pub(super) enum Location {
    File(PathBuf),
    Http {
        secure: bool,
        /// Without its query.
        url: String,
        query: Option<String>,
    },
    Etcd(Keyed),
    Consul(Keyed),
    Redis {
        place: redis::Place,
        key: String,
    },
    S3 {
        bucket: String,
        key: String,
        region: Option<String>,
    },
}

/// A key of a store that is asked by HTTP.
pub(super) struct Keyed {
    pub(super) secure: bool,
    /// `http://host:port`.
    pub(super) base: String,
    pub(super) key: String,
    pub(super) user: Option<User>,
}

#[derive(Clone)]
pub(super) struct User {
    pub(super) name: Zeroizing<String>,
    pub(super) password: Zeroizing<String>,
}

const FORMS: &str = "does not begin with `file:/`, `http://`, `https://`, `etcd://`, `etcd+https://`, `consul://`, `consul+https://`, `redis://`, `rediss://` or `s3://`";
const NOT_A_URL: &str = "is not a URL";
const NO_HOST: &str = "lacks a host";
const NO_KEY: &str = "names no key behind its host";
const A_USER: &str = "has a user before its host; who we are is said by `auth`";
const A_QUERY: &str =
    "has a query or a fragment; in a key or a password, `?` is `%3F` and `#` is `%23`";

/// # Errors
/// What is wrong with it, for the operator, without any of its text.
pub(super) fn locate(text: &str) -> Result<Location, &'static str> {
    if let Some(path) = text.strip_prefix("file:") {
        return file(path);
    }
    let (scheme, rest) = text.split_once("://").ok_or(FORMS)?;
    if text.contains('#') {
        return Err("has a fragment, which names nothing here");
    }
    match scheme {
        "http" | "https" => http(text),
        "etcd" => Ok(Location::Etcd(keyed(false, rest, 2379)?)),
        "etcd+https" => Ok(Location::Etcd(keyed(true, rest, 2379)?)),
        "consul" => Ok(Location::Consul(alone(keyed(false, rest, 8500)?)?)),
        "consul+https" => Ok(Location::Consul(alone(keyed(true, rest, 8501)?)?)),
        "redis" | "rediss" => redis(text, rest),
        "s3" => s3(rest),
        _ => Err(FORMS),
    }
}

fn file(path: &str) -> Result<Location, &'static str> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if !Path::new(path).is_absolute() {
        return Err("names no file by its whole path, as `file:/etc/pillion/central.yaml` does");
    }
    if path.ends_with('/') {
        return Err("names a folder");
    }
    Ok(Location::File(path.into()))
}

fn http(text: &str) -> Result<Location, &'static str> {
    let uri: Uri = text.parse().map_err(|_| NOT_A_URL)?;
    let authority = uri.authority().ok_or(NO_HOST)?;
    if authority.as_str().contains('@') {
        return Err(A_USER);
    }
    port(authority, 443)?;
    let (url, query) = match text.split_once('?') {
        Some((url, query)) => (url, Some(query.to_owned())),
        None => (text, None),
    };
    Ok(Location::Http {
        secure: uri.scheme_str() == Some("https"),
        url: url.to_owned(),
        query,
    })
}

fn keyed(secure: bool, rest: &str, port: u16) -> Result<Keyed, &'static str> {
    if rest.contains('?') {
        return Err(A_QUERY);
    }
    let (authority, key) = rest.split_once('/').ok_or(NO_KEY)?;
    if key.contains('@') {
        return Err(
            "has a `/` before an `@`; in a password it is `%2F`, and in a key `@` is `%40`",
        );
    }
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let user = match user {
        Some(user) => {
            let (name, password) = user
                .split_once(':')
                .ok_or("has a user without a password")?;
            Some(User {
                name: text_of(name)?.into(),
                password: text_of(password)?.into(),
            })
        }
        None => None,
    };
    let scheme = if secure { "https" } else { "http" };
    let uri: Uri = format!("{scheme}://{host}/")
        .parse()
        .map_err(|_| NOT_A_URL)?;
    let authority = uri.authority().ok_or(NO_HOST)?;
    let port = self::port(authority, port)?;
    let key = text_of(key)?;
    if key.is_empty() {
        return Err(NO_KEY);
    }
    Ok(Keyed {
        secure,
        base: format!("{scheme}://{}:{port}", authority.host()),
        key,
        user,
    })
}

/// The port behind a host, or the usual one.
fn port(authority: &Authority, usual: u16) -> Result<u16, &'static str> {
    let host = authority.host();
    if host.is_empty() {
        return Err(NO_HOST);
    }
    let behind = authority.as_str().strip_prefix(host).unwrap_or_default();
    match behind.strip_prefix(':').map(str::parse) {
        None => Ok(usual),
        Some(Ok(port)) if port > 0 => Ok(port),
        Some(_) => Err("has no port from 1 to 65535 behind its host"),
    }
}

/// Where nobody is known by a name and a password.
fn alone(keyed: Keyed) -> Result<Keyed, &'static str> {
    match keyed.user {
        Some(_) => Err(A_USER),
        None => Ok(keyed),
    }
}

fn redis(text: &str, rest: &str) -> Result<Location, &'static str> {
    const NO_KEY: &str =
        "names no key behind its database, as `redis://host:6379/0/pillion/central.yaml` does";
    if rest.contains('?') {
        return Err(A_QUERY);
    }
    let (authority, path) = rest.split_once('/').ok_or(NO_KEY)?;
    let (database, key) = path.split_once('/').ok_or(NO_KEY)?;
    if key.contains('@') {
        return Err(
            "has a `/` before an `@`; in a password it is `%2F`, and in a key `@` is `%40`",
        );
    }
    let base = &text[..text.len() - rest.len() + authority.len() + 1 + database.len()];
    SharedState::try_new(base)?;
    let key = text_of(key)?;
    if key.is_empty() {
        return Err(NO_KEY);
    }
    let place = redis::Place::of(base).ok_or(NOT_A_URL)?;
    Ok(Location::Redis { place, key })
}

fn s3(rest: &str) -> Result<Location, &'static str> {
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let (bucket, key) = path
        .split_once('/')
        .ok_or("names no key behind its bucket")?;
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html> (read 2026-11)
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_name) {
        return Err("names no bucket: 3 to 63 of `a-z`, `0-9`, `-` and `.`");
    }
    let region = match query {
        None => None,
        Some(query) => match query.strip_prefix("region=") {
            Some(region) if is_region(region) => Some(region.to_owned()),
            Some(_) | None => return Err("has a query other than `region=NAME`"),
        },
    };
    let key = text_of(key)?;
    if key.is_empty() {
        return Err("names no key behind its bucket");
    }
    Ok(Location::S3 {
        bucket: bucket.to_owned(),
        key,
        region,
    })
}

pub(super) fn is_region(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= 40 && text.bytes().all(is_part)
}

/// With each `%` and its two digits as the byte that they stand for.
fn text_of(escaped: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut parts = escaped.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or("has a `%` that no two hexadecimal digits follow; it is `%25`")?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    if escaped.contains(' ') || bytes.iter().any(u8::is_ascii_control) {
        return Err("holds a space, which is `%20`, or a control character");
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8")
}

/// `text` as a part of a URL's path: slashes stay, as do the characters that never mean anything.
pub(super) fn escaped(text: &str) -> String {
    upstream::escaped(text, b"-._~/")
}

#[cfg(test)]
mod tests {
    use super::super::SourceUrl;
    use super::*;

    /// What a URL names, in words.
    fn told(text: &str) -> Result<String, &'static str> {
        let url = SourceUrl::try_new(text)?;
        Ok(match url.location()? {
            Location::File(path) => format!("file {}", path.display()),
            Location::Http { secure, url, query } => format!("http {secure} {url} {query:?}"),
            Location::Etcd(it) | Location::Consul(it) => {
                let user = it.user.map(|it| format!("{}|{}", *it.name, *it.password));
                format!("{} {} {user:?}", it.base, it.key)
            }
            Location::Redis { key, .. } => format!("redis {key}"),
            Location::S3 {
                bucket,
                key,
                region,
            } => format!("s3 {bucket} {key} {region:?}"),
        })
    }

    #[test]
    fn each_form_names_its_place() {
        for (text, expected) in [
            ("file:/etc/p.yaml", "file /etc/p.yaml"),
            ("file:///etc/p.yaml", "file /etc/p.yaml"),
            ("https://h/p.yaml", "http true https://h/p.yaml None"),
            (
                "http://h:8080/p?a=b",
                "http false http://h:8080/p Some(\"a=b\")",
            ),
            ("https://h/a@b", "http true https://h/a@b None"),
            ("etcd://h/p", "http://h:2379 p None"),
            ("etcd://h:1//a/b%20", "http://h:1 /a/b  None"),
            ("etcd://h:1//a/b", "http://h:1 /a/b None"),
            ("etcd+https://h/a/b.toml", "https://h:2379 a/b.toml None"),
            (
                "etcd://u:p%40%2f@[::1]:7/k%3f",
                "http://[::1]:7 k? Some(\"u|p@/\")",
            ),
            ("consul://h/a/b", "http://h:8500 a/b None"),
            ("consul+https://h/a", "https://h:8501 a None"),
            ("redis://h/0/a/b.yaml", "redis a/b.yaml"),
            ("rediss://u:p@h:1/2/k", "redis k"),
            ("s3://bucket/a/b.json", "s3 bucket a/b.json None"),
            ("s3://my.bucket/k%20", "s3 my.bucket k  None"),
            (
                "s3://my.bucket/k?region=eu-central-1",
                "s3 my.bucket k Some(\"eu-central-1\")",
            ),
        ] {
            assert_eq!(
                told(text).unwrap_or_else(|_| "refused".into()),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_work_is_refused_without_its_text() {
        for (text, why) in [
            ("", "does not begin"),
            ("/etc/canary.yaml", "does not begin"),
            ("ftp://canary/4711", "does not begin"),
            ("file:canary.yaml", "whole path"),
            ("file://canary/4711", "whole path"),
            ("file:/canary/", "a folder"),
            ("https://", "not a URL"),
            ("https://canary 4711/", "not a URL"),
            ("https://user:canary@h/p", "a user"),
            ("https://h:70000/canary", "no port"),
            ("https://h/canary#4711", "a fragment"),
            ("etcd://canary", "no key"),
            ("etcd://canary/", "no key"),
            ("etcd://:0/canary", "lacks a host"),
            ("etcd://h:0/canary", "no port"),
            ("etcd://h:/canary", "no port"),
            ("etcd://canary@h/k", "without a password"),
            ("etcd://u:canary/4711@h/k", "before an `@`"),
            ("etcd://u:canary?4711@h/k", "a query"),
            ("etcd://u:canary%4g@h/k", "hexadecimal"),
            ("etcd://h/canary 4711", "a space"),
            ("etcd://h/canary%0a4711", "a control character"),
            ("consul://u:canary@h/k", "a user"),
            ("redis://h/canary", "names no key"),
            ("redis://h/0/", "names no key"),
            ("redis://h/canary/4711", "no number of a database"),
            ("redis://:canary/0/4711@h/0/k", "before an `@`"),
            ("redis://:canary@4711@h/0/k", "more than one `@`"),
            ("s3://canary", "no key"),
            ("s3://CANARY/k", "no bucket"),
            ("s3://bucket/k?canary=1", "other than `region=NAME`"),
            ("s3://bucket/k?region=Canary", "other than `region=NAME`"),
        ] {
            let said = SourceUrl::try_new(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
            assert!(!said.contains("canary") && !said.contains("4711"), "{said}");
        }
    }

    #[test]
    fn a_key_is_escaped_for_a_path() {
        assert_eq!(escaped("a b/ü?&~.yaml"), "a%20b/%C3%BC%3F%26~.yaml");
    }
}
