//! What the environment says of where credentials are, in the names that the clouds gave them.
//!
//! AWS: <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>; Google:
//! <https://cloud.google.com/docs/authentication/application-default-credentials> (read 2026-11).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

/// The names that are kept; nothing else of the environment is.
const NAMES: [&str; 28] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SSM",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GCE_METADATA_HOST",
    "CLOUDSDK_CONFIG",
    "HOME",
    "USERPROFILE",
];

/// The variables that credentials are found by. Some of them are credentials: no `Debug`. Clones are
/// one.
#[derive(Clone, Default)]
pub struct Ambient(Arc<HashMap<&'static str, Zeroizing<String>>>);

impl Ambient {
    /// Of an environment that was read already. An empty variable is as one that is not set.
    pub fn of(environment: &[(String, String)]) -> Self {
        let kept = environment.iter().filter_map(|(name, value)| {
            let name = NAMES.iter().find(|known| *known == name)?;
            (!value.is_empty()).then(|| (*name, Zeroizing::new(value.clone())))
        });
        Self(Arc::new(kept.collect()))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(NAMES.contains(&name), "`{name}` is not kept");
        self.0.get(name).map(|value| value.as_str())
    }

    pub fn file(&self, name: &str) -> Option<&Path> {
        self.get(name).map(Path::new)
    }

    /// The region of AWS that is meant where nothing else says which.
    pub fn aws_region(&self) -> Option<&str> {
        self.get("AWS_REGION")
            .or_else(|| self.get("AWS_DEFAULT_REGION"))
    }

    /// Where a service of AWS is asked instead of at its own address, without a slash at the end;
    /// `variable` is the one for this service alone.
    pub fn aws_endpoint(&self, variable: &str) -> Option<&str> {
        let url = self.get(variable);
        let url = url.or_else(|| self.get("AWS_ENDPOINT_URL"))?;
        Some(url.trim_end_matches('/'))
    }

    /// A file under the user's home, if there is one.
    pub fn in_home(&self, file: &str) -> Option<PathBuf> {
        let home = self.file("HOME").or_else(|| self.file("USERPROFILE"))?;
        Some(home.join(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_for_one_service_comes_before_that_for_all() {
        let all = ("AWS_ENDPOINT_URL".to_owned(), "http://all/".to_owned());
        let one = ("AWS_ENDPOINT_URL_S3".to_owned(), "http://one".to_owned());
        let endpoint = |environment: &[(String, String)]| {
            let ambient = Ambient::of(environment);
            ambient
                .aws_endpoint("AWS_ENDPOINT_URL_S3")
                .map(str::to_owned)
        };
        assert_eq!(endpoint(&[]), None);
        assert_eq!(
            endpoint(std::slice::from_ref(&all)).as_deref(),
            Some("http://all")
        );
        assert_eq!(endpoint(&[all, one]).as_deref(), Some("http://one"));
    }

    #[test]
    fn only_what_is_known_is_kept_and_nothing_empty() {
        let environment = [
            ("AWS_PROFILE", "batch"),
            ("AWS_ROLE_ARN", ""),
            ("OPENAI_API_KEY", "sk-1"),
            ("HOME", "/home/app"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let ambient = Ambient::of(&environment);
        assert_eq!(ambient.get("AWS_PROFILE"), Some("batch"));
        assert_eq!(ambient.get("AWS_ROLE_ARN"), None);
        assert_eq!(ambient.0.len(), 2);
        let file = ambient.in_home(".aws/config").unwrap();
        assert_eq!(file, Path::new("/home/app/.aws/config"));
    }
}
