//! A record as one line for whoever sits at a terminal: what was asked, who was tried and why not, how
//! long it took, what it used.
//!
//! Pure: the record's own bytes in, text out. It says less than the record, and nothing that is not in it.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::price::{DOLLAR, Money};

/// How lines look.
#[derive(Debug, Clone)]
pub struct Style {
    /// Whether with escape sequences of ECMA-48 for colours.
    pub colour: bool,
    /// By whose clock times are told.
    pub zone: TimeZone,
}

/// What of a record is told. What it does not have was not known.
#[derive(Deserialize)]
struct Row {
    time: String,
    route: Option<String>,
    rule: Option<String>,
    surface: Option<String>,
    stream: Option<bool>,
    attempts: Vec<Attempt>,
    status: Option<u16>,
    outcome: Outcome,
    reason: Option<String>,
    model: Option<String>,
    first_token_ms: Option<u64>,
    total_ms: u64,
    usage: Option<Usage>,
    cost: Option<String>,
    currency: Option<String>,
    privacy: Option<Privacy>,
    dropped: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Attempt {
    target: String,
    class: String,
    status: Option<u16>,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Ok,
    Error,
    StreamBroken,
    Cancelled,
}

#[derive(Deserialize)]
struct Usage {
    prompt: Option<u64>,
    cached: Option<u64>,
    completion: Option<u64>,
    estimated: bool,
}

#[derive(Deserialize)]
struct Privacy {
    found: serde_json::Map<String, serde_json::Value>,
    action: Option<String>,
}

/// What the name of a target that no route has ends with.
const NO_MODEL: &str = "/-";

/// What is between two parts of a line.
const GAP: &str = "  ";

/// The line of `record`, without its end. `None` where it is none of ours.
pub(super) fn line(record: &[u8], style: &Style) -> Option<String> {
    let row: Row = serde_json::from_slice(record).ok()?;
    let time: Timestamp = row.time.parse().ok()?;
    let time = time.to_zoned(style.zone.clone());
    let time = time.strftime("%H:%M:%S").to_string();
    let mut parts = vec![style.paint(Paint::Dim, &time)];
    parts.extend(row.asked());
    parts.push(row.way(style));
    parts.extend(row.end(style));
    parts.push(row.took());
    parts.extend(row.used());
    parts.extend(row.cost());
    parts.extend(row.beside());
    Some(parts.join(GAP))
}

impl Row {
    /// What the caller asked for: a route, and why it went another way there.
    fn asked(&self) -> Option<String> {
        let name = match (&self.route, &self.surface) {
            (Some(route), _) => route,
            // A route may be called as a surface is; here there is none.
            (None, _) if self.is_passed_on() => "passthrough",
            (None, Some(surface)) => surface,
            (None, None) => return None,
        };
        Some(match &self.rule {
            Some(rule) => format!("{} ({})", plain(name), plain(rule)),
            None => plain(name),
        })
    }

    /// Whether no route had the model, and a provider got what came.
    fn is_passed_on(&self) -> bool {
        let mut attempts = self.attempts.iter();
        attempts.any(|attempt| attempt.target.ends_with(NO_MODEL))
    }

    /// Everybody who was tried, in order, each with what became of it.
    fn way(&self, style: &Style) -> String {
        if self.attempts.is_empty() {
            return self.unsent().to_owned();
        }
        let mut way = String::new();
        for (nth, attempt) in self.attempts.iter().enumerate() {
            if nth > 0 {
                way += " → ";
            }
            way += &plain(&self.named(&attempt.target));
            way += " ";
            way += &attempt.told(style);
        }
        way
    }

    /// A target that no route has bears no model in its name; the record has it beside.
    fn named(&self, target: &str) -> String {
        match (target.strip_suffix(NO_MODEL), &self.model) {
            (Some(provider), Some(model)) => format!("{provider}/{model}"),
            _ => target.to_owned(),
        }
    }

    /// Why nobody was asked.
    fn unsent(&self) -> &'static str {
        match (self.outcome, self.surface.as_deref()) {
            (Outcome::Ok, Some("models")) => "answered here",
            (Outcome::Ok, Some("count_tokens")) => "estimated here",
            (Outcome::Ok, _) => "joined: another request's answer",
            (Outcome::Error | Outcome::StreamBroken, _) => "not sent",
            (Outcome::Cancelled, _) => "not sent yet",
        }
    }

