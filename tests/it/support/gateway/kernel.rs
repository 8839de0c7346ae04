//! What the kernel tells of a gateway's process, and what it is told of it.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::Gateway;

impl Gateway {
    /// Whether the process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        let stat = fs::read_to_string(self.proc("stat")).unwrap_or_default();
        // A process that has ended and was not waited for is a zombie.
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    /// The process's.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many files and sockets it has open; 0 for whoever is not told, as the gateway's memory is
    /// closed to all but root.
    pub(crate) fn descriptors(&self) -> usize {
        or_closed(fs::read_dir(self.proc("fd"))).map_or(0, Iterator::count)
    }

    /// A file of what the kernel tells of it.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.child.id()).into()
    }

    /// From here on, [`Self::peak_kib`] is counted anew.
    /// <https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html> (read 2026-11)
    pub(crate) fn forget_peak(&self) {
        or_closed(fs::write(self.proc("clear_refs"), "5"));
    }

    /// The most memory that it has held, in KiB.
    pub(crate) fn peak_kib(&self) -> usize {
        self.status_kib("VmHWM:")
    }

    /// The memory it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> usize {
        self.status_kib("VmRSS:")
    }

    fn status_kib(&self, name: &str) -> usize {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.trim().parse().unwrap()
    }

    /// What it has used of the processor, by Linux's clock of a hundredth of a second.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Lets it have so many files open, from now on; whether the system can do that.
    pub(crate) fn may_open(&self, files: usize) -> bool {
        let (id, limit) = (self.child.id().to_string(), files.to_string());
        let command = Command::new("prlimit")
            .args(["--pid", &id, &format!("--nofile={limit}:{limit}")])
            .status();
        command.is_ok_and(|status| status.success())
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }
}

/// What root alone may see of it, which is said on stderr where we are not.
fn or_closed<T>(seen: io::Result<T>) -> Option<T> {
    match seen {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let line = "SKIPPED a part: only root can see what the gateway has open\n";
            io::stderr().write_all(line.as_bytes()).unwrap();
            None
        }
        seen => Some(seen.unwrap()),
    }
}
