//! `pillion audit verify`: whether records are whole and unchanged.

use std::fs;
use std::io::{self, BufReader, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{FAILED, records};
use crate::proof::verify::{Report, Verifier};
use crate::proof::{heads_of, lines};

/// Check audit records
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(Verify),
}

/// Check the hash chains of audit files, of any number of pods and in any order. Exit code 1 and the
/// first broken line, gap or missing pod when something is wrong. That the end of a chain was cut off
/// shows only against its heads.
#[derive(Debug, Args)]
struct Verify {
    /// Audit files and their segments, compressed or not, or folders of them; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Heads that must be among the files: a `FILE.heads`, kept elsewhere, or what the instances have
    /// told the centre, as its `source.report` URL or `pillion fleet --json` gives it
    #[arg(long, value_name = "FILE")]
    heads: Vec<PathBuf>,
    /// What came before these files is not at hand, and need not be
    #[arg(long)]
    partial: bool,
    /// The files are what a collector has stored: lines of any number of instances, among others, and some
    /// of them twice
    #[arg(long)]
    collected: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        match self.command {
            Command::Verify(verify) => verify.run(out),
        }
    }
}

impl Verify {
    fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        let mut verifier = Verifier::new(self.partial);
        if self.collected {
            verifier = verifier.collected();
        }
        match self.read(&mut verifier) {
            Ok(()) => {}
            Err(why) => {
                tracing::error!("{why}");
                return Ok(ExitCode::from(FAILED));
            }
        }
        let report = verifier.finish();
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            tell(&report, out)?;
        }
        Ok(if report.ok {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(FAILED)
        })
    }

    fn read(&self, verifier: &mut Verifier) -> Result<(), String> {
        let unread = |path: &Path, error| format!("cannot read {}: {error}", path.display());
        for path in &self.heads {
            let text = fs::read(path).map_err(|error| unread(path, error))?;
            verifier.heads(&path.display().to_string(), &text);
        }
        // `audit.jsonl*` names the notes too.
        let all = records::all_of(&self.files).map_err(|error| format!("cannot read {error}"))?;
        let (notes, files): (Vec<&PathBuf>, Vec<&PathBuf>) = all
            .iter()
            .partition(|path| path.extension().is_some_and(|end| end == "heads"));
        let beside = files.iter().map(|path| heads_of(path));
        for path in notes.into_iter().cloned().chain(beside) {
            if let Ok(text) = fs::read(&path) {
                verifier.notes(&path.display().to_string(), &text);
            }
        }
        for path in files {
            let name = path.display().to_string();
            if records::is_beside(path) {
                // `audit.jsonl*` names it, too.
                continue;
            }
            let read = if name == "-" {
                if io::stdin().is_terminal() {
                    return Err("nothing is piped into stdin".to_owned());
                }
                let mut from = BufReader::with_capacity(256 << 10, io::stdin().lock());
                verifier.read("stdin", true, &mut from)
            } else {
                lines(path).and_then(|mut from| verifier.read(&name, false, &mut *from))
            };
            read.map_err(|error| unread(path, error))?;
        }
        Ok(())
    }
}

fn tell(report: &Report, out: &mut impl Write) -> io::Result<()> {
    // Names of files and of instances are whatever somebody made them.
    let mut say = |line: String| writeln!(out, "{}", line.replace(char::is_control, "\u{fffd}"));
    for note in &report.notes {
        say(format!("note: {note}"))?;
    }
    if let Some(first) = report.problems.first() {
        let line = first.line.map(|line| format!("{line}:"));
        let line = line.unwrap_or_default();
        say(format!("{}:{line} {}", first.file, first.message))?;
        if let Some(expected) = &first.expected {
            say(format!("  expected: {expected}"))?;
        }
        if let Some(found) = &first.found {
            say(format!("  found:    {found}"))?;
        }
        let more = report.problems.len() - 1;
        if more > 0 {
            say(format!("and {more} more: --json lists them"))?;
        }
        return Ok(());
    }
    for chain in &report.chains {
        let files = chain.files.join(" → ");
        let whose = chain.instance.as_deref().unwrap_or("-");
        let (first, last, head) = (chain.first_seq, chain.last_seq, &chain.head);
        say(format!(
            "{whose}: {first} to {last} in {files}, head {head}"
        ))?;
    }
    let (records, files, chains) = (report.records, report.files, report.chains.len());
    say(format!(
        "ok: {records} records, {files} files, {chains} chains"
    ))
}
