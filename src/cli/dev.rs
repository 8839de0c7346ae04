//! `pillion dev`: a proxy for development that needs no file, no key and no network.
//!
//! With a provider's key in the environment it uses that provider; without any, two simulated ones.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::run::{flags, refuse, serve};
use super::{keys, variable};
use crate::app::{Addresses, Options, Start};
use crate::config::{self, Format, Sources, sha256};

/// A provider that is used when its key is found.
struct Vendor {
    variable: &'static str,
    name: &'static str,
    kind: &'static str,
    base_url: &'static str,
    /// The model that the route `chat` asks for.
    model: &'static str,
}

/// In the order in which they fall back. Addresses from each vendor's documentation (read 2026-11).
const VENDORS: [Vendor; 7] = [
    Vendor {
        variable: "OPENAI_API_KEY",
        name: "openai",
        kind: "openai",
        base_url: "https://api.openai.com/v1",
        model: "gpt-5-mini",
    },
    Vendor {
        variable: "ANTHROPIC_API_KEY",
        name: "anthropic",
        kind: "anthropic",
        base_url: "https://api.anthropic.com/v1",
        model: "claude-haiku-4-5",
    },
    Vendor {
        variable: "OPENROUTER_API_KEY",
        name: "openrouter",
        kind: "openai-compatible",
        base_url: "https://openrouter.ai/api/v1",
        model: "openai/gpt-5-mini",
    },
    Vendor {
        variable: "MISTRAL_API_KEY",
        name: "mistral",
        kind: "openai-compatible",
        base_url: "https://api.mistral.ai/v1",
        model: "mistral-small-latest",
    },
    Vendor {
        variable: "DEEPSEEK_API_KEY",
        name: "deepseek",
        kind: "openai-compatible",
        base_url: "https://api.deepseek.com/v1",
        model: "deepseek-chat",
    },
    Vendor {
        variable: "GROQ_API_KEY",
        name: "groq",
        kind: "openai-compatible",
        base_url: "https://api.groq.com/openai/v1",
        model: "llama-3.3-70b-versatile",
    },
    Vendor {
        variable: "GEMINI_API_KEY",
        name: "gemini",
        kind: "gemini",
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        model: "gemini-2.5-flash",
    },
];

/// Run a proxy for development: no file needed, simulated providers unless a real key is found.
#[derive(Debug, Args)]
pub(super) struct Dev {
    /// A configuration of your own instead of the built-in one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where applications connect
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where probes and metrics are
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// The token that the application sends; a new random one when absent
    #[arg(long, conflicts_with = "config")]
    token: Option<String>,
}

impl Dev {
    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        let flags = flags(self.listen, self.admin);
        let (document, token, about) = if let Some(file) = self.config {
            (config::Document::File(file), None, None)
        } else {
            let token = self.token.map_or_else(keys::new_token, Ok)?;
            let (document, about) = built_in(&token)?;
            (document, Some(token), Some(about))
        };
        let sources = Sources {
            local: config::Local::Free,
            ..Sources::from_process(document, flags)
        };
        let start = match Start::of(&sources) {
            Ok(start) => start,
            Err(problems) => return Ok(refuse(&problems)),
        };
        let route = match &start {
            Start::Loaded(loaded) => loaded.snapshot.routes.keys().next().cloned(),
            Start::Following(..) => None,
        };
        let route = route.unwrap_or_else(|| "<a route of your configuration>".into());
        let mut said = Ok(());
        let mut ready = |at: Addresses| {
            said = welcome(out, at, &route, token.as_deref(), about.as_deref());
        };
        let code = serve(start, sources, Options::default(), &mut ready)?;
        said.map(|()| code)
    }
}

/// The configuration for which no file is needed, and what it is about.
pub(super) fn built_in(token: &str) -> io::Result<(config::Document, String)> {
    let found: Vec<&Vendor> = VENDORS
        .iter()
        .filter(|vendor| variable(vendor.variable).is_some())
        .collect();
    let (text, about) = if found.is_empty() {
        simulated(token)?
    } else {
        (real(&found, token), describe(&found))
    };
    let format = Format::Yaml;
    Ok((config::Document::Text { format, text }, about))
}

fn real(found: &[&Vendor], token: &str) -> String {
    let mut text = String::from("providers:\n");
    let mut targets = String::new();
    for Vendor {
        variable,
        name,
        kind,
        base_url,
        model,
    } in found
    {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "  {name}: {{ kind: {kind}, base_url: \"{base_url}\", secret: \"env:{variable}\" }}"
        );
        let _ = writeln!(targets, "      - {name}/{model}");
    }
    let first = found.first().map_or("", |vendor| vendor.name);
    let _ = write!(
        text,
        "routes:\n  chat:\n    targets:\n{targets}{}",
        key(token, &format!("passthrough: {first}"))
    );
    text
}

fn describe(found: &[&Vendor]) -> String {
    let names: Vec<_> = found.iter().map(|vendor| vendor.name).collect();
    format!(
        "Providers found in the environment: {}. The route `chat` falls back in this order; any other model goes to {} unchanged.",
        names.join(", "),
        names[0]
    )
}

fn simulated(token: &str) -> io::Result<(String, String)> {
    let (north, south) = (free_port()?, free_port()?);
    let text = format!(
        "simulate:
  north: {{ listen: \"127.0.0.1:{north}\", models: {{ \"*\": {{ first_token: 120ms, fail: [ {{ class: overloaded, share: 20% }} ] }} }} }}
  south: {{ listen: \"127.0.0.1:{south}\", models: {{ \"*\": {{ first_token: 180ms }} }} }}
providers:
  north: {{ kind: openai-compatible, base_url: \"http://127.0.0.1:{north}/v1\" }}
  south: {{ kind: openai-compatible, base_url: \"http://127.0.0.1:{south}/v1\" }}
routes:
  chat:
    targets:
      - north/sim-large
      - south/sim-small
{}",
        key(token, "default_route: chat, passthrough: south"),
    );
    let about = "No provider's key was found, so two simulated providers answer: `north`, which is overloaded at \
                 every fifth request, and `south`, which takes over then. The record of each request says so below.";
    Ok((text, about.into()))
}

fn key(token: &str, more: &str) -> String {
    format!(
        "keys:\n  - {{ id: dev, hash: \"sha256:{}\", {more} }}\n",
        sha256(token.as_bytes())
    )
}

/// A port that is free now. Another process may take it first; then the start says so.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn welcome(
    out: &mut impl Write,
    at: Addresses,
    route: &str,
    token: Option<&str>,
    about: Option<&str>,
) -> io::Result<()> {
    let Addresses { listen, admin } = at;
    let base = format!("http://{listen}/v1");
    if let Some(about) = about {
        writeln!(out, "{about}\n")?;
    }
    let token = token.unwrap_or("<a token of your configuration>");
    writeln!(
        out,
        "The application changes two settings:

  export OPENAI_BASE_URL={base}
  export OPENAI_API_KEY={token}

Try it:

  curl -N {base}/chat/completions -H 'authorization: Bearer {token}' -H 'content-type: application/json' \\
    -d '{{\"model\": \"{route}\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'

  from openai import OpenAI
  client = OpenAI(base_url=\"{base}\", api_key=\"{token}\")
  answer = client.chat.completions.create(model=\"{route}\", messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}])
  print(answer.choices[0].message.content)

What goes on: http://{admin}/ in a browser. Ready and metrics: /readyz, /metrics there. Ctrl-C ends it.
"
    )?;
    out.flush()
}
