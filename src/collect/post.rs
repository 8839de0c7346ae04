//! One batch to a collector, over the house's own client: by whom we trust there, and who we are. Both
//! lie in files, which are read for each batch, as they are replaced.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::Collector;
use super::judge::{Verdict, judge};
use crate::secret::Secret;
use crate::source::Auth;
use crate::upstream::{Channel, Clients, Errand, Trust, Unread, aside, read_file};

/// How long a collector may take over a batch.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most of an answer that is read: it says next to nothing.
const ANSWER: usize = 64 << 10;

/// What is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// JSON lines.
    Lines,
    /// Logs of OTLP.
    Logs,
    /// Spans of OTLP.
    Spans,
}

pub(super) struct Post {
    load: Load,
    channel: Channel,
    url: String,
    token: Option<PathBuf>,
    token_header: Option<HeaderName>,
    headers: HeaderMap,
    gzip: bool,
}

impl Post {
    /// # Errors
    /// What cannot work, for the operator.
    pub(super) fn new(
        load: Load,
        collector: &Collector,
        clients: &Clients,
    ) -> Result<Self, &'static str> {
        let (secure, mut url, query) = collector.url.web()?;
        url = load.address(url);
        if let Some(query) = query {
            url = format!("{url}?{query}");
        }
        let (token, identity) = match &collector.auth {
            Auth::None => (None, None),
            Auth::Token { file } => (Some(file.clone()), None),
            Auth::Certificate { chain, key } => (None, Some((chain.clone(), key.clone()))),
        };
        if identity.is_some() && !secure {
            return Err("shows a certificate, for which its URL must be one of TLS");
        }
        let trust = Trust {
            ca: collector.ca.clone(),
            identity,
        };
        let mut headers = collector.headers.clone();
        let kind = HeaderValue::from_static(match load {
            Load::Lines => "application/x-ndjson",
            Load::Logs | Load::Spans => "application/json",
        });
        headers.insert(CONTENT_TYPE, kind);
        if collector.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(Self {
            load,
            channel: Channel::new(trust, clients, secure),
            url,
            token,
            token_header: collector.token_header.clone(),
            headers,
            gzip: collector.gzip,
        })
    }

    /// Sends what `encode` makes. Cancelled, nobody knows whether it came.
    pub(super) async fn send(&self, encode: impl FnOnce() -> Vec<u8> + Send + 'static) -> Verdict {
        match self.try_send(encode).await {
            Ok(verdict) => verdict,
            Err(why) => Verdict::Again { why, after: None },
        }
    }

    async fn try_send(
        &self,
        encode: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> Result<Verdict, String> {
        let unsent = |why: Unread| format!("it cannot be asked: {why}");
        let client = self.channel.client().await.map_err(unsent)?;
        let (gzip, file) = (self.gzip, self.token.clone());
        let prepared = aside(move || {
            let body = encode();
            let body = if gzip { compressed(&body)? } else { body };
            let token = file.map(|file| token(&file)).transpose()?;
            Ok((Bytes::from(body), token))
        });
        let (body, token) = prepared.await.map_err(unsent)?;
        let mut errand = Errand::get(&self.url, ANSWER, PATIENCE);
        errand.method = Method::POST;
        errand.headers = self.headers.clone();
        errand.body = body;
        if let Some(token) = &token {
            errand = match &self.token_header {
                Some(name) => errand.secret(name.clone(), token),
                None => errand.bearer(token),
            };
        }
        // However much it says, its status tells what became of the batch.
        let reply = errand.beginning(&client).await;
        let reply = reply.map_err(|undone| format!("it {undone}"))?;
        let now = SystemTime::now();
        Ok(judge(
            self.load,
            reply.status,
            &reply.headers,
            &reply.body,
            now,
        ))
    }
}

impl Load {
    /// The whole of a collector's URL, which may be written with its path or without.
    fn address(self, url: String) -> String {
        let base = url.trim_end_matches('/');
        match self.path() {
            Some(path) if !base.ends_with(path) => format!("{base}{path}"),
            Some(_) | None => url,
        }
    }

    /// Where OTLP has it, behind the URL of the collector.
    fn path(self) -> Option<&'static str> {
        match self {
            Self::Lines => None,
            Self::Logs => Some("/v1/logs"),
            Self::Spans => Some("/v1/traces"),
        }
    }
}

fn token(file: &std::path::Path) -> Result<Secret, Unread> {
    let bytes = read_file("the token file", file)?;
    let token = Secret::try_new(&bytes);
    token.map_err(|error| Unread::new(format!("the token file {} {error}", file.display())))
}

fn compressed(body: &[u8]) -> Result<Vec<u8>, Unread> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.map_err(|error| Unread::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_protocol_is_there_once() {
        for (load, written, expected) in [
            (Load::Spans, "http://h:4318", "http://h:4318/v1/traces"),
            (Load::Spans, "http://h/otlp/", "http://h/otlp/v1/traces"),
            (Load::Spans, "http://h/v1/traces", "http://h/v1/traces"),
            (Load::Spans, "http://h/v1/traces/", "http://h/v1/traces/"),
            (
                Load::Logs,
                "http://h/v1/traces",
                "http://h/v1/traces/v1/logs",
            ),
            (Load::Lines, "http://h/records/", "http://h/records/"),
        ] {
            assert_eq!(load.address(written.to_owned()), expected);
        }
    }
}