    /// How it ended for the caller, where that was not well.
    fn end(&self, style: &Style) -> Option<String> {
        let reason = self.reason.as_deref().unwrap_or("unknown");
        let reason = plain(reason);
        match self.outcome {
            Outcome::Ok => None,
            Outcome::Error => {
                let status = self.status.map_or(String::new(), |it| format!("{it} "));
                Some(style.paint(Paint::Bad, &format!("the caller got {status}{reason}")))
            }
            Outcome::StreamBroken => {
                Some(style.paint(Paint::Bad, &format!("cut: the stream broke off ({reason})")))
            }
            Outcome::Cancelled => Some(style.paint(Paint::Warn, "cancelled: the caller went away")),
        }
    }

    fn took(&self) -> String {
        let total = span(self.total_ms);
        match self.first_token_ms {
            Some(first) if self.stream == Some(true) => {
                format!("first token {}, all {total}", span(first))
            }
            // A plain answer comes all at once.
            Some(_) | None => total,
        }
    }

    fn used(&self) -> Option<String> {
        let usage = self.usage.as_ref()?;
        let about = if usage.estimated { "~" } else { "" };
        let mut text = String::new();
        if let Some(prompt) = usage.prompt {
            let _ = write!(text, "{about}{prompt} in");
            if let Some(cached) = usage.cached.filter(|cached| *cached > 0) {
                let _ = write!(text, " ({cached} cached)");
            }
        }
        if let Some(completion) = usage.completion {
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{about}{completion} out");
        }
        if usage.estimated {
            text += " (estimated)";
        }
        Some(text).filter(|text| !text.is_empty())
    }

    fn cost(&self) -> Option<String> {
        let cost = Money::parse(self.cost.as_deref()?)?;
        let currency = self.currency.as_deref().unwrap_or(DOLLAR);
        let amount = amount(cost);
        Some(match currency {
            DOLLAR if amount.starts_with('<') => format!("<${}", &amount[1..]),
            DOLLAR => format!("${amount}"),
            other => format!("{amount} {}", plain(other)),
        })
    }

    /// What else whoever builds an application wants to know.
    fn beside(&self) -> Option<String> {
        let mut notes = Vec::new();
        if let Some(dropped) = self.dropped.as_deref().filter(|it| !it.is_empty()) {
            let fields: Vec<String> = dropped.iter().map(|field| plain(field)).collect();
            notes.push(format!("not passed on: {}", fields.join(", ")));
        }
        if let Some(Privacy { found, action }) = &self.privacy
            && !found.is_empty()
        {
            let found = found.iter();
            let found: Vec<_> = found
                .map(|(class, count)| format!("{} {count}", plain(class)))
                .collect();
            let action = action.as_deref().unwrap_or("observe");
            notes.push(format!("{}: {}", plain(action), found.join(", ")));
        }
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

impl Attempt {
    fn told(&self, style: &Style) -> String {
        if self.class == "ok" {
            return style.paint(Paint::Good, "ok");
        }
        let class = plain(&self.class);
        // A status that went well before a failure says nothing of it.
        let text = match self.status.filter(|status| *status >= 300) {
            Some(status) => format!("{status} {class}"),
            None => class,
        };
        style.paint(Paint::Warn, &text)
    }
}

/// What a part of a line is told by.
#[derive(Clone, Copy)]
enum Paint {
    Good,
    Warn,
    Bad,
    Dim,
}

impl Style {
    fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Good => 32,
            Paint::Warn => 33,
            Paint::Bad => 31,
            Paint::Dim => 2,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Milliseconds as a person says them.
fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{:02} s", ms / 1_000, ms % 1_000 / 10),
        60_000.. => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// To a millionth, and never nothing for something.
fn amount(money: Money) -> String {
    const LEAST: &str = "0.000001";
    let text = money.rounded(6);
    if money != Money::ZERO && Money::parse(&text) == Some(Money::ZERO) {
        return format!("<{LEAST}");
    }
    let short = text.trim_end_matches('0').len();
    let cents = text.find('.').map_or(text.len(), |dot| dot + 3);
    text[..short.max(cents)].to_owned()
}

/// A caller's own text may be in a record, and a terminal does what its control characters say; others
/// begin a line, or have what follows read the other way round.
fn plain(text: &str) -> String {
    let shown = |c: char| {
        let is_layout = matches!(
            c,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        );
        if c.is_control() || is_layout {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests;
