//! Where a provider is: a URL to which paths are appended.

use std::fmt;

use http::uri::{Authority, PathAndQuery, Scheme, Uri};

/// `scheme://authority` and a path prefix without a trailing slash; ends where `/v1` would.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    prefix: String,
}

impl BaseUrl {
    /// # Errors
    /// What is wrong with it, for the operator: not a URL, another scheme than http or https,
    /// user information, a query or a fragment.
    pub fn try_new(text: &str) -> Result<Self, String> {
        if text.contains('#') {
            return Err("has a fragment".into());
        }
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("is not a URL: {error}"))?;
        let parts = uri.into_parts();
        let scheme = match parts.scheme {
            Some(scheme) if scheme == Scheme::HTTP || scheme == Scheme::HTTPS => scheme,
            Some(other) => return Err(format!("has the scheme `{other}`; use http or https")),
            None => return Err("lacks http:// or https://".into()),
        };
        let authority = parts.authority.ok_or("lacks a host")?;
        if authority.as_str().contains('@') {
            return Err("holds credentials, which are not for a URL here".into());
        }
        let path = parts
            .path_and_query
            .unwrap_or_else(|| PathAndQuery::from_static("/"));
        if path.query().is_some() {
            return Err("has a query".into());
        }
        Ok(Self {
            scheme,
            authority,
            prefix: path.path().trim_end_matches('/').to_owned(),
        })
    }

    pub fn host(&self) -> &str {
        self.authority.host()
    }

    /// As it is written, else that of the scheme.
    pub fn port(&self) -> u16 {
        let usual = if self.is_https() { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(usual)
    }

    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The path prefix, without a trailing slash.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// `path_and_query` (which starts with `/`) under this URL.
    ///
    /// # Errors
    /// When it is no valid path, which only a caller's pass-through path can be.
    pub fn join(&self, path_and_query: &str) -> Result<Uri, http::Error> {
        let path = format!("{}{path_and_query}", self.prefix);
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_ends_where_v1_would() {
        for (base, path, joined) in [
            (
                "http://h:8000/v1",
                "/chat/completions",
                "http://h:8000/v1/chat/completions",
            ),
            (
                "http://h:8000/v1/",
                "/models?limit=2",
                "http://h:8000/v1/models?limit=2",
            ),
            ("https://x.example", "/files", "https://x.example/files"),
        ] {
            assert_eq!(BaseUrl::try_new(base).unwrap().join(path).unwrap(), joined);
        }
    }

    #[test]
    fn a_port_that_is_not_written_is_that_of_the_scheme() {
        for (base, port) in [
            ("http://h/v1", 80),
            ("https://h", 443),
            ("https://[::1]:8443/v1", 8443),
        ] {
            assert_eq!(BaseUrl::try_new(base).unwrap().port(), port);
        }
    }

    #[test]
    fn a_base_url_that_cannot_be_one_says_why() {
        for (base, why) in [
            ("ftp://h/v1", "scheme"),
            ("h:80", "http"),
            ("https://user:pw@h/v1", "credentials"),
            ("https://h/v1?x=1", "query"),
            ("https://h/v1#x", "fragment"),
        ] {
            let error = BaseUrl::try_new(base).unwrap_err();
            assert!(error.contains(why), "{base}: {error}");
        }
    }
}
