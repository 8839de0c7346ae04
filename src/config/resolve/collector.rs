//! Collectors elsewhere: of records, and of spans.

use http::{HeaderMap, HeaderName};

use super::{central, headers};
use crate::collect::Collector;
use crate::config::TracesConfig;
use crate::config::node::Table;
use crate::config::problem::Report;

/// `None` where no spans are told.
pub(super) fn traces(root: &Table, report: &mut Report) -> Option<TracesConfig> {
    let table = root.table("traces")?;
    Some(TracesConfig {
        collector: collector(table, report)?,
        sample: table.percent("sample")?,
    })
}

pub(super) fn collector(table: &Table, report: &mut Report) -> Option<Collector> {
    let auth = central::auth(table, report);
    let url = table.source_url("url");
    let is_certificate = matches!(auth, Some(crate::source::Auth::Certificate { .. }));
    match url.as_ref().map(crate::source::SourceUrl::web) {
        Some(Err(why)) => report.problem(&table.at("url"), why),
        Some(Ok((false, ..))) if is_certificate => {
            let message = "shows a certificate, for which its URL must be one of TLS";
            report.problem(&table.at("auth"), message);
        }
        Some(Ok(_)) | None => {}
    }
    Some(Collector {
        url: url?,
        token_header: token_header(table, report),
        auth: auth?,
        ca: table.text("ca").map(|file| file.as_ref().into()),
        headers: own_headers(table, report),
        gzip: table.flag("gzip").unwrap_or(false),
        every: table.duration("every")?,
    })
}

fn token_header(table: &Table, report: &mut Report) -> Option<HeaderName> {
    let auth = table.table("auth")?;
    let text = auth.text("header")?;
    if !auth.has("token_file") {
        report.problem(
            &auth.at("header"),
            "has no token to carry: `token_file` is missing",
        );
    }
    let name = HeaderName::from_bytes(text.as_bytes()).ok();
    let name = name.filter(|name| !headers::OF_THE_REQUEST.contains(name));
    if name.is_none() {
        report.problem(&auth.at("header"), "is no header that a token can go into");
    }
    name
}

fn own_headers(table: &Table, report: &mut Report) -> HeaderMap {
    let mut own = HeaderMap::new();
    for (at, name, value) in table.named_texts("headers") {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            report.problem(&at, "is not a header's name");
            continue;
        };
        if headers::CREDENTIALS.contains(&name) {
            let hint = "a token is read from `auth.token_file`";
            report.problem_with_hint(&at, "carries a credential", hint);
        } else if headers::OF_THE_REQUEST.contains(&name) {
            report.problem(&at, "is set by Pillion for each request");
        } else if let Some(mut value) = headers::value_of(&value) {
            value.set_sensitive(true);
            own.insert(name, value);
        } else {
            report.problem(&at, "holds what no header can: write printable ASCII");
        }
    }
    own
}
