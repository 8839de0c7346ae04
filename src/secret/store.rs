//! What a store of secrets can be asked, and what it has at one path.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::value::{Secret, SecretError};

/// Something that keeps secrets and gives them to who may have them.
pub trait Store: Send + Sync {
    /// What is at `path` now. How often it is asked, and what is done while it is gone, is for whoever
    /// asks. Dropping the future is safe.
    ///
    /// # Errors
    /// There is nothing, it is not for us, or the store is away.
    fn read<'a>(&'a self, path: &'a str) -> Asking<'a>;
}

pub type Asking<'a> = Pin<Box<dyn Future<Output = Result<Found, SecretError>> + Send + 'a>>;

/// What lies at one path, with its version. It has no `Debug`: it is secret.
pub struct Found {
    /// Tells one version from every other that this path has had.
    pub version: Arc<str>,
    text: Zeroizing<String>,
    /// Whether the text is the store's own list of fields; else it is what somebody wrote there.
    listed: bool,
}

impl Found {
    /// A JSON object with a member for each field.
    pub fn fields(version: Arc<str>, object: Zeroizing<String>) -> Self {
        Self {
            version,
            text: object,
            listed: true,
        }
    }

    /// One text, in which somebody may have put a JSON object with fields.
    pub fn text(version: Arc<str>, text: Zeroizing<String>) -> Self {
        Self {
            version,
            text,
            listed: false,
        }
    }

    /// The secret in `field`, or all of it. `document`: whether it may be a JSON document.
    pub(super) fn secret(
        &self,
        field: Option<&str>,
        document: bool,
    ) -> Result<Secret, SecretError> {
        let form = if document {
            Secret::document
        } else {
            Secret::try_new
        };
        match field {
            None if !self.listed || document => form(self.text.as_bytes()),
            None => {
                let members = self.members()?;
                let mut values = members.values();
                match (values.next(), values.next()) {
                    (Some(only), None) => form(value(only).as_bytes()),
                    (Some(_), Some(_)) => Err(SecretError::Fields),
                    (None, _) => Err(SecretError::Empty),
                }
            }
            Some(field) => {
                let members = self.members()?;
                let member = members.get(field).ok_or(SecretError::NoField)?;
                form(value(member).as_bytes())
            }
        }
    }

    fn members(&self) -> Result<BTreeMap<String, &RawValue>, SecretError> {
        serde_json::from_str(&self.text).map_err(|_| SecretError::NoField)
    }
}

/// A member's text, or the JSON that it is instead.
fn value(member: &RawValue) -> Zeroizing<String> {
    let text = serde_json::from_str(member.get());
    Zeroizing::new(text.unwrap_or_else(|_| member.get().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(found: &Found, field: Option<&str>, document: bool) -> Result<String, SecretError> {
        let secret = found.secret(field, document)?;
        Ok(secret.expose().to_owned())
    }

    #[test]
    fn a_field_is_found_in_what_lies_there() {
        let text = |text: &str| Zeroizing::new(text.to_owned());
        let listed = |object| Found::fields("1".into(), text(object));
        let one = listed(r#"{"key":"sk-1\n"}"#);
        let two = listed(r#"{"key":"sk-1","old":"sk-0","sa":{"type":"service_account"}}"#);
        let bare = Found::text("1".into(), text("sk-1"));
        let written = Found::text("1".into(), text(r#"{"key": "sk-1"}"#));
        for (found, field, document, expected) in [
            (&one, Some("key"), false, Ok("sk-1")),
            (&one, None, false, Ok("sk-1")),
            (&one, Some("other"), false, Err(SecretError::NoField)),
            (&two, Some("old"), false, Ok("sk-0")),
            (&two, None, false, Err(SecretError::Fields)),
            (&two, Some("sa"), true, Ok(r#"{"type":"service_account"}"#)),
            (&one, None, true, Ok(r#"{"key":"sk-1\n"}"#)),
            (&listed("{}"), None, false, Err(SecretError::Empty)),
            (&bare, None, false, Ok("sk-1")),
            (&bare, Some("key"), false, Err(SecretError::NoField)),
            (&written, Some("key"), false, Ok("sk-1")),
            (&written, None, true, Ok(r#"{"key": "sk-1"}"#)),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(told(found, field, document), expected, "{field:?}");
        }
    }
}
