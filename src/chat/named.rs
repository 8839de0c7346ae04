//! The `model` that a request names which is otherwise passed through unread.

use std::ops::Range;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use memchr::memmem;

use super::LONGEST_MODEL;
use super::request::model_twice;
use crate::error::GatewayError;
use crate::wire::json::{Cursor, Invalid, quote};

/// A model's name in a body, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub model: String,
    /// What to replace: in JSON with the quotes.
    span: Range<usize>,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Multipart,
}

impl Named {
    /// Finds the name in a JSON object or a multipart form; nothing else has one.
    ///
    /// # Errors
    /// The name is given twice: the provider might take the other one, which no route allows.
    pub fn find(headers: &HeaderMap, body: &[u8]) -> Result<Option<Self>, GatewayError> {
        let mut all = Self::all(headers, body).unwrap_or_default().into_iter();
        let first = all.next().filter(|it| it.model.len() <= LONGEST_MODEL);
        if all.next().is_some() {
            return Err(model_twice());
        }
        Ok(first)
    }

    /// The first two names, or fewer: one is what it should be, and of two it does not matter which.
    fn all(headers: &HeaderMap, body: &[u8]) -> Option<Vec<Self>> {
        let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let (essence, parameters) = kind.split_once(';').unwrap_or((kind, ""));
        match essence.trim().to_ascii_lowercase().as_str() {
            "application/json" => json(std::str::from_utf8(body).ok()?),
            "multipart/form-data" => multipart(body, boundary(parameters)?),
            _ => None,
        }
    }

    /// `body` with another model in the name's place.
    pub fn rename(&self, body: &[u8], model: &str) -> Vec<u8> {
        let text = match self.form {
            Form::Json => quote(model),
            Form::Multipart => model.to_owned(),
        };
        [
            &body[..self.span.start],
            text.as_bytes(),
            &body[self.span.end..],
        ]
        .concat()
    }
}

fn json(text: &str) -> Option<Vec<Named>> {
    let mut named = Vec::new();
    let mut cursor = Cursor::new(text);
    cursor
        .object(|cursor, key| {
            if key.says("model")
                && named.len() < 2
                && let Some(model) = cursor.string_or_skip()?
            {
                named.push(Named {
                    model: model.decode().into_owned(),
                    span: model.span(),
                    form: Form::Json,
                });
            }
            Ok::<(), Invalid>(())
        })
        .ok()?;
    Some(named)
}

fn boundary(parameters: &str) -> Option<&str> {
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some(value.trim())
    })?;
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    // RFC 2046 allows 70 characters.
    (1..=70).contains(&value.len()).then_some(value)
}

/// Looks through the parts for the field `model`. Each byte is looked at a bounded number of times.
fn multipart(body: &[u8], boundary: &str) -> Option<Vec<Named>> {
    let mut named = Vec::new();
    let delimiter = format!("--{boundary}");
    let mut starts = memmem::find_iter(body, &delimiter);
    let mut start = starts.next()?;
    for next in starts {
        let from = start + delimiter.len();
        if let Some(head) = memmem::find(&body[from..next], b"\r\n\r\n")
            && is_model(&body[from..from + head])
        {
            let value = from + head + 4;
            let end = next
                .checked_sub(2)
                .filter(|&end| end >= value && &body[end..end + 2] == b"\r\n")?;
            let model = std::str::from_utf8(&body[value..end]).ok()?.to_owned();
            named.push(Named {
                model,
                span: value..end,
                form: Form::Multipart,
            });
            if named.len() == 2 {
                break;
            }
        }
        start = next;
    }
    Some(named)
}

fn is_model(head: &[u8]) -> bool {
    std::str::from_utf8(head).is_ok_and(|head| {
        head.lines().any(|line| {
            let Some((name, value)) = line.split_once(':') else {
                return false;
            };
            name.trim().eq_ignore_ascii_case("content-disposition")
                && value
                    .split(';')
                    .any(|part| matches!(part.trim(), "name=\"model\"" | "name=model"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(kind: &str, body: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        let named = Named::find(&headers, body.as_bytes()).unwrap()?;
        let renamed = String::from_utf8(named.rename(body.as_bytes(), "new")).unwrap();
        Some((named.model, renamed))
    }

    #[test]
    fn a_name_is_found_and_replaced_in_json_and_in_forms() {
        let json = r#"{"input":"x","model":"tts","voice":1}"#;
        let expected = ("tts".to_owned(), json.replace("tts", "new"));
        assert_eq!(
            find("application/json; charset=utf-8", json),
            Some(expected)
        );

        let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nmodel\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--b--\r\n";
        let expected = ("whisper".to_owned(), form.replace("whisper", "new"));
        assert_eq!(
            find("multipart/form-data; boundary=\"b\"", form),
            Some(expected)
        );
    }

    #[test]
    fn a_name_that_is_given_twice_is_refused() {
        let part =
            "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n".repeat(2);
        for (kind, body) in [
            (
                "application/json",
                r#"{"model":"a","model":"b"}"#.to_owned(),
            ),
            ("multipart/form-data; boundary=b", part + "--b--\r\n"),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            let refused = Named::find(&headers, body.as_bytes()).unwrap_err();
            assert_eq!(refused.wire().2, "duplicate_parameter", "{kind}");
        }
    }

    #[test]
    fn what_has_no_name_has_none() {
        for (kind, body) in [
            ("application/json", "{\"model\":1}"),
            ("application/json", "[]"),
            ("application/json", "{"),
            ("text/plain", "{\"model\":\"m\"}"),
            ("multipart/form-data", "--b\r\n"),
            (
                "multipart/form-data; boundary=b",
                "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nx",
            ),
            (
                "multipart/form-data; boundary=b",
                "--b\r\nX: name=\"model\"\r\n\r\nx\r\n--b--",
            ),
        ] {
            assert_eq!(find(kind, body), None, "{kind} {body}");
        }
    }
}
