//! The signed claim for which Google issues a service account's token.
//!
//! RFC 7523 and RFC 7515; the claims are those of
//! <https://developers.google.com/identity/protocols/oauth2/service-account> (read 2026-11).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use zeroize::Zeroizing;

use super::{SCOPE, TOKEN_URI};

/// Google's longest, in seconds.
const LIFE: u64 = 3600;

/// RS256 with a PKCS #8 key in PEM; absent when the key is none.
pub(super) fn sign(
    email: &str,
    key_id: Option<&str>,
    private_key: &str,
    now: SystemTime,
) -> Option<Zeroizing<String>> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(private_key.as_bytes()).ok()?;
    let pair = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok()?;
    let mut header = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(id) = key_id {
        header["kid"] = id.into();
    }
    let issued = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let claims = json!({
        "iss": email,
        "scope": SCOPE,
        // Whatever address it is sent to.
        "aud": TOKEN_URI,
        "iat": issued,
        "exp": issued + LIFE,
    });
    let encode = |part: &serde_json::Value| BASE64.encode(part.to_string());
    let mut assertion = Zeroizing::new(format!("{}.{}", encode(&header), encode(&claims)));
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = SystemRandom::new();
    let message = assertion.as_bytes();
    pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
        .ok()?;
    assertion.push('.');
    assertion.push_str(&BASE64.encode(signature));
    Some(assertion)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    /// Made for this test and good for nothing else.
    const KEY: &str = include_str!("../../../../tests/fixtures/service-account.pem");

    #[test]
    fn an_assertion_says_who_for_what_and_until_when() {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        let assertion = sign("sa@p.iam.gserviceaccount.com", Some("k1"), KEY, now).unwrap();
        let parts: Vec<&str> = assertion.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            panic!("it has three parts");
        };
        let read = |part: &str| -> Value {
            serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap()
        };
        assert_eq!(
            read(header),
            json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" })
        );
        assert_eq!(
            read(claims),
            json!({
                "iss": "sa@p.iam.gserviceaccount.com",
                "scope": "https://www.googleapis.com/auth/cloud-platform",
                "aud": "https://oauth2.googleapis.com/token",
                "iat": 1_795_000_000,
                "exp": 1_795_003_600,
            })
        );
        let key = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let pair = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public());
        let message = format!("{header}.{claims}");
        let signature = BASE64.decode(signature).unwrap();
        public.verify(message.as_bytes(), &signature).unwrap();
        assert!(
            public
                .verify(format!("{message}x").as_bytes(), &signature)
                .is_err()
        );
    }

    #[test]
    fn a_key_that_is_none_signs_nothing() {
        for key in [
            "",
            "not PEM",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            assert!(sign("a@b", None, key, UNIX_EPOCH).is_none(), "{key}");
        }
    }
}
