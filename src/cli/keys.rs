//! `pillion keys new`: an internal key for an application.
//!
//! The token is printed once and kept nowhere; the configuration holds its hash. Its form is
//! `pillion_`, 256 random bits as 43 base-62 digits, and 6 digits of checksum, by which a scanner
//! of repositories can tell a token from a likeness.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::config;

/// Internal keys of applications.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(New),
}

/// Make a key: prints its token, once, and the entry for the configuration.
#[derive(Debug, Args)]
struct New {
    /// Names the key in records and metrics
    #[arg(long)]
    id: String,
    /// Written into records
    #[arg(long)]
    team: Option<String>,
    /// Written into records
    #[arg(long)]
    service: Option<String>,
    /// Where the key is good; everywhere when absent
    #[arg(long)]
    environment: Option<String>,
    /// A route it may use; may be repeated, all when absent
    #[arg(long = "route", value_name = "ROUTE")]
    routes: Vec<String>,
    /// Where a model string goes that no route bears
    #[arg(long, value_name = "ROUTE")]
    default_route: Option<String>,
    /// The provider that gets what no route takes
    #[arg(long, value_name = "PROVIDER")]
    passthrough: Option<String>,
    /// The first day, in UTC, on which the key is refused: 2027-06-30
    #[arg(long, value_name = "DATE")]
    expires: Option<jiff::civil::Date>,
}

impl Keys {
    /// # Errors
    /// Those of `out`, and of the system's source of randomness.
    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        let Command::New(new) = self.command;
        let token = new_token()?;
        writeln!(
            out,
            "The token, for the application. It is not shown again:\n"
        )?;
        writeln!(out, "{token}\n")?;
        writeln!(out, "The entry for `keys` in the configuration:\n")?;
        new.entry(&token, out)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl New {
    fn entry(&self, token: &str, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "  - id: {}", quoted(&self.id))?;
        let hash = config::sha256(token.as_bytes());
        writeln!(out, "    hash: \"sha256:{hash}\"")?;
        for (key, value) in [
            ("team", &self.team),
            ("service", &self.service),
            ("environment", &self.environment),
        ] {
            if let Some(value) = value {
                writeln!(out, "    {key}: {}", quoted(value))?;
            }
        }
        if !self.routes.is_empty() {
            let routes: Vec<_> = self.routes.iter().map(|route| quoted(route)).collect();
            writeln!(out, "    routes: [{}]", routes.join(", "))?;
        }
        for (key, value) in [
            ("default_route", &self.default_route),
            ("passthrough", &self.passthrough),
        ] {
            if let Some(value) = value {
                writeln!(out, "    {key}: {}", quoted(value))?;
            }
        }
        if let Some(expires) = self.expires {
            writeln!(out, "    expires: {expires}")?;
        }
        Ok(())
    }
}

/// A token that nobody has had before.
pub(super) fn new_token() -> io::Result<String> {
    let mut secret = [0; 32];
    SystemRandom::new()
        .fill(&mut secret)
        .map_err(|_| io::Error::other("the system gave no random bytes"))?;
    Ok(token(secret))
}

/// A YAML scalar that is text whatever it holds: letters and dashes as they are, else in quotes.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        && !["true", "false", "null"].contains(&&*text.to_ascii_lowercase());
    if plain {
        text.to_owned()
    } else {
        // Each JSON string is a YAML one.
        serde_json::Value::from(text).to_string()
    }
}

fn token(secret: [u8; 32]) -> String {
    let random = base62(&secret, 43);
    let sum = digest::digest(&digest::SHA256, random.as_bytes());
    let sum: Vec<u8> = sum.as_ref().iter().copied().take(4).collect();
    format!("pillion_{random}{}", base62(&sum, 6))
}

/// A number, its largest byte first, as so many digits: 43 hold 256 bits, and 6 hold 32.
fn base62(number: &[u8], digits: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = number.to_vec();
    let mut text = Vec::with_capacity(digits);
    for _ in 0..digits {
        let mut rest = 0;
        for byte in &mut number {
            let dividend = rest * 256 + usize::from(*byte);
            *byte = u8::try_from(dividend / 62).unwrap_or(u8::MAX);
            rest = dividend % 62;
        }
        text.push(char::from(DIGITS[rest]));
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, Sources, load};
    use crate::snapshot::Callers;

    #[test]
    fn digits_hold_the_whole_number() {
        assert_eq!(base62(&[0; 32], 43), "0".repeat(43));
        assert_eq!(base62(&[0xff; 4], 6), "4gfFC3");
        // 2^256 - 1 needs all 43 digits, so nothing is cut off.
        assert!(!base62(&[0xff; 32], 43).starts_with('0'));
        assert_eq!(token([7; 32]).len(), "pillion_".len() + 43 + 6);
        assert_ne!(token([7; 32]), token([8; 32]));
    }

    #[test]
    fn the_entry_is_a_key_that_its_token_opens() {
        let command = Keys {
            command: Command::New(New {
                id: "chat: prod".into(),
                team: Some("support".into()),
                service: None,
                environment: Some("true".into()),
                routes: vec!["chat".into(), "gpt-4.1".into()],
                default_route: Some("chat".into()),
                passthrough: Some("openai".into()),
                expires: Some("2127-06-30".parse().unwrap()),
            }),
        };
        let mut out = Vec::new();
        assert_eq!(command.run(&mut out).unwrap(), ExitCode::SUCCESS);
        let out = String::from_utf8(out).unwrap();
        let token = out
            .lines()
            .find(|line| line.starts_with("pillion_"))
            .unwrap();
        let entry = &out[out.find("  - id").unwrap()..];

        let text = format!(
            "providers: {{ openai: {{ kind: openai, secret: env:K }} }}\n\
             routes: {{ chat: {{ targets: [openai/a] }}, gpt-4.1: {{ targets: [openai/b] }} }}\n\
             keys:\n{entry}"
        );
        let loaded = load(&Sources::from_text(Format::Yaml, text)).unwrap();
        let Callers::Keys(keys) = &loaded.snapshot.callers else {
            panic!("there are keys");
        };
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        let key = &keys[hash.as_ref()];
        assert_eq!(&*key.id, "chat: prod");
        assert_eq!(key.environment.as_deref(), Some("true"));
        assert_eq!(key.routes.as_ref().unwrap().len(), 2);
        assert!(key.default_route.is_some() && key.passthrough.is_some());
    }
}
