//! How many files the system lets the process have open, which sockets are.

use std::fs;

use crate::config::Process;

/// What is open beside the connections of applications: listeners, probes, logs, idle connections to
/// providers.
const BESIDE: usize = 512;

/// As many connections as configured, or as there are files for: each request that is served needs
/// another one or two to a provider. Out of files, those could not be opened either.
pub(super) fn enough_for(process: &Process) -> usize {
    let Some(files) = open_at_most() else {
        return process.connections;
    };
    let enough = within(files, process.connections, process.concurrency);
    if enough < process.connections {
        tracing::warn!(
            files,
            configured = process.connections,
            connections = enough,
            "the limit on open files leaves room for fewer connections"
        );
    }
    enough
}

fn within(files: usize, connections: usize, concurrency: usize) -> usize {
    let upstream = concurrency.saturating_mul(2).saturating_add(BESIDE);
    let left = files.saturating_sub(upstream).max(files / 2);
    connections.min(left.max(1))
}

/// The soft limit. `None` where the system does not say so in a file, or there is none.
fn open_at_most() -> Option<usize> {
    read(&fs::read_to_string("/proc/self/limits").ok()?)
}

fn read(limits: &str) -> Option<usize> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read() {
        for (text, expected) in [
            (
                "Max processes   1   2   processes\nMax open files            1024                 524288               files\n",
                Some(1024),
            ),
            ("Max open files   unlimited   unlimited   files\n", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn connections_leave_files_for_the_requests() {
        for (files, connections, concurrency, expected) in [
            (1_048_576, 16_384, 1024, 16_384),
            (20_000, 16_384, 1024, 16_384),
            (16_384, 16_384, 1024, 13_824),
            (1024, 16_384, 1024, 512),
            (1024, 100, 1024, 100),
            (1, 100, 1, 1),
        ] {
            let enough = within(files, connections, concurrency);
            assert_eq!(enough, expected, "of {files} files");
        }
    }
}
