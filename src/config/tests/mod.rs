//! The whole way of a configuration, from its text to what it means.

mod central;
mod choosing;
mod effective;
mod layering;
mod limits;
mod meaning;
mod money;
mod problems;
mod reliability;
mod reliability_problems;
mod rules;
mod secret_stores;
mod tables;

use super::*;

/// A configuration without a problem, to which a test adds what it is about.
const SMALL: &str = "
allow_anonymous: true
providers:
  openai: { kind: openai, secret: env:OPENAI_API_KEY }
  inside: { kind: openai-compatible, base_url: http://127.0.0.1:8000/v1 }
routes:
  fast: { targets: [openai/gpt-5-mini, inside/qwen3] }
";

fn yaml(text: &str) -> Sources {
    let now = "2026-11-22T10:00:00Z".parse().unwrap();
    Sources {
        now,
        ..Sources::from_text(Format::Yaml, text)
    }
}

fn small_with(more: &str) -> Sources {
    yaml(&format!("{SMALL}{more}"))
}

fn loaded(sources: &Sources) -> Loaded {
    load(sources).unwrap_or_else(|problems| panic!("{}", said(&problems).join("\n")))
}

fn refused(sources: &Sources) -> Vec<String> {
    match load(sources) {
        Ok(_) => panic!("there is no problem"),
        Err(problems) => said(&problems),
    }
}

/// The problems without the name of the text.
fn said(problems: &[Problem]) -> Vec<String> {
    let lines = problems.iter().map(Problem::to_string);
    lines
        .map(|line| {
            line.strip_prefix("<text>:")
                .map(str::to_owned)
                .unwrap_or(line)
        })
        .collect()
}
