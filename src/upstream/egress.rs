//! The way out: directly, or through the proxy that the environment names.
//!
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or not, as curl has them:
//! <https://curl.se/docs/manpage.html#ENVIRONMENT> (read 2026-11). Loopback is never asked for
//! through a proxy, and neither are the metadata services of a machine or a container.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{HeaderMap, PROXY_AUTHORIZATION};
use http::uri::{Scheme, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::line::Hold;
use crate::body::BoxError;

/// Which requests go through which proxy. Clones are one.
#[derive(Clone, Default)]
pub struct Egress(Option<Arc<Matcher>>);

impl Egress {
    /// As an environment says that was read already.
    pub fn of(environment: &[(String, String)]) -> Self {
        let value = |name: &str| {
            let lower = name.to_ascii_lowercase();
            let mut names = [name, &lower].into_iter();
            let found = names.find_map(|name| {
                environment
                    .iter()
                    .find(|(known, value)| known == name && !value.trim().is_empty())
            });
            found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        let [all, http, https] = ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"].map(|name| {
            let url = value(name);
            if !url.is_empty() && !is_proxy(&url) {
                // Its text is not repeated: it may hold a password.
                tracing::warn!("{name} is no URL such as http://proxy:3128");
            }
            url
        });
        if all.is_empty() && http.is_empty() && https.is_empty() {
            return Self::default();
        }
        let matcher = Matcher::builder()
            .all(all)
            .http(http)
            .https(https)
            .no(value("NO_PROXY"));
        Self(Some(Arc::new(matcher.build())))
    }

    /// The proxy for `uri`, if there is one.
    fn proxy(&self, uri: &Uri) -> Option<Intercept> {
        let matcher = self.0.as_ref()?;
        if is_loopback(uri.host()?) {
            return None;
        }
        matcher.intercept(uri)
    }

    /// How to get a connection to `uri`.
    ///
    /// # Errors
    /// The proxy is not one that is spoken to in plain HTTP.
    pub(super) fn way(&self, uri: &Uri, tcp: &HttpConnector) -> Result<Way, BoxError> {
        let Some(proxy) = self.proxy(uri) else {
            return Ok(Way::Direct);
        };
        if proxy.uri().scheme() != Some(&Scheme::HTTP) {
            return Err("the proxy's URL does not begin with http://".into());
        }
        if uri.scheme() == Some(&Scheme::HTTP) {
            return Ok(Way::Forward(proxy.uri().clone()));
        }
        let tunnel = Tunnel::new(proxy.uri().clone(), tcp.clone());
        Ok(Way::Tunnel(match proxy.basic_auth() {
            Some(auth) => tunnel.with_auth(auth.clone()),
            None => tunnel,
        }))
    }

    /// Says to the proxy who we are, where it is the proxy that reads the request's head: inside of
    /// a tunnel only the provider does.
    pub(super) fn introduce(&self, uri: &Uri, headers: &mut HeaderMap) {
        if uri.scheme() == Some(&Scheme::HTTP)
            && let Some(proxy) = self.proxy(uri)
            && let Some(auth) = proxy.basic_auth()
        {
            headers.insert(PROXY_AUTHORIZATION, auth.clone());
        }
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The matcher leaves out what is secret in its URLs.
        f.debug_tuple("Egress").field(&self.0).finish()
    }
}

/// How a connection is made.
pub(super) enum Way {
    Direct,
    /// To the proxy at this URL, which reads whole requests.
    Forward(Uri),
    /// Through a proxy that only sees bytes.
    Tunnel(Tunnel<HttpConnector>),
}

/// Whether a proxy's URL is one that we can use: plain HTTP, which is also meant when no scheme is
/// written.
fn is_proxy(url: &str) -> bool {
    let url: Option<Uri> = url.parse().ok();
    url.is_some_and(|url| {
        let plain = url.scheme().is_none_or(|scheme| *scheme == Scheme::HTTP);
        plain && url.authority().is_some()
    })
}

