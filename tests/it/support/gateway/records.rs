//! The records that a gateway has written, and how a test waits for them.

use std::fs;

use serde_json::Value;
use tokio::time::sleep;

use super::{Gateway, LOOK};
use crate::support::soon;

/// One audit record.
#[derive(Debug, Clone)]
pub(crate) struct Record(pub(crate) Value);

impl Record {
    /// The class of each attempt.
    pub(crate) fn classes(&self) -> Vec<&str> {
        self.each("class")
    }

    /// The target of each attempt.
    pub(crate) fn targets(&self) -> Vec<&str> {
        self.each("target")
    }

    /// The reason of each attempt; empty where there is none.
    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.each("reason")
    }

    pub(crate) fn outcome(&self) -> &str {
        self.text("outcome")
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.0[field].as_u64()
    }

    fn each(&self, field: &str) -> Vec<&str> {
        let attempts = self.0["attempts"].as_array().unwrap();
        let each = attempts.iter().map(|attempt| attempt[field].as_str());
        each.map(Option::unwrap_or_default).collect()
    }
}

impl Gateway {
    /// Waits for the record of this request.
    pub(crate) async fn audit(&self, id: &str) -> Record {
        let mark = format!("\"id\":\"{id}\"");
        soon("the record is written", async {
            loop {
                // Only its own line is read as JSON: the file may have hundreds.
                let text = self.audit_text();
                if let Some(line) = text.lines().rfind(|line| line.contains(&mark)) {
                    return Record(serde_json::from_str(line).unwrap());
                }
                sleep(LOOK).await;
            }
        })
        .await
    }

    /// Waits until there are at least `count` records that suit.
    pub(crate) async fn records(
        &self,
        suits: impl Fn(&Record) -> bool,
        count: usize,
    ) -> Vec<Record> {
        soon("the records are written", async {
            loop {
                let mut found = self.all_records();
                found.retain(&suits);
                if found.len() >= count {
                    return found;
                }
                sleep(LOOK).await;
            }
        })
        .await
    }

    /// The records that are written by now.
    pub(crate) fn all_records(&self) -> Vec<Record> {
        let text = self.audit_text();
        let lines = text.lines();
        lines
            .map(|line| Record(serde_json::from_str(line).unwrap()))
            .collect()
    }

    /// The lines of the records behind the first `count`, as they are.
    pub(crate) fn record_lines(&self, count: usize) -> Vec<String> {
        let text = self.audit_text();
        text.lines().skip(count).map(str::to_owned).collect()
    }

    /// The lines that are whole.
    fn audit_text(&self) -> String {
        let mut text = fs::read_to_string(self.folder.file("audit.jsonl")).unwrap_or_default();
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        text
    }
}
