//! What a request says of being one that comes twice, and what makes two of them the same.
//!
//! Pure: the instants are arguments.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use crate::chat::Surface;
use crate::error::GatewayError;
use crate::plan::announced;

/// The longest key, in characters.
const LONGEST_KEY: usize = 255;
/// How far from the announced time a caller may go and still be taken for one that timed out, in
/// hundredths.
const MARGIN: u32 = 10;

/// The headers that say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// `Idempotency-Key`.
    pub key: Option<Arc<str>>,
    /// Which retry of the SDK's own it is; 0 is no retry. Absent with whoever does not number them.
    retry: Option<u32>,
    /// When the SDK will give up, as it announced.
    announced: [Option<Duration>; 2],
}

impl Asked {
    /// # Errors
    /// The key is none: empty, too long, not of visible ASCII characters, or there are two.
    pub fn read(headers: &HeaderMap) -> Result<Self, GatewayError> {
        let text = |name| headers.get(name)?.to_str().ok();
        let retry: Option<&str> = text("x-stainless-retry-count");
        Ok(Self {
            key: key(headers)?,
            retry: retry.and_then(|count| count.trim().parse().ok()),
            announced: announced(headers),
        })
    }

    /// Whether the SDK sent this request before.
    pub fn is_retry(&self) -> bool {
        self.retry.is_some_and(|count| count > 0)
    }

    /// Whether an SDK asks that numbers its tries, and so may try again.
    pub fn is_numbered(&self) -> bool {
        self.retry.is_some()
    }

    /// Whether one that is not answered in its time may find the call again: without a key, an SDK's
    /// own retry might.
    pub fn may_come_again(&self) -> bool {
        self.key.is_some() || self.is_numbered() || self.announced.iter().any(Option::is_some)
    }

    /// Whether one that goes away so long after it asked has timed out, so that its retry comes.
    pub(super) fn timed_out(&self, after: Duration) -> bool {
        self.announced.iter().flatten().any(|announced| {
            let margin = announced.saturating_mul(MARGIN) / 100;
            after.abs_diff(*announced) <= margin
        })
    }
}

fn key(headers: &HeaderMap) -> Result<Option<Arc<str>>, GatewayError> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let is_key = |bytes: &[u8]| {
        (1..=LONGEST_KEY).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    };
    match value.to_str() {
        Ok(key) if is_key(key.as_bytes()) && values.next().is_none() => Ok(Some(key.into())),
        Ok(_) | Err(_) => Err(GatewayError::Invalid {
            code: "invalid_idempotency_key",
            param: None,
            message: format!(
                "Idempotency-Key must be given once, with 1 to {LONGEST_KEY} visible ASCII characters."
            )
            .into(),
        }),
    }
}

/// What two requests have in common that are one.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The id of the caller's key: what one caller asks for is never another's answer.
    pub caller: Arc<str>,
    pub key: Option<Arc<str>>,
    pub surface: Surface,
    pub body: Bytes,
    /// The rules that what it says beside its body speaks for: where one may go, another may not.
    pub rules: Arc<str>,
    /// Within so long of its arrival, another that is the same is taken for the same.
    pub dedupe: Option<Duration>,
}

impl Identity {
    /// Whether both ask for the same. The bytes are compared: nothing is hashed on their account.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        /// Conversations differ at their ends, behind what may be a long common part.
        const END: usize = 256;
        let (one, two) = (&*self.body, &*other.body);
        let end = one.len().saturating_sub(END);
        self.surface == other.surface
            && self.rules == other.rules
            && one.len() == two.len()
            && one[end..] == two[end..]
            && (one.as_ptr() == two.as_ptr() || one == two)
    }

    /// Whether its answer is kept for those who come.
    pub(super) fn is_kept(&self) -> bool {
        self.key.is_some() || self.dedupe.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_key_is_up_to_255_visible_characters_and_given_once() {
        let longest = "k".repeat(255);
        for (value, good) in [
            ("k", true),
            (longest.as_str(), true),
            ("0b9e-~!\"{}", true),
            ("", false),
            ("two words", false),
            ("ключ", false),
            (&format!("{longest}k"), false),
        ] {
            let read = Asked::read(&headers(&[("idempotency-key", value)]));
            match read {
                Ok(asked) => {
                    assert!(good, "{value}");
                    assert_eq!(asked.key.as_deref(), Some(value));
                }
                Err(error) => {
                    assert!(!good, "{value}");
                    assert_eq!(error.wire().0, 400);
                    assert_eq!(error.wire().2, "invalid_idempotency_key");
                }
            }
        }
        let twice = headers(&[("idempotency-key", "a"), ("idempotency-key", "a")]);
        assert!(Asked::read(&twice).is_err());
        assert_eq!(Asked::read(&HeaderMap::new()), Ok(Asked::default()));
    }

    #[test]
    fn an_sdk_says_which_of_its_tries_this_is() {
        for (count, numbered, retry) in [
            (None, false, false),
            (Some("0"), true, false),
            (Some("1"), true, true),
            (Some("12"), true, true),
            (Some("-1"), false, false),
            (Some("many"), false, false),
        ] {
            let pairs: Vec<_> = count
                .map(|c| ("x-stainless-retry-count", c))
                .into_iter()
                .collect();
            let asked = Asked::read(&headers(&pairs)).unwrap();
            assert_eq!(
                (asked.is_numbered(), asked.is_retry()),
                (numbered, retry),
                "{count:?}"
            );
            assert_eq!(asked.may_come_again(), numbered);
        }
    }

    #[test]
    fn an_sdk_that_goes_at_its_announced_time_has_timed_out() {
        let ms = Duration::from_millis;
        for (name, announced, after, expected) in [
            ("x-stainless-read-timeout", "1", 899, false),
            ("x-stainless-read-timeout", "1", 900, true),
            ("x-stainless-read-timeout", "1.0", 1100, true),
            ("x-stainless-timeout", "1", 1101, false),
            ("x-stainless-timeout", "600", 545_000, true),
            ("x-stainless-timeout", "0", 0, false),
            ("x-stainless-timeout", "1e300", 0, false),
            ("x-stainless-timeout", "1e19", 1000, false),
            ("x-stainless-timeout", "86400", 86_400_000, true),
            ("x-stainless-timeout", "86401", 86_401_000, false),
            ("x-stainless-timeout", "never", 0, false),
            ("x-other", "1", 1000, false),
        ] {
            let asked = Asked::read(&headers(&[(name, announced)])).unwrap();
            assert_eq!(
                asked.timed_out(ms(after)),
                expected,
                "{announced} s, {after} ms"
            );
        }
        let both = headers(&[
            ("x-stainless-read-timeout", "2"),
            ("x-stainless-timeout", "1"),
        ]);
        let both = Asked::read(&both).unwrap();
        for after in [1000, 2000] {
            assert!(both.timed_out(ms(after)), "either");
        }
        assert!(!both.timed_out(ms(1500)));
    }
}
