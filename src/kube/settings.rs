//! What an injector was told: how the sidecar is to be, where no annotation of the pod says otherwise.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use super::quantity::Quantity;
use crate::source::SourceUrl;

/// Of one injector.
#[derive(Debug, Clone)]
pub struct Settings {
    pub usual: Profile,
    /// Those that a pod may name.
    pub profiles: BTreeMap<String, Profile>,
    /// The API server's, where it is known.
    pub version: Option<KubernetesVersion>,
}

/// How a sidecar is to be.
#[derive(Debug, Clone)]
pub struct Profile {
    pub image: String,
    /// By the cluster's own rule when absent.
    pub pull_policy: Option<String>,
    pub native: Native,
    /// Where the central document is.
    pub source: Option<String>,
    /// An entry of a `ConfigMap` that is the sidecar's own file.
    pub config_map: Option<Entry>,
    /// An entry of a `ConfigMap`: authorities that the source is trusted by.
    pub ca: Option<Entry>,
    /// An entry of a `Secret` that is the application's token; each pod has one of its own when absent.
    pub token_secret: Option<Entry>,
    /// For whom the pod's service-account token is.
    pub audience: String,
    /// Which SDKs are told by variables.
    pub sdks: Vec<Sdk>,
    pub team: Option<String>,
    pub environment: Option<String>,
    pub resources: Resources,
    /// More variables of the sidecar, or others than ours.
    pub env: BTreeMap<String, Variable>,
}

#[derive(Debug, Clone)]
pub struct Resources {
    pub cpu_request: Quantity,
    pub cpu_limit: Option<Quantity>,
    pub memory_request: Quantity,
    pub memory_limit: Quantity,
}

/// What a variable of the sidecar holds.
#[derive(Debug, Clone)]
pub enum Variable {
    Text(String),
    Secret(Entry),
}

/// Whether the sidecar is a native one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Native {
    /// Where the API server knows of them, or its version is not known.
    Auto,
    Always,
    Never,
}

/// An SDK whose base URL and key are variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    OpenAi,
    Anthropic,
}

/// One entry of a `ConfigMap` or a `Secret`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub key: String,
}

/// What an entry is for, which names its key where nobody else does.
#[derive(Debug, Clone, Copy)]
pub enum Usual {
    Config,
    Ca,
    Token,
    /// The value of a variable.
    Value,
}

/// How the files end that a sidecar reads: it knows their format by that.
const FORMATS: &[&str] = &["yaml", "yml", "toml", "json"];

/// Major and minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesVersion(u32, u32);

/// The first in which init containers that are restarted are sidecars. One before 1.28 drops the field
/// without a word, and the pod waits for its sidecar to end.
const FIRST_NATIVE: KubernetesVersion = KubernetesVersion(1, 29);

impl Native {
    pub const WORDS: &[&str] = &["auto", "true", "false"];

    pub fn of(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "true" => Some(Self::Always),
            "false" => Some(Self::Never),
            _ => None,
        }
    }

    /// Whether the sidecar is native in a cluster of this version.
    ///
    /// # Errors
    /// It is to be, and cannot.
    pub fn decide(self, version: Option<KubernetesVersion>) -> Result<bool, String> {
        let can = version.is_none_or(|version| version >= FIRST_NATIVE);
        match (self, version) {
            (Self::Auto, _) => Ok(can),
            (Self::Never, _) => Ok(false),
            (Self::Always, Some(version)) if !can => Err(format!(
                "a native sidecar needs Kubernetes {FIRST_NATIVE}, and this is {version}"
            )),
            (Self::Always, _) => Ok(true),
        }
    }
}

impl Sdk {
    pub const WORDS: &[&str] = &["openai", "anthropic"];

    pub fn of(word: &str) -> Option<Self> {
        match word {
            "openai" => Some(Self::OpenAi),
            "anthropic" => Some(Self::Anthropic),
            _ => None,
        }
    }
}

impl Entry {
    /// `NAME/KEY`, or `NAME` alone.
    ///
    /// # Errors
    /// It is neither, for the operator.
    pub fn try_new(text: &str, of: Usual) -> Result<Self, String> {
        let usual = of.key();
        let (name, key) = text.split_once('/').unwrap_or((text, usual));
        let is_name = !name.is_empty()
            && name.len() <= 253
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
        let is_key = !key.is_empty()
            && key.len() <= 253
            && !key.starts_with("..")
            && key != "."
            && key
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !is_name || !is_key {
            return Err(format!(
                "`{text}` is not `NAME/KEY`, nor a `NAME` for the key `{usual}`"
            ));
        }
        let extension = Path::new(key).extension().and_then(OsStr::to_str);
        let is_known = FORMATS
            .iter()
            .any(|known| extension.is_some_and(|it| it.eq_ignore_ascii_case(known)));
        if matches!(of, Usual::Config) && !is_known {
            return Err(format!(
                "`{key}` has none of the extensions .{}",
                FORMATS.join(", .")
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            key: key.to_owned(),
        })
    }
}

impl Usual {
    fn key(self) -> &'static str {
        match self {
            Self::Config => "pillion.yaml",
            Self::Ca => "ca.crt",
            Self::Token => "token",
            Self::Value => "value",
        }
    }
}

