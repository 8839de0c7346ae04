//! Providers: which keys a kind needs, and the URL that each ends up with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::check::Table;
use crate::config::problem::Report;
use crate::snapshot::{BaseUrl, Kind, Provider};

const OPENAI: &str = "https://api.openai.com/v1";
const AZURE_V1: &str = "/openai/v1";

pub(super) fn resolve(root: &Table, report: &mut Report) -> BTreeMap<Arc<str>, Arc<Provider>> {
    let mut providers = BTreeMap::new();
    for (name, table) in root.map("providers") {
        let name: Arc<str> = name.into();
        if name.contains('/') {
            let message =
                "has a slash in its name, which ends at the first one in `provider/model`";
            report.problem(&table.path, message);
        }
        if let Some(provider) = provider(name.clone(), table, report) {
            providers.insert(name, Arc::new(provider));
        }
    }
    providers
}

fn provider(name: Arc<str>, table: &Table, report: &mut Report) -> Option<Provider> {
    let (kind, base_url) = match &*table.text("kind")? {
        "openai" => {
            refuse_api_version(table, report);
            need(table, "secret", "openai", report);
            let base_url = if table.has("base_url") {
                table.url("base_url")
            } else {
                BaseUrl::try_new(OPENAI).ok()
            };
            (Kind::OpenAi, base_url)
        }
        "azure" => {
            need(table, "secret", "azure", report);
            need(table, "base_url", "azure", report);
            azure(table, report)?
        }
        // The checker has let no further word through.
        kind => {
            refuse_api_version(table, report);
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
    let secret = table.reference("secret");
    if secret.is_some() && !base_url.is_https() && !is_loopback(base_url.host()) {
        let message = format!("the secret is sent to `{}` in clear text", base_url.host());
        report.warning(&at, message);
    }
    Some(Provider {
        name,
        kind,
        base_url,
        secret,
        ca: table.text("ca").map(|file| file.as_ref().into()),
    })
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

fn refuse_api_version(table: &Table, report: &mut Report) {
    if table.has("api_version") {
        report.problem(&table.at("api_version"), "is for `kind: azure` only");
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
