//! Where Redis is, and who we are there.

use std::fmt;

use http::Uri;
use zeroize::Zeroizing;

use crate::secret::Secret;

const PORT: u16 = 6379;

/// What a URL of Redis says. Its password cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    pub(crate) user: Option<Zeroizing<String>>,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) database: u16,
}

impl Place {
    /// `None` for what is no URL of a Redis.
    pub fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        let user = authority.as_str().split_once('@').map(|(user, _)| user);
        let (user, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            Some((user, password)) => (unescaped(user), unescaped(password)),
            None => (None, None),
        };
        Some(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(PORT),
            tls: uri.scheme_str() == Some("rediss"),
            user,
            password,
            database: match uri.path().trim_matches('/') {
                "" => 0,
                number => number.parse().ok()?,
            },
        })
    }

    /// The same, with a password that lies elsewhere.
    #[must_use]
    pub(crate) fn with_password(mut self, password: &Secret) -> Self {
        self.password = Some(password.expose().to_owned().into());
        self
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.tls
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place(…)")
    }
}

/// With each `%` and its two digits as the byte that they stand for; `None` for nothing.
fn unescaped(text: &str) -> Option<Zeroizing<String>> {
    if text.is_empty() {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.first_chunk::<2>().filter(|_| *first == b'%');
        let escaped = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes.to_vec()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who() {
        for (url, host, port, tls, user, password, database) in [
            ("redis://h", "h", 6379, false, None, None, 0),
            ("redis://[::1]:7/", "::1", 7, false, None, None, 0),
            ("rediss://:p@h:1/15", "h", 1, true, None, Some("p"), 15),
            (
                "redis://u:a%2Fb%c3%A9:@h",
                "h",
                6379,
                false,
                Some("u"),
                Some("a/bé:"),
                0,
            ),
            ("redis://u@h/2", "h", 6379, false, Some("u"), None, 2),
        ] {
            let place = Place::of(url).unwrap();
            let text = |text: Option<&str>| text.map(|text| Zeroizing::new(text.to_owned()));
            let expected = Place {
                host: host.into(),
                port,
                tls,
                user: text(user),
                password: text(password),
                database,
            };
            assert!(place == expected, "{url}");
            assert_eq!(format!("{place:?}"), "Place(…)");
        }
    }
}
