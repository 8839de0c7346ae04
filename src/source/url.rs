//! The URL of a central document, as it is kept and told.

use std::fmt;

use zeroize::Zeroizing;

use super::form::{Location, locate};

/// Where a document is. It may hold a password, which cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceUrl(Zeroizing<String>);

impl SourceUrl {
    /// # Errors
    /// What is wrong with it, for the operator, without any of its text.
    pub fn try_new(text: &str) -> Result<Self, &'static str> {
        locate(text)?;
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The URL itself, for the client that connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Scheme and host with its port, where it has one.
    pub(super) fn origin(&self) -> Option<(&str, &str)> {
        let (scheme, rest) = self.0.split_once("://")?;
        Some((scheme, rest.split(['/', '?']).next()?))
    }

    /// All of it but a user and a password.
    pub(crate) fn without_user(&self) -> String {
        let text = self.0.as_str();
        let (text, query) = text.split_once('?').unwrap_or((text, ""));
        match (text.split_once("://"), text.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) if !text.starts_with("http") => {
                format!("{scheme}://{place}?{query}")
            }
            _ => format!("{text}?{query}"),
        }
    }

    /// Whether it is asked by TLS, what is asked for, and its query, where it is one of HTTP.
    ///
    /// # Errors
    /// It is another one, for the operator.
    pub(crate) fn web(&self) -> Result<(bool, String, Option<String>), &'static str> {
        match self.location()? {
            Location::Http { secure, url, query } => Ok((secure, url, query)),
            Location::File(_)
            | Location::Etcd(_)
            | Location::Consul(_)
            | Location::Redis { .. }
            | Location::S3 { .. } => Err("is none of `https` or `http`"),
        }
    }

    pub(super) fn location(&self) -> Result<Location, &'static str> {
        locate(self.expose())
    }
}

/// Without what stands before its `@`, and without its query, which may be a signature.
impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, query) = match self.0.split_once('?') {
            Some((text, _)) => (text, "?…"),
            None => (self.0.as_str(), ""),
        };
        match (text.split_once("://"), text.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) if !text.starts_with("http") => {
                write!(f, "{scheme}://{place}{query}")
            }
            _ => write!(f, "{text}{query}"),
        }
    }
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_printed() {
        for (text, shown) in [
            ("redis://u:canary@h/0/k", "redis://h/0/k"),
            ("etcd://u:canary@h:1/k", "etcd://h:1/k"),
            ("https://h/p?X-Amz-Signature=canary", "https://h/p?…"),
            ("https://h/a@b.yaml", "https://h/a@b.yaml"),
            ("s3://bucket/k?region=eu-central-1", "s3://bucket/k?…"),
            ("file:/etc/p.yaml", "file:/etc/p.yaml"),
        ] {
            let url = SourceUrl::try_new(text).unwrap();
            assert_eq!(format!("{url} {url:?}"), format!("{shown} {shown}"));
        }
    }
}
