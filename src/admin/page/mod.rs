//! The page on the admin port: what is served of it, to a browser that has nothing but this port.
//!
//! Its files are in this folder as they are served: no build, no framework, no other place. They hold no
//! data. What the page shows it asks `/api` for, each second while somebody looks. `uPlot`, which draws the
//! plots, is kept as its authors have published it; `README.md` says which version.
//!
//! A browser is told to run nothing that is not a file of ours: no script within the page, none from
//! elsewhere, and no text that is made a script or HTML.
//! <https://www.w3.org/TR/CSP3/>, <https://www.w3.org/TR/trusted-types/> (read 2026-11)

use std::fmt::Write as _;
use std::sync::OnceLock;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use ring::digest::{SHA256, digest};

use crate::body::{self, Body};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const PLAIN: &str = "text/plain; charset=utf-8";

/// One file.
#[derive(Debug)]
pub(super) struct Asset {
    path: &'static str,
    kind: &'static str,
    content: &'static [u8],
    /// Of its content, once somebody has asked for it.
    tag: OnceLock<HeaderValue>,
}

static ASSETS: [Asset; 22] = [
    Asset::new("/", HTML, include_bytes!("index.html")),
    Asset::new("/page/icon.svg", SVG, include_bytes!("icon.svg")),
    Asset::new("/page/base.css", CSS, include_bytes!("base.css")),
    Asset::new("/page/parts.css", CSS, include_bytes!("parts.css")),
    Asset::new("/page/requests.css", CSS, include_bytes!("requests.css")),
    Asset::new("/page/app.js", SCRIPT, include_bytes!("app.js")),
    Asset::new("/page/api.js", SCRIPT, include_bytes!("api.js")),
    Asset::new("/page/charts.js", SCRIPT, include_bytes!("charts.js")),
    Asset::new(
        "/page/configuration.js",
        SCRIPT,
        include_bytes!("configuration.js"),
    ),
    Asset::new("/page/detail.js", SCRIPT, include_bytes!("detail.js")),
    Asset::new("/page/dom.js", SCRIPT, include_bytes!("dom.js")),
    Asset::new("/page/format.js", SCRIPT, include_bytes!("format.js")),
    Asset::new("/page/keys.js", SCRIPT, include_bytes!("keys.js")),
    Asset::new("/page/requests.js", SCRIPT, include_bytes!("requests.js")),
    Asset::new("/page/routes.js", SCRIPT, include_bytes!("routes.js")),
    Asset::new("/page/spend.js", SCRIPT, include_bytes!("spend.js")),
    Asset::new("/page/standing.js", SCRIPT, include_bytes!("standing.js")),
    Asset::new("/page/theme.js", SCRIPT, include_bytes!("theme.js")),
    Asset::new("/page/waterfall.js", SCRIPT, include_bytes!("waterfall.js")),
    Asset::new(
        "/page/uplot/uPlot.iife.min.js",
        SCRIPT,
        include_bytes!("uplot/uPlot.iife.min.js"),
    ),
    Asset::new(
        "/page/uplot/uPlot.min.css",
        CSS,
        include_bytes!("uplot/uPlot.min.css"),
    ),
    Asset::new(
        "/page/uplot/LICENSE",
        PLAIN,
        include_bytes!("uplot/LICENSE"),
    ),
];

/// What is there, if anything is.
pub(super) fn at(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

impl Asset {
    const fn new(path: &'static str, kind: &'static str, content: &'static [u8]) -> Self {
        let tag = OnceLock::new();
        Self {
            path,
            kind,
            content,
            tag,
        }
    }

    /// The file, or that it is still the one that the browser has.
    pub(super) fn respond(&self, headers: &HeaderMap) -> Response<Body> {
        let mut known = headers.get_all(IF_NONE_MATCH).iter();
        let is_known = known.any(|tags| self.is_among(tags));
        let mut response = Response::new(body::full(if is_known { &[] } else { self.content }));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let told = response.headers_mut();
        told.insert(ETAG, self.tag().clone());
        for (name, value) in [
            (CONTENT_TYPE, self.kind),
            (CACHE_CONTROL, "no-cache"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (
                HeaderName::from_static("cross-origin-resource-policy"),
                "same-origin",
            ),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                "same-origin",
            ),
        ] {
            told.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    /// For who has not shown the token, as a browser cannot on its first way here: the page without an
    /// answer of `/api` asks for it. What belongs to the page holds no data.
    pub(super) fn without_token(&self, headers: &HeaderMap) -> Response<Body> {
        let mut response = self.respond(headers);
        if self.path == "/" && response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }

    fn is_among(&self, tags: &HeaderValue) -> bool {
        let tag = self.tag().as_bytes();
        let mut tags = tags.as_bytes().split(|byte| *byte == b',');
        tags.any(|known| known.trim_ascii() == tag)
    }

    fn tag(&self) -> &HeaderValue {
        self.tag.get_or_init(|| {
            let digest = digest(&SHA256, self.content);
            let mut tag = String::from("\"");
            for byte in &digest.as_ref()[..8] {
                // Writing to a string does not fail.
                let _ = write!(tag, "{byte:02x}");
            }
            tag.push('"');
            // It is: quotes and digits.
            HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the binary, in bytes.
    const ROOM: usize = 150 * 1024;

    #[test]
    fn all_of_it_is_small() {
        let size: usize = ASSETS.iter().map(|asset| asset.content.len()).sum();
        assert!(size <= ROOM, "{size} bytes");
        assert!(ASSETS.iter().all(|asset| !asset.content.is_empty()));
    }

    #[test]
    fn what_the_page_names_is_there_and_all_there_is_is_named() {
        let text = |asset: &Asset| String::from_utf8_lossy(asset.content).into_owned();
        let texts: Vec<String> = ASSETS.iter().map(text).collect();
        for asset in ASSETS.iter().skip(1) {
            let file = asset.path.rsplit('/').next().unwrap_or_default();
            assert!(texts.iter().any(|text| text.contains(file)), "{file}");
        }
        let html = text(&ASSETS[0]);
        for part in html
            .split(['"', '\''])
            .filter(|part| part.starts_with("page/"))
        {
            assert!(at(&format!("/{part}")).is_some(), "{part}");
        }
        for text in &texts {
            for (_, rest) in text
                .match_indices("from './")
                .map(|(at, name)| text.split_at(at + name.len()))
            {
                let file = rest.split('\'').next().unwrap_or_default();
                assert!(at(&format!("/page/{file}")).is_some(), "{file}");
            }
        }
        assert!(
            !html.contains("<style") && !html.contains("style="),
            "refused by the policy"
        );
    }

    #[test]
    fn a_browser_is_told_what_it_may_do_and_asks_for_a_file_once() {
        let page = at("/").unwrap();
        let first = page.respond(&HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        for (name, value) in [
            ("content-type", HTML),
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(first.headers()[name], value);
        }
        assert!(!POLICY.contains("unsafe"));
        let tag = &first.headers()[ETAG];
        let known = |tag: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, tag.parse().unwrap());
            page.respond(&headers).status()
        };
        let tag = tag.to_str().unwrap();
        assert_eq!(known(tag), StatusCode::NOT_MODIFIED);
        assert_eq!(known(&format!("\"x\", {tag}")), StatusCode::NOT_MODIFIED);
        assert_eq!(known("\"x\""), StatusCode::OK);
        let tags: std::collections::BTreeSet<_> =
            ASSETS.iter().map(|asset| asset.tag().as_bytes()).collect();
        assert_eq!(tags.len(), ASSETS.len());
    }
}