impl Profile {
    /// Where nobody says otherwise.
    pub fn usual() -> Self {
        Self {
            image: concat!("pillion:", env!("CARGO_PKG_VERSION")).to_owned(),
            pull_policy: None,
            native: Native::Auto,
            source: None,
            config_map: None,
            ca: None,
            token_secret: None,
            audience: "pillion".to_owned(),
            sdks: vec![Sdk::OpenAi, Sdk::Anthropic],
            team: None,
            environment: None,
            resources: Resources {
                cpu_request: Quantity::millicores(10),
                cpu_limit: None,
                memory_request: Quantity::mebibytes(24),
                memory_limit: Quantity::mebibytes(128),
            },
            env: BTreeMap::new(),
        }
    }
}

impl KubernetesVersion {
    /// `1.29`, also `v1.29.3`.
    ///
    /// # Errors
    /// It is none, for the operator.
    pub fn try_new(text: &str) -> Result<Self, String> {
        let mut parts = text.trim_start_matches('v').splitn(3, '.');
        let mut number = || {
            let part = parts.next()?;
            // Some clouds write `29+`.
            let digits = part
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(part.len());
            part.get(..digits)?.parse().ok()
        };
        match (number(), number()) {
            (Some(major), Some(minor)) => Ok(Self(major, minor)),
            _ => Err(format!("`{text}` is not a version such as `1.33`")),
        }
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The URL of a central document, for a variable of the sidecar.
///
/// # Errors
/// It is none, or holds a user or a password, which everybody would read in the pod; for the operator.
pub fn source(url: &str) -> Result<String, String> {
    SourceUrl::try_new(url)?;
    if url.contains('@') && !url.starts_with("http") && !url.starts_with("file:") {
        return Err("names a user or holds a password, which all who may see the pod would read; set the variable `PILLION_SOURCE__URL` from a secret".to_owned());
    }
    Ok(url.to_owned())
}

/// The most of a [`text`], in bytes.
const LONGEST: usize = 1024;

/// Text for an image, a team and the like: one word.
///
/// # Errors
/// It is none, for the operator.
pub fn text(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("has white space or a control character in it".to_owned());
    }
    if text.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_decides_for_who_leaves_it_open() {
        for (native, version, expected) in [
            ("auto", None, Ok(true)),
            ("auto", Some("1.28"), Ok(false)),
            ("auto", Some("v1.29.4-gke.1"), Ok(true)),
            ("auto", Some("1.100"), Ok(true)),
            ("false", Some("1.33"), Ok(false)),
            ("true", Some("1.33+"), Ok(true)),
            ("true", None, Ok(true)),
            (
                "true",
                Some("1.20"),
                Err("a native sidecar needs Kubernetes 1.29, and this is 1.20"),
            ),
        ] {
            let version = version.map(|text| KubernetesVersion::try_new(text).unwrap());
            let decided = Native::of(native).unwrap().decide(version);
            assert_eq!(
                decided,
                expected.map_err(str::to_owned),
                "{native} {version:?}"
            );
        }
        for text in ["", "1", "one.two", "1.x"] {
            assert!(KubernetesVersion::try_new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_entry_is_named_by_its_object_and_its_key() {
        for (text, expected) in [
            ("llm/token", Some(("llm", "token"))),
            ("llm", Some(("llm", "value"))),
            ("a.b-1/K_e.y", Some(("a.b-1", "K_e.y"))),
            ("", None),
            ("/k", None),
            ("n/", None),
            ("N/k", None),
            ("n/k/l", None),
            ("n/..", None),
            ("a b", None),
        ] {
            let read = Entry::try_new(text, Usual::Value).ok();
            let expected = expected.map(|(name, key)| Entry {
                name: name.to_owned(),
                key: key.to_owned(),
            });
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_none_is_told_why() {
        let long = "é".repeat(LONGEST / 2 + 1);
        for (wrong, why) in [
            ("", "is empty"),
            ("a b", "has white space or a control character in it"),
            ("a\u{7}", "has white space or a control character in it"),
            (&long, "is longer than 1024 bytes"),
        ] {
            assert_eq!(text(wrong).unwrap_err(), why);
        }
        assert!(text(&long[2..]).is_ok());
    }

    #[test]
    fn a_configuration_has_a_format() {
        for key in ["c", "c/a.yaml", "c/a.yml", "c/b.c.TOML", "c/a.json"] {
            assert!(Entry::try_new(key, Usual::Config).is_ok(), "{key}");
        }
        for key in ["c/prod.conf", "c/pillion", "c/.yaml", "c/a.yaml.bak"] {
            let why = Entry::try_new(key, Usual::Config).unwrap_err();
            let said = "has none of the extensions .yaml, .yml, .toml, .json";
            assert!(why.ends_with(said), "{why}");
        }
        assert!(Entry::try_new("c/prod.conf", Usual::Ca).is_ok());
    }

    #[test]
    fn a_source_with_a_password_is_not_for_a_pod() {
        assert!(source("https://config.internal/prod.yaml").is_ok());
        assert!(source("redis://redis.internal/0/prod").is_ok());
        for url in ["redis://:canary@redis.internal/0/prod", "no url"] {
            let why = source(url).unwrap_err();
            assert!(!why.contains("canary"), "{why}");
        }
    }
}