/// Whether a URL's host is this machine, by its name or by its address.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A connection, and whether it ends at a proxy that must be told the whole URL.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) inner: MaybeHttpsStream<TokioIo<TcpStream>>,
    pub(super) forwarded: bool,
    /// Where it may be cut.
    pub(super) hold: Option<Hold>,
}

impl Stream {
    pub(super) fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        let hold = self.hold.as_mut();
        hold.is_some_and(|hold| hold.poll_cut(cx).is_ready())
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.inner.connected().proxy(self.forwarded)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way to `uri` in words.
    fn way(environment: &[(&str, &str)], uri: &str) -> String {
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let egress = Egress::of(&environment);
        let uri: Uri = uri.parse().unwrap();
        let mut headers = HeaderMap::new();
        egress.introduce(&uri, &mut headers);
        let auth = headers.get(PROXY_AUTHORIZATION);
        let auth = auth.map_or_else(String::new, |auth| format!(" {}", auth.to_str().unwrap()));
        match egress.way(&uri, &HttpConnector::new()) {
            Ok(Way::Direct) => format!("direct{auth}"),
            Ok(Way::Forward(proxy)) => format!("{proxy}{auth}"),
            Ok(Way::Tunnel(_)) => format!("tunnel{auth}"),
            Err(error) => format!("refused: {error}"),
        }
    }

    #[test]
    fn each_request_has_its_way() {
        let https = ("HTTPS_PROXY", "http://proxy:3128");
        for (environment, uri, expected) in [
            (&[][..], "https://api.example/v1", "direct"),
            (&[("HTTPS_PROXY", " ")], "https://api.example/v1", "direct"),
            (&[https], "https://api.example/v1", "tunnel"),
            (&[https], "http://api.example/v1", "direct"),
            (&[https], "https://127.0.0.1:8443/v1", "direct"),
            (&[https], "https://[::1]:8443/v1", "direct"),
            (&[https], "https://LOCALHOST/v1", "direct"),
            (
                &[("https_proxy", "proxy:3128")],
                "https://api.example/v1",
                "tunnel",
            ),
            (
                &[("HTTP_PROXY", "http://proxy:3128")],
                "http://llm.internal/v1",
                "http://proxy:3128/",
            ),
            (
                &[("http_proxy", "http://me:p%40ss@proxy:3128")],
                "http://llm.internal/v1",
                "http://proxy:3128/ Basic bWU6cEBzcw==",
            ),
            (
                &[("HTTPS_PROXY", "http://me:p@proxy:3128")],
                "https://api.example/v1",
                "tunnel",
            ),
            (
                &[("ALL_PROXY", "http://proxy:1")],
                "http://llm.internal/v1",
                "http://proxy:1/",
            ),
            (
                &[("ALL_PROXY", "http://proxy:1")],
                "https://api.example/v1",
                "tunnel",
            ),
            (
                &[https, ("NO_PROXY", "other, .example")],
                "https://api.example/v1",
                "direct",
            ),
            (
                &[https, ("no_proxy", "10.0.0.0/8")],
                "https://10.1.2.3/v1",
                "direct",
            ),
            (&[https, ("no_proxy", "*")], "https://api.example", "direct"),
            (
                &[("HTTPS_PROXY", "socks5://proxy:1080")],
                "https://api.example/v1",
                "refused: the proxy's URL does not begin with http://",
            ),
        ] {
            assert_eq!(way(environment, uri), expected, "{environment:?} {uri}");
        }
    }

    #[test]
    fn a_proxy_is_spoken_to_in_plain_http() {
        for (url, fits) in [
            ("http://proxy:3128", true),
            ("http://me:p@proxy:3128/", true),
            ("proxy:3128", true),
            ("https://proxy:3128", false),
            ("socks5://proxy:1080", false),
            ("/proxy", false),
            ("http://a b", false),
        ] {
            assert_eq!(is_proxy(url), fits, "{url}");
        }
    }

    #[test]
    fn a_proxys_password_is_not_in_debug() {
        let environment = [("HTTPS_PROXY".into(), "http://me:canary@proxy:1".into())];
        let said = format!("{:?}", Egress::of(&environment));
        assert!(
            said.contains("proxy:1") && !said.contains("canary"),
            "{said}"
        );
    }
}
