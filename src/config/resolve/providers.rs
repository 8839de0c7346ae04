//! Providers: which keys a kind needs, and the URL that each ends up with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::node::Table;
use crate::config::problem::Report;
use crate::health::Capacity;
use crate::secret::Reference;
use crate::snapshot::{BaseUrl, Kind, Provider};

use super::headers;

const OPENAI: &str = "https://api.openai.com/v1";
const ANTHROPIC: &str = "https://api.anthropic.com/v1";
const GEMINI: &str = "https://generativelanguage.googleapis.com/v1beta";
const AZURE_V1: &str = "/openai/v1";

/// The keys that mean nothing for most kinds, and those for which they do.
const KEYS_OF_KINDS: &[(&str, &[&str])] = &[
    ("api_version", &["azure"]),
    ("anthropic_version", &["anthropic"]),
    ("project", &["vertex"]),
    ("location", &["vertex"]),
    ("region", &["bedrock"]),
    ("responses", &["openai", "openai-compatible", "azure"]),
];

pub(super) fn resolve(root: &Table, report: &mut Report) -> BTreeMap<Arc<str>, Arc<Provider>> {
    let stores = root.names("secret_stores");
    let mut providers = BTreeMap::new();
    for (name, table) in root.map("providers") {
        let name: Arc<str> = name.into();
        if name.contains('/') {
            let message =
                "has a slash in its name, which ends at the first one in `provider/model`";
            report.problem(&table.path, message);
        }
        if let Some(provider) = provider(name.clone(), table, &stores, report) {
            providers.insert(name, Arc::new(provider));
        }
    }
    providers
}

fn provider(
    name: Arc<str>,
    table: &Table,
    stores: &[&str],
    report: &mut Report,
) -> Option<Provider> {
    let word = table.text("kind")?;
    for (key, kinds) in KEYS_OF_KINDS {
        if table.has(key) && !kinds.contains(&&*word) {
            let message = format!("is for `kind: {}` only", kinds.join("`, `"));
            report.problem(&table.at(key), message);
        }
    }
    if &*word != "openai-compatible" {
        need(table, "secret", &word, report);
    }
    let (kind, base_url) = match &*word {
        "openai" => (Kind::OpenAi, base_url(table, OPENAI)),
        "azure" => {
            need(table, "base_url", "azure", report);
            azure(table, report)?
        }
        "anthropic" => (Kind::Anthropic, base_url(table, ANTHROPIC)),
        "gemini" => (Kind::Gemini, base_url(table, GEMINI)),
        "vertex" => vertex(table, report)?,
        "bedrock" => bedrock(table, report)?,
        // The checker has let no further word through.
        kind => {
            need(table, "base_url", kind, report);
            (Kind::OpenAiCompatible, table.url("base_url"))
        }
    };
    let base_url = base_url?;
    let at = table.at("base_url");
    if base_url.prefix().ends_with("/chat/completions") {
        let hint = "the path after `/v1` is appended to it";
        report.problem_with_hint(&at, "goes beyond `/v1`", hint);
    }
    let secret = secret(&kind, table, stores, report);
    // Of AWS's keys what is signed with them is sent, and a session's token that is good for nothing
    // without them.
    let is_sent = secret.as_ref().is_some_and(|it| *it != Reference::Aws);
    if is_sent && !base_url.is_https() && !is_loopback(base_url.host()) {
        let message = format!("the secret is sent to `{}` in clear text", base_url.host());
        report.warning(&at, message);
    }
    Some(Provider {
        name,
        headers: headers::resolve(&kind, table, report),
        responses: table
            .flag("responses")
            .unwrap_or(matches!(&*word, "openai" | "azure")),
        capacity: table.table("capacity").map(capacity).unwrap_or_default(),
        kind,
        base_url,
        secret,
        ca: table.text("ca").map(|file| file.as_ref().into()),
        residency: table.one_or_more("residency"),
    })
}

fn capacity(table: &Table) -> Capacity {
    Capacity {
        rpm: table.integer("rpm"),
        tpm: table.integer("tpm"),
        concurrency: table.integer("concurrency"),
    }
}

fn base_url(table: &Table, default: &str) -> Option<BaseUrl> {
    if table.has("base_url") {
        table.url("base_url")
    } else {
        BaseUrl::try_new(default).ok()
    }
}

/// Where the token is that others than this machine show.
pub(super) fn admin_token(root: &Table, report: &mut Report) -> Option<Reference> {
    let stores = root.names("secret_stores");
    let reference = stored("admin_token", root, &stores, report)?;
    if matches!(reference, Reference::Aws | Reference::Google) {
        report.problem(&root.at("admin_token"), "is no token that could be shown");
    }
    Some(reference)
}

