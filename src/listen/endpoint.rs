//! What a method and a path mean.
//!
//! The `/v1` in front is optional everywhere. What is not ours passes through as it came, to a
//! provider that may read paths more kindly than we do; so a path that could there become another
//! one, and one of ours above all, is not found here. Pure; never here: the query.
//!
//! <https://www.rfc-editor.org/rfc/rfc3986#section-3.3> (read 2026-08)

use std::borrow::Cow;

use http::{Method, StatusCode};

use crate::chat::Surface;
use crate::error::GatewayError;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST` of a body that is read here.
    Surface(Surface),
    /// The models this caller may use.
    Models,
    /// One of them, percent-decoded: SDKs write `org/model` as `org%2Fmodel`.
    Model(String),
    /// Whatever else: the path without `/v1`, as it came, beginning with `/`.
    Passthrough(String),
}

impl Endpoint {
    /// # Errors
    /// 404 for a path that has a second reading.
    pub fn of(method: &Method, path: &str) -> Result<Self, GatewayError> {
        let path = without_version(path).unwrap_or(path);
        let Some(known) = Known::of(path) else {
            return passthrough(path).ok_or_else(not_found);
        };
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match known {
            Known::Surface(surface) if method == Method::POST => Ok(Self::Surface(surface)),
            Known::Models if reads => Ok(Self::Models),
            Known::Model(id) => {
                let id = decode(id).ok_or_else(not_found)?;
                Ok(if reads {
                    Self::Model(id.into_owned())
                } else {
                    Self::Passthrough(path.to_owned())
                })
            }
            // To list stored answers or delete a fine-tuned model is their provider's business.
            Known::Surface(_) | Known::Models => Ok(Self::Passthrough(path.to_owned())),
        }
    }

    pub fn surface(&self) -> Surface {
        match self {
            Self::Surface(surface) => *surface,
            Self::Models | Self::Model(_) => Surface::Models,
            Self::Passthrough(_) => Surface::Passthrough,
        }
    }
}

/// The surface that a path leads to, as far as the path alone tells.
pub fn surface(path: &str) -> Surface {
    match Known::of(without_version(path).unwrap_or(path)) {
        Some(Known::Surface(surface)) => surface,
        Some(Known::Models | Known::Model(_)) => Surface::Models,
        None => Surface::Passthrough,
    }
}

/// A path of ours.
enum Known<'a> {
    Surface(Surface),
    Models,
    /// The model as it is written in the path.
    Model(&'a str),
}

impl<'a> Known<'a> {
    fn of(path: &'a str) -> Option<Self> {
        Some(match path {
            "/chat/completions" => Self::Surface(Surface::Chat),
            "/completions" => Self::Surface(Surface::Completions),
            "/embeddings" => Self::Surface(Surface::Embeddings),
            "/responses" => Self::Surface(Surface::Responses),
            "/messages" => Self::Surface(Surface::Messages),
            "/messages/count_tokens" => Self::Surface(Surface::CountTokens),
            "/models" => Self::Models,
            _ => {
                let id = path.strip_prefix("/models/")?;
                return (!id.is_empty() && !id.contains('/')).then_some(Self::Model(id));
            }
        })
    }
}

/// The path behind `/v1`, if that is where it begins.
fn without_version(path: &str) -> Option<&str> {
    path.strip_prefix("/v1")
        .filter(|rest| rest.starts_with('/'))
}

/// A path that is not ours in any spelling, and has one reading alone.
fn passthrough(path: &str) -> Option<Endpoint> {
    let segments = path
        .strip_prefix('/')?
        .split('/')
        .map(decode)
        .collect::<Option<Vec<_>>>()?;
    // Only the name of a model may hold a slash that divides nothing.
    let divided = segments.iter().all(|segment| !segment.contains('/'));
    let plain = format!("/{}", segments.join("/").to_ascii_lowercase());
    // What begins with a version still has another spelling of it, or a second one.
    let versioned = plain == "/v1" || without_version(&plain).is_some();
    (divided && !versioned && Known::of(&plain).is_none())
        .then(|| Endpoint::Passthrough(path.to_owned()))
}

/// A segment percent-decoded; `None` when it is not UTF-8, or could act as more than a name:
/// nothing, dots, a backslash, a control character, or one of these beside an encoded slash.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    let decoded = if segment.contains('%') {
        Cow::Owned(String::from_utf8(unescape(segment.as_bytes())?).ok()?)
    } else {
        Cow::Borrowed(segment)
    };
    let odd = decoded.contains(|c: char| c == '\\' || c.is_control())
        || decoded.split('/').any(|part| {
            // Some servers cut a segment's parameters off before they look at its dots.
            let name = part.split(';').next().unwrap_or_default();
            matches!(name, "" | "." | "..")
        });
    (!odd).then_some(decoded)
}

fn unescape(segment: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = segment.iter().copied();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => (hex(bytes.next()?)? << 4) | hex(bytes.next()?)?,
            plain => plain,
        });
    }
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

fn not_found() -> GatewayError {
    GatewayError::Refused {
        status: StatusCode::NOT_FOUND,
        code: "not_found",
        message: "There is nothing at this path.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, path: &str) -> Result<Endpoint, String> {
        Endpoint::of(&method.parse().unwrap(), path).map_err(|error| {
            let (status, _, code) = error.wire();
            format!(
                "{} {code} {}",
                status.as_u16(),
                error.allow().unwrap_or("-")
            )
        })
    }

    #[test]
    fn a_path_of_ours_is_one_with_and_without_v1() {
        let model = |id: &str| Endpoint::Model(id.into());
        for (method, path, endpoint) in [
            (
                "POST",
                "/chat/completions",
                Endpoint::Surface(Surface::Chat),
            ),
            (
                "POST",
                "/completions",
                Endpoint::Surface(Surface::Completions),
            ),
            (
                "POST",
                "/embeddings",
                Endpoint::Surface(Surface::Embeddings),
            ),
            ("POST", "/responses", Endpoint::Surface(Surface::Responses)),
            ("POST", "/messages", Endpoint::Surface(Surface::Messages)),
            (
                "POST",
                "/messages/count_tokens",
                Endpoint::Surface(Surface::CountTokens),
            ),
            ("GET", "/models", Endpoint::Models),
            ("HEAD", "/models", Endpoint::Models),
            ("GET", "/models/gpt-4o", model("gpt-4o")),
            ("HEAD", "/models/gpt-4o", model("gpt-4o")),
            ("GET", "/models/org%2Fmodel", model("org/model")),
            ("GET", "/models/org%2fmodel%3Afree", model("org/model:free")),
            ("GET", "/models/ft:gpt-4o:x", model("ft:gpt-4o:x")),
            ("GET", "/models/%D0%BC", model("м")),
            ("GET", "/models/models", model("models")),
            ("GET", "/models/GPT-4", model("GPT-4")),
        ] {
            assert_eq!(of(method, path), Ok(endpoint.clone()), "{path}");
            assert_eq!(of(method, &format!("/v1{path}")), Ok(endpoint), "/v1{path}");
        }
    }

    #[test]
    fn whatever_else_passes_through_as_it_came() {
        for (method, path, passed) in [
            ("GET", "/v1/responses/resp_1", "/responses/resp_1"),
            (
                "POST",
                "/v1/responses/input_tokens",
                "/responses/input_tokens",
            ),
            ("POST", "/v1/messages/batches", "/messages/batches"),
            ("GET", "/v1/chat/completions/id", "/chat/completions/id"),
            ("GET", "/v1/chat/completions", "/chat/completions"),
            ("HEAD", "/completions", "/completions"),
            ("POST", "/v1/models", "/models"),
            ("DELETE", "/files/file-1", "/files/file-1"),
            ("DELETE", "/models/ft%3Agpt-4o", "/models/ft%3Agpt-4o"),
            ("POST", "/v1/audio/transcriptions", "/audio/transcriptions"),
            ("GET", "/v1beta/models/x", "/v1beta/models/x"),
            ("GET", "/v2/models", "/v2/models"),
            ("POST", "/files/a%20b", "/files/a%20b"),
            ("POST", "/files/a%252e", "/files/a%252e"),
            ("GET", "/files/...", "/files/..."),
            ("GET", "/files/Mixed-Case", "/files/Mixed-Case"),
            ("GET", "/models/a/b", "/models/a/b"),
            ("GET", "/chat", "/chat"),
        ] {
            let passed = Endpoint::Passthrough(passed.into());
            assert_eq!(of(method, path), Ok(passed), "{path}");
        }
    }

    #[test]
    fn a_path_with_a_second_reading_is_not_found() {
        for path in [
            "",
            "*",
            "/",
            "/v1",
            "/v1/",
            "//v1/models",
            "/v1//models",
            "/v1/models/",
            "/v1/chat/completions/",
            "/v1/files/",
            "/v1/../admin",
            "/v1/./models",
            "/v1/..",
            "/..",
            "/v1/%2e%2e/admin",
            "/v1/%2E./admin",
            "/v1/.%2e/admin",
            "/v1/%2e/models",
            "/v1/..;/admin",
            "/v1/..;x=y/admin",
            "/v1/..%3b/admin",
            "/v1/files/..%2fadmin",
            "/v1/files/x%2f..%2fadmin",
            "/v1/files/..%5cadmin",
            "/v1/files/..\\admin",
            "/v1\\models",
            "/v1/files%5cx",
            "/v1/files%2fx",
            "/v1%2fmodels",
            "/v1/chat%2fcompletions",
            "/v1/chat%2Fcompletions%2f",
            "/v1%2Fchat/completions",
            "/models/%2e%2e",
            "/models/..%2fadmin",
            "/models/org%2F",
            "/models/%2Forg",
            "/models/org%2F%2Fmodel",
            "/models/%",
            "/models/%2",
            "/models/%zz",
            "/models/%+1",
            "/models/%ff",
            "/models/%00",
            "/models/a%0d%0ab",
            "/v1/files/%00",
            "/v1/Models",
            "/V1/models",
            "/V1/files",
            "/%761/models",
            "/v1/v1/models",
            "/v1/v1/files",
            "/v1/V1/files",
            "/v1/%63hat/completions",
            "/v1/chat/%63ompletions",
            "/v1/Chat/Completions",
            "/v1/EMBEDDINGS",
            "/MODELS/gpt-4o",
            "/model%73/gpt-4o",
        ] {
            for method in ["GET", "POST"] {
                assert_eq!(of(method, path), Err("404 not_found -".into()), "{path}");
            }
        }
    }
}
