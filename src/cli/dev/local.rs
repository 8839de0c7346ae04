//! An Ollama, where `OLLAMA_HOST` says that there is one: it is asked which models it has.
//!
//! <https://docs.ollama.com/faq>, `envconfig` of its source, <https://docs.ollama.com/api/openai-compatibility>
//! (read 2026-11).

use std::io;
use std::time::Duration;

use serde::Deserialize;

use super::built_in::{Known, Local};
use crate::cli::check::Env;
use crate::cli::run::runtime;
use crate::tasks::Tasks;
use crate::upstream::{Clients, Egress, Errand, Reply};

const VARIABLE: &str = "OLLAMA_HOST";
const PORT: u16 = 11434;
/// It is on this machine, or near.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest list of models, in bytes.
const LARGEST: usize = 1 << 20;

/// What it has, if there is one. One that does not answer, or has no model, is said and left out.
///
/// # Errors
/// The system's, of a runtime.
pub(super) fn ask(known: &Known<'_>, env: &Env) -> io::Result<Option<Local>> {
    let Some(host) = known(VARIABLE) else {
        return Ok(None);
    };
    let base_url = base_url(&host);
    let runtime = runtime(1)?;
    let asked = runtime.block_on(models(&base_url, env));
    runtime.shutdown_background();
    match asked {
        Ok(models) if !models.is_empty() => Ok(Some(Local {
            name: "ollama",
            base_url,
            models,
        })),
        Ok(_) => {
            tracing::warn!("{VARIABLE} is not used: the server there has no model yet");
            Ok(None)
        }
        Err(why) => {
            tracing::warn!("{VARIABLE} is not used: {base_url} {why}");
            Ok(None)
        }
    }
}

async fn models(base_url: &str, env: &Env) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Model>,
    }
    #[derive(Deserialize)]
    struct Model {
        id: String,
    }
    let clients = Clients::new(Tasks::default(), Egress::of(env));
    let url = format!("{base_url}/models");
    let errand = Errand::get(&url, LARGEST, PATIENCE);
    let Reply { status, body, .. } = errand
        .run(&clients.trusting(None))
        .await
        .map_err(|why| why.to_string())?;
    if !status.is_success() {
        return Err(format!("answers with status {status}"));
    }
    let list: List = serde_json::from_slice(&body).map_err(|_| "answers with no list of models")?;
    Ok(list.data.into_iter().map(|model| model.id).collect())
}

/// Where its API like OpenAI's is. Its variable may be a host, a port, both, or a URL; an address to listen on
/// at every interface is this machine's.
fn base_url(host: &str) -> String {
    let host = host.trim().trim_matches(['"', '\'']).trim_end_matches('/');
    let (scheme, usual, rest) = match host.split_once("://") {
        Some(("https", rest)) => ("https", 443, rest),
        Some((_, rest)) => ("http", 80, rest),
        None => ("http", PORT, host),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // An address of IPv6 has colons of its own.
    let port = authority
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
        .filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let (host, port) = port.unwrap_or((authority, usual));
    let host = match host.trim_matches(['[', ']']) {
        "" | "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}:{port}{slash}{path}/v1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_read_as_its_owner_reads_it() {
        for (host, expected) in [
            ("127.0.0.1", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080/v1"),
            (":8080", "http://127.0.0.1:8080/v1"),
            ("gpu.internal", "http://gpu.internal:11434/v1"),
            ("http://gpu.internal:11434/", "http://gpu.internal:11434/v1"),
            ("https://gpu.internal", "https://gpu.internal:443/v1"),
            (
                "https://gpu.internal/ollama",
                "https://gpu.internal:443/ollama/v1",
            ),
            ("[::1]:8080", "http://[::1]:8080/v1"),
            ("[::]", "http://[::1]:11434/v1"),
            ("::1", "http://[::1]:11434/v1"),
        ] {
            assert_eq!(base_url(host), expected, "{host}");
        }
    }
}
