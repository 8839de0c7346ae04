//! Where a central document is: a web server that has it, signs it, and goes away.

use std::sync::{Arc, Mutex};

use super::reply::End;
use super::upstream::Seen;
use super::{Reply, Upstream};

/// It says what it is told to.
pub(crate) struct Centre {
    server: Upstream,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    text: Option<String>,
    signature: Option<String>,
    version: u64,
    away: Option<Away>,
    /// What sidecars have reported, as they wrote it.
    reports: Vec<String>,
}

/// How it is not there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Away {
    /// Connections break off.
    Broken,
    /// Nothing is answered.
    Silent,
}

impl Centre {
    /// Without a document.
    pub(crate) async fn empty() -> Self {
        let held = Arc::new(Mutex::new(Held::default()));
        let holds = Arc::clone(&held);
        let server = Upstream::choosing(move |seen| holds.lock().unwrap().answer(seen)).await;
        Self { server, held }
    }

    pub(crate) async fn with(text: impl Into<String>) -> Self {
        let centre = Self::empty().await;
        centre.says(text);
        centre
    }

    /// Another document, without a signature.
    pub(crate) fn says(&self, text: impl Into<String>) {
        self.has(text, None);
    }

    pub(crate) fn has(&self, text: impl Into<String>, signature: Option<String>) {
        let mut held = self.held.lock().unwrap();
        held.text = Some(text.into());
        held.signature = signature;
        held.version += 1;
    }

    pub(crate) fn goes(&self, away: Away) {
        self.held.lock().unwrap().away = Some(away);
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/pillion.yaml", self.server.root_url())
    }

    pub(crate) fn reports_url(&self) -> String {
        format!("{}/reports", self.server.root_url())
    }

    /// What sidecars have reported, as they wrote it.
    pub(crate) fn reports(&self) -> Vec<String> {
        self.held.lock().unwrap().reports.clone()
    }

    /// How often it was asked.
    pub(crate) fn hits(&self) -> usize {
        self.server.hits()
    }
}

impl Held {
    fn answer(&mut self, seen: &Seen) -> Reply {
        match self.away {
            Some(Away::Broken) => return Reply::nothing(End::Rst),
            Some(Away::Silent) => return Reply::silence(),
            None => {}
        }
        if seen.head.starts_with("POST /reports ") {
            self.reports.push(seen.text().to_owned());
            return Reply::status(200);
        }
        if seen.head.starts_with("GET /reports ") {
            let reports: Vec<&str> = self.reports.iter().map(String::as_str).collect();
            return Reply::json(format!("[{}]", reports.join(",")));
        }
        if seen.head.contains(".sig ") {
            return match &self.signature {
                Some(signature) => Reply::json(signature.clone()),
                None => Reply::status(404),
            };
        }
        let Some(text) = &self.text else {
            return Reply::status(404);
        };
        let tag = format!("\"{}\"", self.version);
        if seen.header("if-none-match") == Some(&tag) {
            return Reply::status(304).header("etag", tag);
        }
        Reply::json(text.clone())
            .header("content-type", "application/yaml")
            .header("etag", tag)
    }
}
