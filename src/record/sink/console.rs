//! The process's own output: which of its two streams, and records there as lines for people.

use std::io::{self, Write};

use super::batch::Batch;
use crate::record::readable::{self, Style};

/// Where what is for stdout goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    #[default]
    Stdout,
    /// Somebody else has stdout.
    Stderr,
}

impl Output {
    pub(super) fn write(self, bytes: &[u8]) -> io::Result<()> {
        fn all(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
            stream.write_all(bytes).and_then(|()| stream.flush())
        }
        match self {
            Self::Stdout => all(io::stdout().lock(), bytes),
            Self::Stderr => all(io::stderr().lock(), bytes),
        }
    }
}

/// Each record as one line for people. They are no records any more: no chain, no number.
#[derive(Debug)]
pub(super) struct Console {
    style: Style,
    output: Output,
}

impl Console {
    pub(super) fn new(style: Style, output: Output) -> Self {
        Self { style, output }
    }

    /// Whoever has closed their terminal does not look.
    pub(super) fn write(&self, batch: &Batch) {
        let mut lines = String::new();
        for (_, bare) in batch.numbered() {
            if let Some(line) = readable::line(bare, &self.style) {
                lines += &line;
                lines.push('\n');
            }
        }
        if !lines.is_empty() {
            let _ = self.output.write(lines.as_bytes());
        }
    }
}
