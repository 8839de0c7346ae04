//! Keys from beside us: a container's endpoint, or the machine's metadata service, version 2.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html> and
//! `feature-imds-credentials.html` beside it (read 2026-11). Neither is ever asked for through a
//! proxy, and version 1 of the metadata, which any forwarded request could read, is not used.

use std::borrow::Cow;

use http::{Method, Uri};
use serde::Deserialize;

use super::{Found, found};
use crate::outcome::{Class, Failure};
use crate::secret::Ambient;
use crate::upstream::client::Clients;
use crate::upstream::credentials::ask::{self, Question};
use crate::upstream::egress::is_loopback;

/// Where ECS and EKS answer.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// What both services answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys<'a> {
    #[serde(borrow)]
    access_key_id: Cow<'a, str>,
    #[serde(borrow)]
    secret_access_key: Cow<'a, str>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    expiration: Option<Cow<'a, str>>,
}

/// A container's endpoint.
#[derive(Debug)]
pub(super) struct Container {
    url: String,
    /// Whether it is beyond what is beside us, and then behind TLS.
    far: bool,
}

/// The endpoint that the environment names, if it names one.
///
/// # Errors
/// Its address is one that the token must not be sent to.
pub(super) fn container(ambient: &Ambient) -> Result<Option<Container>, Failure> {
    if let Some(path) = ambient.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        let url = format!("http://{}{path}", CONTAINER_HOSTS[0]);
        return Ok(Some(Container { url, far: false }));
    }
    let Some(url) = ambient.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") else {
        return Ok(None);
    };
    let uri: Option<Uri> = url.parse().ok();
    let beside = uri.as_ref().and_then(Uri::host).is_some_and(is_beside);
    let secure = uri.is_some_and(|uri| uri.scheme_str() == Some("https"));
    if !beside && !secure {
        let reason = "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor beside us";
        return Err(Failure::new(Class::Connect, reason));
    }
    Ok(Some(Container {
        url: url.to_owned(),
        far: !beside,
    }))
}

fn is_beside(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    CONTAINER_HOSTS.contains(&bare) || is_loopback(host)
}

impl Container {
    pub(super) async fn keys(
        &self,
        ambient: &Ambient,
        clients: &Clients,
    ) -> Result<Found, Failure> {
        const WHOM: &str = "the container's endpoint for AWS credentials";
        let mut question = Question::get(WHOM, &self.url);
        if let Some(path) = ambient.file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            // Read anew each time: it is replaced.
            let token = ask::file(path).await.ok_or_else(|| {
                let reason =
                    "the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names cannot be read";
                Failure::new(Class::Connect, reason)
            })?;
            question = question.header("authorization", token.trim());
        } else if let Some(token) = ambient.get("AWS_CONTAINER_AUTHORIZATION_TOKEN") {
            question = question.header("authorization", token);
        }
        let client = if self.far {
            clients.far()
        } else {
            clients.beside()
        };
        read(WHOM, &question.ask(&client).await?)
    }
}

/// Keys of the machine's role.
pub(super) async fn machine(ambient: &Ambient, clients: &Clients) -> Result<Found, Failure> {
    const WHOM: &str = "the metadata service of AWS";
    let none = |reason| Failure::new(Class::Connect, reason);
    // It is there and turned off, or knows no role: nobody has been refused anything.
    let unused = |failure| Failure {
        class: Class::Connect,
        ..failure
    };
    let disabled = ambient.get("AWS_EC2_METADATA_DISABLED");
    if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(none("no source of the AWS credential chain has any"));
    }
    let mode = ambient.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    let host = ambient
        .get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        .unwrap_or(match mode {
            Some(mode) if mode.eq_ignore_ascii_case("ipv6") => "http://[fd00:ec2::254]",
            Some(_) | None => "http://169.254.169.254",
        });
    let host = host.trim_end_matches('/');
    let client = clients.beside();
    let url = format!("{host}/latest/api/token");
    let mut token = Question::get(WHOM, &url);
    token.errand.method = Method::PUT;
    let token = token
        .header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        .ask(&client)
        .await
        .map_err(unused)?;
    let text = |bytes| String::from_utf8(Vec::from(bytes)).map_err(|_| ask::unreadable(WHOM));
    let token = text(token)?;
    let url = format!("{host}/latest/meta-data/iam/security-credentials/");
    let get = |url| Question::get(WHOM, url).header("x-aws-ec2-metadata-token", token.trim());
    let roles = text(get(&url).ask(&client).await.map_err(unused)?)?;
    let role = roles.lines().next().unwrap_or_default().trim();
    if role.is_empty() {
        return Err(none("the machine has no AWS role"));
    }
    let url = format!("{url}{role}");
    read(WHOM, &get(&url).ask(&client).await?)
}

fn read(whom: &str, body: &[u8]) -> Result<Found, Failure> {
    let keys: Option<Keys> = serde_json::from_slice(body).ok();
    let found = keys.and_then(|keys| {
        found(
            &keys.access_key_id,
            &keys.secret_access_key,
            keys.token.as_deref(),
            keys.expiration.as_deref(),
        )
    });
    found.ok_or_else(|| ask::unreadable(whom))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_what_is_beside_us_or_behind_tls() {
        for (name, value, expected) in [
            (
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "/v2/credentials/1",
                Some(("http://169.254.170.2/v2/credentials/1", false)),
            ),
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "http://169.254.170.23/v1/credentials",
                Some(("http://169.254.170.23/v1/credentials", false)),
            ),
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "http://[fd00:ec2::23]/v1/credentials",
                Some(("http://[fd00:ec2::23]/v1/credentials", false)),
            ),
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "http://127.0.0.1:51679/x",
                Some(("http://127.0.0.1:51679/x", false)),
            ),
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "https://keys.internal/x",
                Some(("https://keys.internal/x", true)),
            ),
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "http://keys.internal/x",
                None,
            ),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "ftp://a b", None),
        ] {
            let ambient = Ambient::of(&[(name.to_owned(), value.to_owned())]);
            let found = container(&ambient);
            let found = found.ok().flatten();
            let found = found.as_ref().map(|it| (it.url.as_str(), it.far));
            assert_eq!(found, expected, "{value}");
        }
        assert!(container(&Ambient::default()).is_ok_and(|it| it.is_none()));
    }

    #[test]
    fn keys_are_read_of_the_answer() {
        let answer = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIA1","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-25T10:00:00Z"}"#;
        let found = read("it", answer.as_bytes()).unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(found.keys.id.expose(), "ASIA1");
        assert!(found.keys.session.is_some() && found.expires.is_some());
        for broken in ["", "{}", r#"{"Code":"Failed"}"#] {
            assert!(read("it", broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
