//! What the kernel knows: which cores there are, what a process used.
//!
//! Linux's `/proc`. Elsewhere nothing can be measured, and the benchmark says so by failing.

use std::fs;
use std::process::Command;

use crate::Error;

/// Which core has the load, and which the proxy.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) load: usize,
    pub(crate) proxy: usize,
}

impl Cores {
    /// The first two cores that this process may use, where there are two and `taskset` is there.
    pub(crate) fn find() -> Option<Self> {
        let taskset = Command::new("taskset").arg("--version").output().ok()?;
        let cores = allowed().ok()?;
        match cores[..] {
            [load, proxy, ..] if taskset.status.success() => Some(Self { load, proxy }),
            _ => None,
        }
    }
}

/// Moves this process, with all its threads, to one core.
pub(crate) fn pin_self(core: usize) -> Result<(), Error> {
    let pid = std::process::id().to_string();
    let done = Command::new("taskset")
        .args([
            "--all-tasks",
            "--cpu-list",
            "--pid",
            &core.to_string(),
            &pid,
        ])
        .output()?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into());
    }
    Ok(())
}

/// `0-1,4` as the cores it stands for.
fn allowed() -> Result<Vec<usize>, Error> {
    let status = fs::read_to_string("/proc/self/status")?;
    let ranges = field(&status, "Cpus_allowed_list:").ok_or("no list of cores")?;
    let mut cores = Vec::new();
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cores.extend(first.parse::<usize>()?..=last.parse()?);
    }
    Ok(cores)
}

/// Nanoseconds on a core, of all the threads that the process has now.
pub(crate) fn cpu(pid: u32) -> Result<u64, Error> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let first = text.split(' ').next().ok_or("an empty schedstat")?;
        total += first.parse::<u64>()?;
    }
    Ok(total)
}

/// In KiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    /// Without the pages of the binary, which are shared between processes.
    pub(crate) anonymous: u64,
}

pub(crate) fn memory(pid: u32) -> Result<Memory, Error> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |name: &str| -> Result<u64, Error> {
        let value = field(&status, name).ok_or_else(|| format!("no {name}"))?;
        Ok(value.trim_end_matches(" kB").parse()?)
    };
    Ok(Memory {
        resident: kib("VmRSS:")?,
        anonymous: kib("RssAnon:")?,
    })
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.map(str::trim)
}
