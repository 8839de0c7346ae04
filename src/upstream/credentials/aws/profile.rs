//! The shared files `~/.aws/config` and `~/.aws/credentials`: what a profile says of its keys.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html> (read 2026-11).

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::sts::Role;
use crate::outcome::{Class, Failure};
use crate::secret::Ambient;
use crate::upstream::credentials::ask;

/// Roles that one profile may take one after another.
const LONGEST_CHAIN: usize = 8;

type Profile = HashMap<String, Zeroizing<String>>;

/// Both files as one.
#[derive(Default)]
pub(super) struct Profiles(HashMap<String, Profile>);

/// How a profile comes to its keys: from these, by taking the roles in their order.
pub(super) struct Plan {
    pub(super) base: Base,
    pub(super) roles: Vec<Role>,
}

pub(super) enum Base {
    Keys {
        id: Zeroizing<String>,
        secret: Zeroizing<String>,
        session: Option<Zeroizing<String>>,
    },
    WebIdentity {
        role: Role,
        file: String,
    },
    Environment,
    Container,
    Machine,
}

impl Profiles {
    /// What is there of the two files.
    pub(super) async fn read(ambient: &Ambient) -> Self {
        let mut profiles = Self::default();
        // The second wins.
        for (variable, default, named) in [
            ("AWS_CONFIG_FILE", ".aws/config", true),
            ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", false),
        ] {
            let path = match ambient.file(variable) {
                Some(path) => Some(path.to_owned()),
                None => ambient.in_home(default),
            };
            if let Some(path) = path
                && let Some(text) = ask::file(&path).await
            {
                profiles.add(&text, named);
            }
        }
        profiles
    }

    /// `named`: whether sections are called `profile NAME`, as they are in the one file only.
    fn add(&mut self, text: &str, named: bool) {
        let mut profile: Option<String> = None;
        for line in text.lines() {
            let indented = line.starts_with([' ', '\t']);
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(section) = line.strip_prefix('[') {
                let section = section.split(']').next().unwrap_or_default().trim();
                profile = match section.split_once([' ', '\t']) {
                    Some(("profile", name)) if named => Some(name.trim().to_owned()),
                    Some(_) => None,
                    None if named && section != "default" => None,
                    None => Some(section.to_owned()),
                };
                if let Some(name) = &profile {
                    self.0.entry(name.clone()).or_default();
                }
                continue;
            }
            // What is indented belongs to the line before it, none of which is about keys.
            let (Some(profile), false, Some((key, value))) =
                (&profile, indented, line.split_once('='))
            else {
                continue;
            };
            let value = value.split(" #").next().unwrap_or_default();
            let value = value.split(" ;").next().unwrap_or_default().trim();
            let keys = self.0.entry(profile.clone()).or_default();
            keys.insert(key.trim().to_ascii_lowercase(), value.to_owned().into());
        }
    }

    /// How the profile comes to its keys. Absent when it says nothing of them.
    ///
    /// # Errors
    /// It was named and is not there, or says what cannot be followed.
    pub(super) fn plan(&self, named: Option<&str>) -> Result<Option<Plan>, Failure> {
        let mut name = named.unwrap_or("default");
        let mut roles = Vec::new();
        loop {
            let refuse = |what: &str| {
                let reason = format!("the AWS profile `{name}` {what}");
                Err(Failure::new(Class::Connect, reason))
            };
            let Some(profile) = self.0.get(name) else {
                if named.is_none() && roles.is_empty() {
                    return Ok(None);
                }
                return refuse("is in neither of the shared files");
            };
            let get = |key: &str| {
                let value = profile.get(key).filter(|value| !value.is_empty());
                value.map(|value| value.as_str())
            };
            let base = keys(profile);
            if let Some(arn) = get("role_arn") {
                let role = Role {
                    external_id: get("external_id").map(str::to_owned),
                    ..Role::of(arn, get("role_session_name"))
                };
                if let Some(file) = get("web_identity_token_file") {
                    let file = file.to_owned();
                    return Ok(Some(Plan::new(Base::WebIdentity { role, file }, roles)));
                }
                roles.push(role);
                if roles.len() > LONGEST_CHAIN {
                    return refuse("takes one role after another without end");
                }
                match (get("source_profile"), get("credential_source"), base) {
                    (Some(own), _, Some(base)) if own == name => {
                        return Ok(Some(Plan::new(base, roles)));
                    }
                    (Some(source), _, _) => name = source,
                    (None, Some("Environment"), _) => {
                        return Ok(Some(Plan::new(Base::Environment, roles)));
                    }
                    (None, Some("EcsContainer"), _) => {
                        return Ok(Some(Plan::new(Base::Container, roles)));
                    }
                    (None, Some("Ec2InstanceMetadata"), _) => {
                        return Ok(Some(Plan::new(Base::Machine, roles)));
                    }
                    (None, _, _) => {
                        return refuse("does not say whose keys its role is taken with");
                    }
                }
                continue;
            }
            if let Some(base) = base {
                return Ok(Some(Plan::new(base, roles)));
            }
            let foreign = [
                "sso_session",
                "sso_start_url",
                "credential_process",
                "login_session",
            ];
            if let Some(key) = foreign.iter().find(|key| get(key).is_some()) {
                return refuse(&format!("needs `{key}`, which is not followed here"));
            }
            if roles.is_empty() {
                return Ok(None);
            }
            return refuse("has no keys");
        }
    }
}