/// A reference, if the store that it is in is known.
fn stored(key: &str, table: &Table, stores: &[&str], report: &mut Report) -> Option<Reference> {
    let reference = table.reference(key)?;
    if let Some(stored) = reference.stored()
        && !stores.contains(&&*stored.store)
    {
        // Not repeated: what has no store's name before its colon may be the secret itself.
        let message = "is in a store that `secret_stores` does not name";
        let known = stores.iter().copied();
        report.unknown(&table.at(key), message, &stored.store, known);
        return None;
    }
    Some(reference)
}

/// Where the secret is. Two of the kinds know places that no other does.
fn secret(kind: &Kind, table: &Table, stores: &[&str], report: &mut Report) -> Option<Reference> {
    let reference = stored("secret", table, stores, report)?;
    let only = match (&reference, kind) {
        (Reference::Aws, Kind::Bedrock { .. })
        | (Reference::Google, Kind::Vertex { .. })
        | (
            Reference::Env(_) | Reference::File(_) | Reference::Stored(_) | Reference::Document(_),
            _,
        ) => None,
        (Reference::Aws, _) => Some("bedrock"),
        (Reference::Google, _) => Some("vertex"),
    };
    if let Some(only) = only {
        let message = format!("`{reference}` is for `kind: {only}` only");
        report.problem(&table.at("secret"), message);
    }
    match kind {
        Kind::Vertex { .. } => Some(reference.or_document()),
        Kind::OpenAi
        | Kind::OpenAiCompatible
        | Kind::AzureV1
        | Kind::AzureDeployments { .. }
        | Kind::Anthropic
        | Kind::Gemini
        | Kind::Bedrock { .. } => Some(reference),
    }
}

fn vertex(table: &Table, report: &mut Report) -> Option<(Kind, Option<BaseUrl>)> {
    // Old projects belong to a domain, whose name stands before theirs: `example.com:project`.
    let project = segment(table, "project", "vertex", b"-.:", "my-project", report);
    let location = segment(table, "location", "vertex", b"-", "europe-west4", report);
    let (project, location) = (project?, location?);
    let host = match &*location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        region => format!("{region}-aiplatform.googleapis.com"),
    };
    let base_url = base_url(table, &format!("https://{host}/v1"));
    Some((Kind::Vertex { project, location }, base_url))
}

fn bedrock(table: &Table, report: &mut Report) -> Option<(Kind, Option<BaseUrl>)> {
    let region = segment(table, "region", "bedrock", b"-", "eu-central-1", report)?;
    let base_url = base_url(
        table,
        &format!("https://bedrock-runtime.{region}.amazonaws.com"),
    );
    Some((Kind::Bedrock { region }, base_url))
}

/// A key that must be there and stands in hosts, paths and scopes: letters, digits, and `marks`.
fn segment(
    table: &Table,
    key: &str,
    kind: &str,
    marks: &[u8],
    example: &str,
    report: &mut Report,
) -> Option<Arc<str>> {
    need(table, key, kind, report);
    let text = table.text(key)?;
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || marks.contains(&b);
    if !text.bytes().all(fits) {
        let message = format!("`{text}` is not a {key} such as `{example}`");
        report.problem(&table.at(key), message);
        return None;
    }
    Some(text)
}

/// Azure's two forms, told apart by the URL, else by whether there is an `api_version`.
fn azure(table: &Table, report: &mut Report) -> Option<(Kind, Option<BaseUrl>)> {
    let given = table.url("base_url")?;
    let prefix = given.prefix();
    let root = given.to_string();
    let root = root.strip_suffix(prefix).unwrap_or(&root);
    let at = table.at("base_url");
    if prefix.ends_with(AZURE_V1) {
        if table.has("api_version") {
            let message = format!("has no effect: `base_url` ends in `{AZURE_V1}`");
            report.warning(&table.at("api_version"), message);
        }
        return Some((Kind::AzureV1, Some(given)));
    }
    if !matches!(prefix, "" | "/openai") {
        let hint = format!("end it with the host, or with `{AZURE_V1}`");
        let message = format!("has the path `{prefix}`, which is not Azure's");
        report.problem_with_hint(&at, message, hint);
        return None;
    }
    if !table.has("api_version") {
        return Some((
            Kind::AzureV1,
            BaseUrl::try_new(&format!("{root}{AZURE_V1}")).ok(),
        ));
    }
    let api_version = table.text("api_version")?;
    if !api_version
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
    {
        let message = format!("`{api_version}` is not a version such as `2024-10-21`");
        report.problem(&table.at("api_version"), message);
    }
    Some((
        Kind::AzureDeployments { api_version },
        BaseUrl::try_new(root).ok(),
    ))
}

fn need(table: &Table, key: &str, kind: &str, report: &mut Report) {
    if !table.has(key) {
        report.problem(
            &table.at(key),
            format!("is missing; `kind: {kind}` needs it"),
        );
    }
}

pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
