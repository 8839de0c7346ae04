//! One question to somebody who issues credentials, and what its answer means.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use zeroize::Zeroizing;

use crate::outcome::{Class, Failure};
use crate::upstream::client::Client;
use crate::upstream::errand::Errand;
use crate::upstream::escape::escaped;
use crate::upstream::files;

/// No answer that holds a credential comes near this.
const LONGEST: usize = 64 << 10;
/// Each question; a chain of several has a limit of its own.
const ANSWER: Duration = Duration::from_secs(5);

pub(super) struct Question<'a> {
    /// Who is asked, for the log and the record: `the STS endpoint`.
    pub(super) whom: &'static str,
    pub(super) errand: Errand<'a>,
}

impl<'a> Question<'a> {
    pub(super) fn get(whom: &'static str, url: &'a str) -> Self {
        Self {
            whom,
            errand: Errand::get(url, LONGEST, ANSWER),
        }
    }

    /// A form that is posted.
    pub(super) fn form(whom: &'static str, url: &'a str, fields: &[(&str, &str)]) -> Self {
        let mut question = Self::get(whom, url);
        question.errand.method = Method::POST;
        question.errand.headers.insert(CONTENT_TYPE, FORM);
        question.errand.body = form(fields).into();
        question
    }

    /// A header whose value may be secret. One that can be none is left out, and refused over there.
    pub(super) fn header(self, name: &'static str, value: &str) -> Self {
        Self {
            errand: self.errand.header(HeaderName::from_static(name), value),
            ..self
        }
    }

    /// The body of an answer with a status of success.
    ///
    /// # Errors
    /// `Connect` when there is no answer or the asked one is at fault, `Auth` when it refuses.
    pub(super) async fn ask(self, client: &Client) -> Result<Bytes, Failure> {
        let Self { whom, errand } = self;
        let failed = |class, what: &str| Failure::new(class, format!("{whom} {what}"));
        let reply = errand.run(client).await;
        let reply = reply.map_err(|undone| failed(Class::Connect, &undone.to_string()))?;
        let (status, body) = (reply.status, reply.body);
        if status.is_success() {
            return Ok(body);
        }
        let class = match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Class::Connect,
            status if status.is_client_error() => Class::Auth,
            _ => Class::Connect,
        };
        let code = error_code(&body).map_or_else(String::new, |code| format!(" {code}"));
        Err(failed(
            class,
            &format!("answered {}{code}", status.as_u16()),
        ))
    }
}

/// An answer that is none.
pub(super) fn unreadable(whom: &str) -> Failure {
    Failure::new(Class::Connect, format!("{whom} gave what is no credential"))
}

/// A file's text, if there is one that can be read.
pub(super) async fn file(path: &Path) -> Option<Zeroizing<String>> {
    files::text("the file", path).await.ok()
}

/// The text between the first `<NAME>` and its end.
pub(super) fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// The word by which OAuth or AWS name what was wrong; nothing longer is passed on.
fn error_code(body: &[u8]) -> Option<String> {
    let text = str::from_utf8(body).ok()?;
    let json: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let code = match &json {
        Some(json) => json.get("error").or_else(|| json.get("code"))?.as_str()?,
        None => element(text, "Code")?,
    };
    let is_word = |b: u8| b.is_ascii_alphabetic() || b"_-.".contains(&b);
    (code.len() <= 40 && code.bytes().all(is_word)).then(|| code.to_owned())
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(&escaped(value, b"-._~"));
    }
    out
}

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_of_an_error_is_passed_on() {
        for (body, code) in [
            (
                r#"{"error":"invalid_grant","error_description":"canary"}"#,
                Some("invalid_grant"),
            ),
            (r#"{"error":{"message":"canary"}}"#, None),
            (r#"{"error":"a canary that sings"}"#, None),
            (
                "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>canary</Message></Error></ErrorResponse>",
                Some("InvalidIdentityToken"),
            ),
            ("canary", None),
            ("", None),
        ] {
            assert_eq!(error_code(body.as_bytes()).as_deref(), code, "{body}");
        }
    }

    #[test]
    fn a_form_is_encoded() {
        let fields = [("grant_type", "urn:a b"), ("assertion", "x.y-z=")];
        assert_eq!(form(&fields), "grant_type=urn%3Aa%20b&assertion=x.y-z%3D");
    }
}