impl Plan {
    /// The role that is named first is taken last.
    fn new(base: Base, mut roles: Vec<Role>) -> Self {
        roles.reverse();
        Self { base, roles }
    }
}

fn keys(profile: &Profile) -> Option<Base> {
    Some(Base::Keys {
        id: profile.get("aws_access_key_id")?.clone(),
        secret: profile.get("aws_secret_access_key")?.clone(),
        session: profile.get("aws_session_token").cloned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
# what is shared
[default]
region = eu-central-1
s3 =
  aws_access_key_id = not this one
[profile batch]
role_arn = arn:aws:iam::1:role/batch
source_profile = keys
external_id = x1 # for the auditors
[profile far]
role_arn = arn:aws:iam::2:role/far
role_session_name=night
source_profile = batch
[profile pod]
role_arn = arn:aws:iam::3:role/pod
web_identity_token_file = /run/token
[profile machine]
role_arn = r
credential_source = Ec2InstanceMetadata
[profile self]
role_arn = r
source_profile = self
[profile round]
role_arn = r
source_profile = trip
[profile trip]
role_arn = r
source_profile = round
[profile alone]
role_arn = r
[profile lost]
role_arn = r
source_profile = nowhere
[profile sso]
sso_session = corp
[keys]
aws_access_key_id = ignored: no `profile` before the name
";

    const CREDENTIALS: &str = "
[keys]
AWS_ACCESS_KEY_ID = AKIA1
aws_secret_access_key = a/b+c=
[self]
aws_access_key_id = AKIA2
aws_secret_access_key = s
aws_session_token = t
";

    /// A plan in words.
    fn told(profiles: &Profiles, name: Option<&str>) -> String {
        match profiles.plan(name) {
            Ok(None) => "nothing".into(),
            Err(failure) => failure.reason.into_owned(),
            Ok(Some(plan)) => {
                let base = match plan.base {
                    Base::Keys {
                        id,
                        secret,
                        session,
                    } => {
                        format!("{} {} {}", *id, *secret, session.is_some())
                    }
                    Base::WebIdentity { role, file } => format!("{} by {file}", role.arn),
                    Base::Environment => "environment".into(),
                    Base::Container => "container".into(),
                    Base::Machine => "machine".into(),
                };
                let roles = plan.roles.iter();
                let roles = roles.map(|role| format!(" > {} {}", role.arn, role.session));
                base + &roles.collect::<String>()
            }
        }
    }

    #[test]
    fn a_profile_comes_to_its_keys() {
        let mut profiles = Profiles::default();
        profiles.add(CONFIG, true);
        profiles.add(CREDENTIALS, false);
        for (name, expected) in [
            (None, "nothing"),
            (Some("keys"), "AKIA1 a/b+c= false"),
            (
                Some("batch"),
                "AKIA1 a/b+c= false > arn:aws:iam::1:role/batch pillion",
            ),
            (
                Some("far"),
                "AKIA1 a/b+c= false > arn:aws:iam::1:role/batch pillion > arn:aws:iam::2:role/far night",
            ),
            (Some("pod"), "arn:aws:iam::3:role/pod by /run/token"),
            (Some("machine"), "machine > r pillion"),
            (Some("self"), "AKIA2 s true > r pillion"),
            (
                Some("round"),
                "the AWS profile `round` takes one role after another without end",
            ),
            (
                Some("alone"),
                "the AWS profile `alone` does not say whose keys its role is taken with",
            ),
            (
                Some("lost"),
                "the AWS profile `nowhere` is in neither of the shared files",
            ),
            (
                Some("sso"),
                "the AWS profile `sso` needs `sso_session`, which is not followed here",
            ),
            (
                Some("absent"),
                "the AWS profile `absent` is in neither of the shared files",
            ),
        ] {
            assert_eq!(told(&profiles, name), expected);
        }
        let plan = profiles.plan(Some("batch")).ok().flatten().unwrap();
        assert_eq!(plan.roles[0].external_id.as_deref(), Some("x1"));
        assert_eq!(told(&Profiles::default(), None), "nothing");
    }
}
