//! What this process has spent, kept on disk so that a restart does not begin its budgets anew.
//!
//! A small file in `cache_dir`, written whole each second in which anything was spent, and at the end: of a
//! process that is killed a second's spending is forgotten. One line a budget: its name, what is
//! spent, and when its day or month ends. What the fleet counts is kept in Redis, and here, on lines that
//! say so, what this process knows of it, for a Redis that comes back empty; what Redis has not acknowledged,
//! each under the name by which it is told; and how many processes there were.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::quotas::Quotas;
use crate::fleet::counters::Owed;
use crate::price::Money;

/// Before the name of the [epoch](crate::fleet::counters) that the fleet's part is from.
const EPOCH: &str = "epoch\t";
const INSTANCES: &str = "instances\t";
/// Before what Redis has not acknowledged.
const UNTOLD: &str = "untold\t";
const EACH: Duration = Duration::from_secs(1);

/// Where it is kept.
#[derive(Debug, Clone)]
pub struct Folder {
    file: PathBuf,
    written: Arc<Mutex<Written>>,
}

/// What lies there, as far as we know.
#[derive(Debug, Default)]
struct Written {
    text: String,
    /// Whether the last try failed.
    failed: bool,
}

/// All that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// That the fleet's part is from; empty where there is none.
    pub(super) epoch: String,
    /// How many shared, where that was seen.
    pub(super) instances: Option<u32>,
    pub(super) entries: Vec<Entry>,
    pub(super) owed: Vec<Owed>,
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
            written: Arc::default(),
        }
    }

    fn read(&self) -> Memory {
        match std::fs::read_to_string(&self.file) {
            Ok(text) => read(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Memory::default(),
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "what was spent before cannot be read");
                Memory::default()
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
        self.remember(folder.read(), instances);
    }

    /// Writes down what is spent, if that is something else than lies there.
    pub fn write_down(&self, folder: &Folder) {
        // One at a time, so that what is newer lies there last.
        let mut written = folder
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let text = write(&self.memory());
        if text == written.text {
            return;
        }
        match folder.write(&text) {
            Ok(()) => {
                *written = Written {
                    text,
                    failed: false,
                }
            }
            Err(error) => {
                // It is tried again, each time.
                if !std::mem::replace(&mut written.failed, true) {
                    tracing::warn!(file = %folder.file.display(), %error, "what is spent cannot be written down");
                }
            }
        }
    }
}

pub(super) async fn keep(quotas: Quotas, folder: Folder) {
    let mut ticks = interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (quotas, folder) = (quotas.clone(), folder.clone());
        // A disk that hangs must not stop the requests.
        let _ = spawn_blocking(move || quotas.write_down(&folder)).await;
    }
}

fn write(memory: &Memory) -> String {
    let Memory {
        epoch,
        instances,
        entries,
        owed,
    } = memory;
    let mut text = String::new();
    if !epoch.is_empty() {
        let _ = writeln!(text, "{EPOCH}{epoch}");
    }
    if let Some(instances) = instances {
        let _ = writeln!(text, "{INSTANCES}{instances}");
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
    for Owed {
        id,
        account,
        spent,
        ends,
    } in owed
    {
        let _ = writeln!(text, "{UNTOLD}{id}\t{spent}\t{ends}\t{account}");
    }
    text
}

/// A line that cannot be read is passed over.
fn read(text: &str) -> Memory {
    let after = |word| text.lines().find_map(move |line| line.strip_prefix(word));
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
    let owed = text.lines().filter_map(|line| {
        let mut parts = line.strip_prefix(UNTOLD)?.splitn(4, '\t');
        let (id, spent) = (parts.next()?, parts.next()?);
        let (ends, account) = (parts.next()?, parts.next()?);
        Some(Owed {
            id: id.to_owned(),
            account: account.into(),
            spent: Money::parse(spent)?,
            ends: ends.parse().ok()?,
        })
    });
    Memory {
        epoch: after(EPOCH).unwrap_or_default().to_owned(),
        instances: after(INSTANCES).and_then(|count| count.parse().ok()),
        entries: entries.collect(),
        owed: owed.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

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
        let owed = Owed {
            id: "4f1".into(),
            account: "route:x y|2026-11".into(),
            spent: Money::parse("0.5").unwrap(),
            ends: "2026-12-01T00:00:00Z".parse().unwrap(),
        };
        let memory = Memory {
            epoch: "e1".into(),
            instances: Some(3),
            entries: entries.to_vec(),
            owed: vec![owed],
        };
        let text = write(&memory);
        assert_eq!(read(&text), memory);
        let torn = read(&text[..text.len() - 30]);
        assert_eq!((torn.entries, torn.owed), (entries.to_vec(), vec![]));
        assert_eq!(
            read("nonsense\n\t\t\n1\t2\t3\nuntold\tx\t1\n"),
            Memory::default()
        );
        let own = Memory {
            epoch: String::new(),
            ..memory
        };
        assert_eq!(read(&write(&own)), own);
    }

    #[test]
    fn what_could_not_be_written_is_written_once_it_can_be() {
        let name = format!("pillion-spent-{:016x}", fastrand::u64(..));
        let cache = std::env::temp_dir().join(name);
        std::fs::write(&cache, "no folder").unwrap();
        let folder = Folder::of(&cache, None);
        let quotas = Quotas::new(Arc::new(Metrics::new()));
        let ends = Timestamp::now() + jiff::SignedDuration::from_hours(1);
        quotas.remember(
            Memory {
                entries: vec![Entry {
                    whose: Whose::Own,
                    account: "key:a|x".into(),
                    spent: Money::parse("1").unwrap(),
                    ends,
                }],
                ..Memory::default()
            },
            1,
        );
        quotas.write_down(&folder);
        std::fs::remove_file(&cache).unwrap();
        quotas.write_down(&folder);
        assert_eq!(folder.read().entries.len(), 1);
        std::fs::remove_dir_all(&cache).unwrap();
    }
}
