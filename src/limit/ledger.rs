//! What this process has spent, kept on disk so that a restart does not begin its budgets anew.
//!
//! A small file in `cache_dir`, written whole each second in which anything was spent, and at the end: of a
//! process that is killed a second's spending is forgotten. One line a budget: its name, what is
//! spent, and when its day or month ends. What the fleet counts is kept in Redis, and here, on lines that
//! say so, what this process knows of it, for a Redis that comes back empty.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::quotas::Quotas;
use crate::price::Money;

/// Before the name of the [epoch](crate::fleet::counters) that the fleet's part is from.
const EPOCH: &str = "epoch\t";
const EACH: Duration = Duration::from_secs(1);

/// Where it is kept.
#[derive(Debug, Clone)]
pub struct Folder {
    file: PathBuf,
}

/// Whose count it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// This process's own.
    Own,
    Fleet,
}

/// What is spent of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) whose: Whose,
    pub(super) account: Arc<str>,
    pub(super) spent: Money,
    pub(super) ends: Timestamp,
}

impl Whose {
    fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Fleet => "fleet",
        }
    }

    fn of(name: &str) -> Option<Self> {
        let mut all = [Self::Own, Self::Fleet].into_iter();
        all.find(|whose| whose.name() == name)
    }
}

impl Folder {
    /// In `cache_dir`; of two instances that have one, each has its own file.
    pub fn of(cache_dir: &Path, instance: Option<&str>) -> Self {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        };
        let file = match instance {
            Some(instance) => {
                format!(
                    "spent-{}.txt",
                    instance.chars().map(plain).collect::<String>()
                )
            }
            None => "spent.txt".to_owned(),
        };
        Self {
            file: cache_dir.join(file),
        }
    }

    fn read(&self) -> (String, Vec<Entry>) {
        match std::fs::read_to_string(&self.file) {
            Ok(text) => read(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Default::default(),
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "what was spent before cannot be read");
                Default::default()
            }
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let new = self.file.with_extension("new");
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&new, text)?;
        std::fs::rename(&new, &self.file)
    }
}

impl Quotas {
    /// Reads what an earlier life of this process has spent, as one of so many.
    pub fn recall(&self, folder: &Folder, instances: u32) {
        let (epoch, entries) = folder.read();
        self.remember(&epoch, entries, instances);
    }

    /// Writes down what is spent, if that is something else than was written `before`.
    pub fn write_down(&self, folder: &Folder, before: &str) -> String {
        let text = write(&self.epoch(), &self.entries());
        if text != before
            && let Err(error) = folder.write(&text)
        {
            tracing::warn!(file = %folder.file.display(), %error, "what is spent cannot be written down");
        }
        text
    }
}

pub(super) async fn keep(quotas: Quotas, folder: Folder) {
    let mut ticks = interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = String::new();
    loop {
        ticks.tick().await;
        let (quotas, folder) = (quotas.clone(), folder.clone());
        // A disk that hangs must not stop the requests.
        let written = spawn_blocking(move || quotas.write_down(&folder, &before)).await;
        before = written.unwrap_or_default();
    }
}

fn write(epoch: &str, entries: &[Entry]) -> String {
    let mut text = String::new();
    if !epoch.is_empty() {
        text.push_str(EPOCH);
        text.push_str(epoch);
        text.push('\n');
    }
    for Entry {
        whose,
        account,
        spent,
        ends,
    } in entries
    {
        let whose = whose.name();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{whose}\t{spent}\t{ends}\t{account}");
    }
    text
}

/// A line that cannot be read is passed over.
fn read(text: &str) -> (String, Vec<Entry>) {
    let epoch = text.lines().find_map(|line| line.strip_prefix(EPOCH));
    let entries = text.lines().filter_map(|line| {
        let mut parts = line.splitn(4, '\t');
        let whose = Whose::of(parts.next()?)?;
        let (spent, ends, account) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Entry {
            whose,
            account: account.into(),
            spent: Money::parse(spent)?,
            ends: ends.parse().ok()?,
        })
    });
    (epoch.unwrap_or_default().to_owned(), entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_torn_passed_over() {
        let entry = |whose: Whose, account: &str, spent: &str| Entry {
            whose,
            account: account.into(),
            spent: Money::parse(spent).unwrap(),
            ends: "2026-12-01T00:00:00Z".parse().unwrap(),
        };
        let entries = [
            entry(Whose::Own, "key:a b|2026-11", "12.345"),
            entry(Whose::Fleet, "team:x|2026-11-26", "0.000001"),
        ];
        let text = write("e1", &entries);
        assert_eq!(read(&text), ("e1".to_owned(), entries.to_vec()));
        assert_eq!(read(&text[..text.len() - 30]).1.len(), 1);
        assert_eq!(read("nonsense\n\t\t\n1\t2\t3\n"), (String::new(), vec![]));
        assert_eq!(read(&write("", &entries)).1, entries);
    }
}
