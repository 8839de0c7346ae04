//! `pillion schema`: the JSON Schema of the configuration, for editors.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::config;

/// # Errors
/// Those of `out`.
pub(super) fn run(out: &mut impl Write) -> io::Result<ExitCode> {
    writeln!(out, "{:#}", config::schema())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_one_json_document() {
        let mut out = Vec::new();
        run(&mut out).unwrap();
        let schema: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(schema["additionalProperties"], false);
    }
}
