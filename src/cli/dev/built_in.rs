//! The configuration for which no file is needed: providers by the keys that are there, and routes between
//! them; else two simulated providers. Variables in, YAML out.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::vendors::{BaseUrl, Model, Size, VENDORS, Vendor};
use crate::config::{Problem, sha256};

/// What a variable holds; one that is empty is as one that is not set.
pub(super) type Known<'a> = dyn Fn(&str) -> Option<String> + 'a;

pub(super) struct BuiltIn {
    pub(super) yaml: String,
    /// What it is, for people.
    pub(super) about: String,
    /// What was found and is not used, and why.
    pub(super) notes: Vec<String>,
    /// Paths of the configuration, each with the variable that it was made of.
    said: Vec<(String, &'static str)>,
}

impl BuiltIn {
    /// What is wrong, by the variables that say it: nobody has written the text.
    pub(super) fn told(&self, mut problems: Vec<Problem>) -> Vec<Problem> {
        for problem in &mut problems {
            let said = self.said.iter().find(|(path, _)| *path == problem.path);
            if let Some((_, variable)) = said {
                (problem.path, problem.at) = (String::new(), None);
                problem.file = (*variable).to_owned();
            }
        }
        problems
    }
}

/// A server of one's own that serves models by OpenAI's API without a key.
pub(super) struct Local {
    pub(super) name: &'static str,
    pub(super) base_url: String,
    pub(super) models: Vec<String>,
}

/// # Errors
/// No port is free.
pub(super) fn built_in(
    token: &str,
    known: &Known<'_>,
    local: Option<Local>,
    listen: SocketAddr,
) -> io::Result<BuiltIn> {
    let mut notes = Vec::new();
    let found = VENDORS
        .iter()
        .filter_map(|vendor| find(vendor, known, listen, &mut notes));
    let mut found: Vec<Found> = found.collect();
    found.extend(local.and_then(Found::of_local));
    let (yaml, about) = if found.is_empty() {
        simulated(token, !notes.is_empty())?
    } else {
        real(&found, token)
    };
    let said = found.iter().filter_map(|it| {
        let path = format!("providers.{}.base_url", it.name);
        Some((path, it.base_url_of?))
    });
    Ok(BuiltIn {
        yaml,
        about,
        notes,
        said: said.collect(),
    })
}

/// A provider to be used.
struct Found {
    name: &'static str,
    kind: &'static str,
    base_url: String,
    /// The variable that says it, where one does.
    base_url_of: Option<&'static str>,
    /// The variable with its key.
    key: Option<&'static str>,
    chat: String,
    large: String,
    embeddings: Option<&'static str>,
    /// What it has by its own name.
    models: Vec<(String, Size)>,
}

impl Found {
    fn of_local(local: Local) -> Option<Self> {
        let first = local.models.first()?.clone();
        Some(Self {
            name: local.name,
            kind: "openai-compatible",
            base_url: local.base_url,
            base_url_of: Some("OLLAMA_HOST"),
            key: None,
            chat: first.clone(),
            large: first,
            embeddings: None,
            models: local
                .models
                .into_iter()
                .map(|it| (it, Size::Chat))
                .collect(),
        })
    }

    /// Its model of this size.
    fn model(&self, size: Size) -> Option<&str> {
        match size {
            Size::Chat => Some(&self.chat),
            Size::Large => Some(&self.large),
            Size::Embeddings => self.embeddings,
        }
    }
}

fn find(
    vendor: &'static Vendor,
    known: &Known<'_>,
    listen: SocketAddr,
    notes: &mut Vec<String>,
) -> Option<Found> {
    let keys = vendor.keys.iter();
    let (key, value) = keys.copied().find_map(|key| Some((key, known(key)?)))?;
    if value.starts_with("pillion_") {
        notes.push(format!(
            "{key} is not used: it holds a token of Pillion's own, not a key of {}.",
            vendor.name
        ));
        return None;
    }
    let (base_url, base_url_of) = match &vendor.base_url {
        BaseUrl::Said(variable) => {
            let url = known(variable).or_else(|| lacks(key, variable, notes))?;
            (checked(&url, key, variable, notes)?, Some(*variable))
        }
        BaseUrl::Usual(usual, elsewhere) => {
            let said = elsewhere
                .as_ref()
                .and_then(|it| Some((it, known(it.variable)?)));
            match said {
                Some((it, url)) if is_here(&url, listen) => {
                    notes.push(format!(
                        "{} is not used: it is the address of this proxy.",
                        it.variable
                    ));
                    ((*usual).to_owned(), None)
                }
                Some((it, url)) => {
                    let url = checked(&url, key, it.variable, notes)?;
                    (with_path(&url, it.path), Some(it.variable))
                }
                None => ((*usual).to_owned(), None),
            }
        }
    };
    let mut model = |model: &Model| match model {
        Model::Known(model) => Some((*model).to_owned()),
        Model::Said(variables) => {
            let mut said = variables.iter();
            let said = said.find_map(|variable| Some((*variable, known(variable)?)));
            let Some((variable, model)) = said else {
                return lacks(key, variables[0], notes);
            };
            if model.contains(char::is_whitespace) {
                notes.push(format!(
                    "{key} is not used: {variable} has white space in it."
                ));
                return None;
            }
            Some(model)
        }
    };
    let chat = model(&vendor.chat)?;
    let models = vendor.models().into_iter();
    Some(Found {
        name: vendor.name,
        kind: vendor.kind,
        base_url,
        base_url_of,
        key: Some(key),
        large: model(&vendor.large)?,
        chat,
        embeddings: vendor.embeddings,
        models: models.map(|(name, size)| (name.to_owned(), size)).collect(),
    })
}

fn lacks(key: &str, variable: &str, notes: &mut Vec<String>) -> Option<String> {
    notes.push(format!("{key} is not used: {variable} is not set."));
    None
}

/// The URL that a variable holds. Where it is none, its provider is not guessed at: the key is not used.
fn checked(url: &str, key: &str, variable: &str, notes: &mut Vec<String>) -> Option<String> {
    let url = url.trim();
    let uri = url.parse::<http::Uri>();
    if uri.is_ok_and(|it| matches!(it.scheme_str(), Some("http" | "https"))) {
        return Some(url.to_owned());
    }
    notes.push(format!(
        "{key} is not used: what {variable} holds is no URL, which begins with https:// or http://."
    ));
    None
}

/// Whether what listens there is this proxy: an environment that was made for applications.
fn is_here(url: &str, listen: SocketAddr) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let is_loopback = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    is_loopback && uri.port_u16() == Some(listen.port())
}

