//! AWS's Security Token Service: a role's keys for a token or for other keys.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html> and
//! `API_AssumeRole.html` beside it (read 2026-11).

use std::path::Path;
use std::time::SystemTime;

use super::{Found, found};
use crate::outcome::{Class, Failure};
use crate::secret::Ambient;
use crate::upstream::client::Clients;
use crate::upstream::credentials::AwsKeys;
use crate::upstream::credentials::ask::{self, Question};
use crate::upstream::sign::{self, suffix};

const WHOM: &str = "the AWS STS endpoint";
const VERSION: (&str, &str) = ("Version", "2011-06-15");

/// A role to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    /// How the session is called in AWS's own records.
    pub(super) session: String,
    pub(super) external_id: Option<String>,
}

impl Role {
    pub(super) fn of(arn: &str, session: Option<&str>) -> Self {
        Self {
            arn: arn.to_owned(),
            session: session.unwrap_or("pillion").to_owned(),
            external_id: None,
        }
    }
}

/// The endpoint, and the region that it signs for.
pub(super) struct Sts<'a> {
    url: String,
    region: &'a str,
    clients: &'a Clients,
}

impl<'a> Sts<'a> {
    /// That of the environment's region, else of `region`.
    pub(super) fn new(ambient: &'a Ambient, clients: &'a Clients, region: &'a str) -> Self {
        let region = ambient.aws_region().unwrap_or(region);
        let url = match ambient.aws_endpoint("AWS_ENDPOINT_URL_STS") {
            Some(url) => format!("{url}/"),
            None => format!("https://sts.{region}.{}/", suffix(region)),
        };
        Self {
            url,
            region,
            clients,
        }
    }

    /// The role's keys for the token in `file`, which is read anew each time: it is replaced.
    pub(super) async fn assume_by_token(&self, role: &Role, file: &str) -> Result<Found, Failure> {
        let token = ask::file(Path::new(file)).await.ok_or_else(|| {
            let reason = "the file with the web identity's token cannot be read";
            Failure::new(Class::Connect, reason)
        })?;
        let fields = [
            ("Action", "AssumeRoleWithWebIdentity"),
            VERSION,
            ("RoleArn", &role.arn),
            ("RoleSessionName", &role.session),
            ("WebIdentityToken", token.trim()),
        ];
        let question = Question::form(WHOM, &self.url, &fields);
        read(&question.ask(&self.clients.far()).await?)
    }

    /// The role's keys for the holder of `keys`.
    pub(super) async fn assume(&self, role: &Role, keys: &AwsKeys) -> Result<Found, Failure> {
        let mut fields = vec![
            ("Action", "AssumeRole"),
            VERSION,
            ("RoleArn", &role.arn),
            ("RoleSessionName", &role.session),
        ];
        if let Some(id) = &role.external_id {
            fields.push(("ExternalId", id));
        }
        let mut question = Question::form(WHOM, &self.url, &fields);
        let now = SystemTime::now();
        sign::errand(&mut question.errand, "sts", self.region, keys, now)?;
        read(&question.ask(&self.clients.far()).await?)
    }
}

fn read(body: &[u8]) -> Result<Found, Failure> {
    let keys = || {
        let text = str::from_utf8(body).ok()?;
        let keys = ask::element(text, "Credentials")?;
        let part = |name| ask::element(keys, name).map(str::trim);
        let session = part("SessionToken")?;
        let expires = part("Expiration")?;
        found(
            part("AccessKeyId")?,
            part("SecretAccessKey")?,
            Some(session),
            Some(expires),
        )
    };
    keys().ok_or_else(|| ask::unreadable(WHOM))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn keys_are_read_of_the_answer() {
        let answer = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>x</SubjectFromWebIdentityToken>
    <Credentials>
      <SessionToken>the/session+token==</SessionToken>
      <SecretAccessKey>the/secret</SecretAccessKey>
      <Expiration>1970-01-01T01:00:00Z</Expiration>
      <AccessKeyId>ASIA1</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>";
        let found = read(answer.as_bytes()).unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(found.keys.id.expose(), "ASIA1");
        assert_eq!(found.keys.secret.expose(), "the/secret");
        let session = found.keys.session.unwrap();
        assert_eq!(session.expose(), "the/session+token==");
        let end = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
        assert_eq!(found.expires, Some(end));
        for broken in [
            "",
            "<Credentials></Credentials>",
            &answer.replace("1970", "197O"),
        ] {
            assert!(read(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
