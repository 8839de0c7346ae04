//! The binary: arguments in, exit code out.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use pillion::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run(&mut io::stdout()) {
        Ok(code) => code,
        // Whoever read our output has gone: nobody is left to tell.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "pillion: {error}");
            ExitCode::FAILURE
        }
    }
}
