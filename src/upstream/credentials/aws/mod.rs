//! AWS's standard chain: the environment, the shared files, a web identity, a container's endpoint,
//! the machine's metadata. The first that is there decides.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html> (read 2026-11).
//! Not here: IAM Identity Center and `credential_process`, which want a browser and a program.

mod metadata;
mod profile;
mod sts;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::state::Issued;
use super::{AwsKeys, Credential};
use crate::outcome::{Class, Failure};
use crate::secret::{Ambient, Secret};
use crate::upstream::client::Clients;

use self::profile::{Base, Profiles};
use self::sts::{Role, Sts};

/// The services have new keys from five minutes before the end on.
const WINDOW: Duration = Duration::from_mins(5);

/// Keys as a source gave them.
struct Found {
    keys: AwsKeys,
    expires: Option<SystemTime>,
}

/// The keys of the chain's first source that is there.
pub(super) async fn fetch(
    ambient: &Ambient,
    clients: &Clients,
    region: &str,
) -> Result<Issued, Failure> {
    let found = find(ambient, clients, region).await?;
    Ok(Issued {
        credential: Credential::Aws(Arc::new(found.keys)),
        expires: found.expires,
        window: WINDOW,
        document: None,
    })
}

async fn find(ambient: &Ambient, clients: &Clients, region: &str) -> Result<Found, Failure> {
    if let Some(found) = environment(ambient) {
        return Ok(found);
    }
    let sts = Sts::new(ambient, clients, region);
    if let Some(plan) = Profiles::read(ambient)
        .await
        .plan(ambient.get("AWS_PROFILE"))?
    {
        let mut found = base(&plan.base, &sts, ambient, clients).await?;
        for role in &plan.roles {
            found = sts.assume(role, &found.keys).await?;
        }
        return Ok(found);
    }
    if let (Some(file), Some(arn)) = (
        ambient.get("AWS_WEB_IDENTITY_TOKEN_FILE"),
        ambient.get("AWS_ROLE_ARN"),
    ) {
        let role = Role::of(arn, ambient.get("AWS_ROLE_SESSION_NAME"));
        return sts.assume_by_token(&role, file).await;
    }
    if let Some(endpoint) = metadata::container(ambient)? {
        return endpoint.keys(ambient, clients).await;
    }
    metadata::machine(ambient, clients).await
}

/// The keys that a profile starts from.
async fn base(
    base: &Base,
    sts: &Sts<'_>,
    ambient: &Ambient,
    clients: &Clients,
) -> Result<Found, Failure> {
    let absent = |what: &str| Failure::new(Class::Connect, format!("the AWS profile names {what}"));
    match base {
        Base::Keys {
            id,
            secret,
            session,
        } => found(id, secret, session.as_ref().map(|s| s.as_str()), None)
            .ok_or_else(|| absent("keys that cannot be keys")),
        Base::WebIdentity { role, file } => sts.assume_by_token(role, file).await,
        Base::Environment => {
            environment(ambient).ok_or_else(|| absent("the environment, which has no keys"))
        }
        Base::Container => match metadata::container(ambient)? {
            Some(endpoint) => endpoint.keys(ambient, clients).await,
            None => Err(absent("a container's endpoint, and there is none")),
        },
        Base::Machine => metadata::machine(ambient, clients).await,
    }
}

fn environment(ambient: &Ambient) -> Option<Found> {
    let id = ambient.get("AWS_ACCESS_KEY_ID")?;
    let secret = ambient.get("AWS_SECRET_ACCESS_KEY")?;
    found(id, secret, ambient.get("AWS_SESSION_TOKEN"), None)
}

/// Keys of texts; absent when one of them can be none.
fn found(id: &str, secret: &str, session: Option<&str>, expires: Option<&str>) -> Option<Found> {
    let read = |text: &str| Secret::try_new(text.as_bytes()).ok();
    let expires: Option<Timestamp> = match expires {
        Some(text) => Some(text.parse().ok()?),
        None => None,
    };
    Some(Found {
        keys: AwsKeys {
            id: read(id)?,
            secret: read(secret)?,
            session: match session {
                Some(session) => Some(read(session)?),
                None => None,
            },
        },
        expires: expires.map(SystemTime::from),
    })
}