fn with_path(url: &str, path: &str) -> String {
    let url = url.trim_end_matches('/');
    if url.ends_with(path) {
        url.to_owned()
    } else {
        format!("{url}{path}")
    }
}

/// Providers, and a route for each name that an application may ask for.
fn real(found: &[Found], token: &str) -> (String, String) {
    let mut yaml = String::from("providers:\n");
    for provider in found {
        let secret = provider
            .key
            .map_or_else(String::new, |key| format!(", secret: \"env:{key}\""));
        // Writing to a string does not fail.
        let _ = writeln!(
            yaml,
            "  {}: {{ kind: {}, base_url: {}{secret} }}",
            provider.name,
            provider.kind,
            quoted(&provider.base_url)
        );
    }
    yaml += "routes:\n";
    let mut about = named(found);
    let mut routes = BTreeSet::new();
    for (route, size) in [
        ("chat", Size::Chat),
        ("large", Size::Large),
        ("embeddings", Size::Embeddings),
    ] {
        let targets = found.iter().filter_map(|it| Some((it, it.model(size)?)));
        let targets = targets.map(|(it, model)| format!("{}/{model}", it.name));
        // Another model's vectors are of no use beside those that an application has already.
        let most = if size == Size::Embeddings {
            1
        } else {
            found.len()
        };
        let targets: Vec<String> = targets.take(most).collect();
        if targets.is_empty() {
            continue;
        }
        let _ = write!(about, "\n  {route:<11}{}", targets.join(", then "));
        routes.insert(route.to_owned());
        write_route(&mut yaml, route, &targets);
    }
    let first = found.first().map_or("", |provider| provider.name);
    let mut count = 0;
    for provider in found {
        for (model, size) in &provider.models {
            if !routes.insert(model.clone()) {
                continue;
            }
            let own = format!("{}/{model}", provider.name);
            let others = found.iter().filter(|it| it.name != provider.name);
            let alike = others
                .filter(|_| *size != Size::Embeddings)
                .filter_map(|it| Some(format!("{}/{}", it.name, it.model(*size)?)));
            let targets: Vec<String> = std::iter::once(own).chain(alike).collect();
            // What has nowhere else to go needs no route where it would get without one.
            if targets.len() > 1 || provider.name != first {
                write_route(&mut yaml, model, &targets);
                count += 1;
            }
        }
    }
    yaml += &key(token, &format!("passthrough: {first}"));
    if count > 0 {
        let _ = write!(
            about,
            "\n  and {count} models by their own names, each at its provider, then a like one of the others"
        );
    }
    let _ = write!(about, "\nAny other model goes to {first} unchanged.");
    (yaml, about)
}

fn named(found: &[Found]) -> String {
    let mut text = String::from("Providers: ");
    for (nth, provider) in found.iter().enumerate() {
        let comma = if nth > 0 { ", " } else { "" };
        let by = provider.key.unwrap_or("OLLAMA_HOST");
        let _ = write!(text, "{comma}{} (by {by})", provider.name);
    }
    text + ". Routes, in the order of fallback:"
}

fn write_route(yaml: &mut String, name: &str, targets: &[String]) {
    let targets: Vec<String> = targets.iter().map(|target| quoted(target)).collect();
    let _ = writeln!(
        yaml,
        "  {}: {{ targets: [{}] }}",
        quoted(name),
        targets.join(", ")
    );
}

/// Each JSON string is a YAML one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `is_unused` where there are keys, and it was said why they are of no use.
fn simulated(token: &str, is_unused: bool) -> io::Result<(String, String)> {
    // Both are held until both are known.
    let held = [free_port()?, free_port()?];
    let [north, south] = held.each_ref().map(|(_, port)| port);
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
    let why = if is_unused {
        "No provider can be used by the keys that were found."
    } else {
        "No provider's key was found, neither in the environment nor in .env."
    };
    let about = format!(
        "{why} So two simulated providers answer whatever model is asked for: `north`, which is overloaded at every fifth \
         request, and `south`, which takes over then."
    );
    Ok((text, about))
}

fn key(token: &str, more: &str) -> String {
    format!(
        "keys:\n  - {{ id: dev, hash: \"sha256:{}\", {more} }}\n",
        sha256(token.as_bytes())
    )
}

/// A port that is free now. It is taken a moment later, so it is none of those that systems give to whoever asks
/// for any: another process could get it meanwhile.
fn free_port() -> io::Result<(TcpListener, u16)> {
    let mut taken = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..64 {
        let port = fastrand::u16(20_000..30_000);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(held) => return Ok((held, port)),
            Err(error) => taken = error,
        }
    }
    Err(taken)
}

#[cfg(test)]
mod tests;
