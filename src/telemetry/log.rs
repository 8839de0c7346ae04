//! Log lines: on stderr always, since stdout may carry audit records.
//!
//! For people on a terminal, of services JSON elsewhere. Every line is logged where the matter is decided, and
//! never holds content or secrets. The environment is read by whoever calls [`init`].

use std::any::Any;
use std::io::{self, IsTerminal as _};
use std::panic::{self, PanicHookInfo};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Human,
    Json,
}

impl Format {
    /// What suits whoever reads stderr: a person at a terminal, else a machine.
    pub fn suited() -> Self {
        if io::stderr().is_terminal() {
            Self::Human
        } else {
            Self::Json
        }
    }

    /// `human` or `json`: the value of `PILLION_LOG_FORMAT`.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn try_new(text: &str) -> Result<Self, String> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            other => Err(format!(
                "`{other}` is not a log format: write `human` or `json`"
            )),
        }
    }
}

/// A level for everything, or levels by module: `debug`, `info,pillion::upstream=trace`; the value
/// of `PILLION_LOG`. Absent is `info`.
///
/// # Errors
/// What is wrong with it, for the operator.
pub fn filter(text: Option<&str>) -> Result<Targets, String> {
    let info = Targets::new().with_default(LevelFilter::INFO);
    match text.map(str::trim) {
        None | Some("") => Ok(info),
        Some(text) => text
            .parse()
            .map_err(|error| format!("`{text}` is not a log filter: {error}")),
    }
}

/// From here on lines are written, also of panics; in colour where a terminal shows them, if they may be
/// (`colour`). Once per process.
///
/// # Errors
/// When something logs already.
pub fn init(format: Format, filter: Targets, colour: bool) -> Result<(), TryInitError> {
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(colour && format == Format::Human && io::stderr().is_terminal())
        // It would say so on stderr, and panic when that is what failed.
        .log_internal_errors(false);
    let lines = match format {
        Format::Human => lines.boxed(),
        // Fields stay in an object of their own: one that is named `target` is not the module.
        Format::Json => lines
            .json()
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init()?;
    panic::set_hook(Box::new(tell));
    Ok(())
}

/// A panic is a line like any other.
fn tell(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("a place unknown");
    tracing::error!("panicked at {place}: {}", words(panic.payload()));
}

/// What a panic says, where it was written down in the code. What was made up on the way may quote content:
/// the standard library's, of an index into a text, quotes the text.
fn words(payload: &dyn Any) -> &'static str {
    let written = payload.downcast_ref::<&'static str>().copied();
    written.unwrap_or("its message is kept back, as it may quote content")
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_filter_is_a_level_or_levels_by_module() {
        for (text, module, level, passes) in [
            (None, "pillion::listen", Level::INFO, true),
            (None, "pillion::listen", Level::DEBUG, false),
            (Some(""), "hyper", Level::INFO, true),
            (Some("warn"), "pillion", Level::INFO, false),
            (
                Some("info,pillion::upstream=trace"),
                "pillion::upstream::send",
                Level::TRACE,
                true,
            ),
            (
                Some("info,pillion::upstream=trace"),
                "pillion::listen",
                Level::DEBUG,
                false,
            ),
        ] {
            let filter = filter(text).unwrap();
            assert_eq!(filter.would_enable(module, &level), passes, "{text:?}");
        }
        assert!(filter(Some("pillion=loud")).is_err());
    }

    #[test]
    fn a_format_has_two_names() {
        assert_eq!(Format::try_new("json"), Ok(Format::Json));
        assert_eq!(Format::try_new("human"), Ok(Format::Human));
        assert!(Format::try_new("xml").unwrap_err().contains("xml"));
    }

    #[test]
    fn a_panic_quotes_no_content() {
        let told = |panics: fn(usize)| {
            let payload = panic::catch_unwind(|| panics("я".len())).unwrap_err();
            words(&*payload)
        };
        assert_eq!(told(|_| panic!("as written")), "as written");
        let kept = told(|at| assert!(!"дом Абая 5"[at + 1..].is_empty()));
        assert!(kept.contains("kept back"), "{kept}");
    }
}
