//! `-- CMD…`: the application that a command starts once it can be served, with its settings in its
//! environment and no provider's key.

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use super::keys;
use crate::app::{self, Addresses, Next, Start};
use crate::config::{Sources, sha256};
use crate::kube::{ANTHROPIC, EXEMPT, OPENAI, PROXIES, with_loopback};
use crate::snapshot::{Callers, Snapshot};

use super::BAD_CONFIGURATION;

/// As shells have it.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

/// What is said of a token that was asked for and is not there.
const NO_TOKEN: &str = "there is no token for the application: give one by --token-file FILE or PILLION_TOKEN, or \
                        have a key with `hash: pod` in the configuration, which gets a new one at each start";

/// What a service manager tells the service that it has started, which is us.
const SERVICE: &[&str] = &["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// Where the token of an application is from.
pub(super) enum Token {
    /// Somebody said it.
    Said(String),
    /// It was made for this start, as that of the key with `hash: pod`.
    Own(String),
}

impl Token {
    /// What `file` holds, or the variable `PILLION_TOKEN`.
    ///
    /// # Errors
    /// Why the file gives none, without any of its text.
    pub(super) fn said(file: Option<&Path>, sources: &Sources) -> Result<Option<Self>, String> {
        let Some(file) = file else {
            let variable = sources.variable("PILLION_TOKEN");
            return Ok(variable.filter(|it| !it.is_empty()).map(Self::Said));
        };
        let name = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("the token's file {name} cannot be read: {error}"))?;
        match text.trim_end() {
            "" => Err(format!("the token's file {name} is empty")),
            token => Ok(Some(Self::Said(token.to_owned()))),
        }
    }

    /// A new one, which `sources` know from here on as that of this process's own key, unless that has one.
    pub(super) fn own(sources: &mut Sources) -> io::Result<Option<Self>> {
        if sources.variable("PILLION_POD_KEY").is_some() {
            return Ok(None);
        }
        let token = keys::new_token()?;
        let hash = format!("sha256:{}", sha256(token.as_bytes()));
        let variable = ("PILLION_POD_KEY".to_owned(), hash);
        sources.beside(vec![variable]);
        Ok(Some(Self::Own(token)))
    }

    /// One for where everybody may call: SDKs want one that is not empty.
    pub(super) fn any() -> Self {
        Self::Said("anyone".into())
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Said(token) | Self::Own(token) => token,
        }
    }

    /// Whether it opens a key.
    pub(super) fn opens(&self, snapshot: &Snapshot) -> bool {
        match &snapshot.callers {
            Callers::Anyone(_) => true,
            Callers::Keys(keys) => {
                let hash = sha256(self.text().as_bytes());
                keys.keys().any(|known| digits(known) == hash)
            }
        }
    }
}

/// Whether there are keys at all, as far as is known before there is a central document.
pub(super) fn has_keys(start: &Start) -> bool {
    match start {
        Start::Loaded(loaded) => matches!(loaded.snapshot.callers, Callers::Keys(_)),
        Start::Following(..) => true,
    }
}

fn digits(hash: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    hash.iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// A program with its arguments, and what it is not to know.
pub(super) struct Application {
    /// At least one word.
    pub(super) words: Vec<OsString>,
    /// The environment that it would have.
    pub(super) env: Vec<(String, String)>,
    /// Variables that hold keys of providers.
    pub(super) keys: Vec<&'static str>,
}

impl Application {
    /// Starts it with this token, or says why not.
    pub(super) fn start(&self, at: Addresses, snapshot: &Snapshot, token: Option<&Token>) -> Next {
        let refuse = |why: &str| {
            tracing::error!("{why}; the application is not started");
            Next::End(BAD_CONFIGURATION)
        };
        let token = match token {
            Some(token) if token.opens(snapshot) => token,
            Some(Token::Own(_)) | None => return refuse(NO_TOKEN),
            Some(Token::Said(_)) => {
                return refuse(
                    "the token of --token-file or PILLION_TOKEN opens no key of the configuration",
                );
            }
        };
        let mut command = self.command(at, token.text(), snapshot);
        command.args(&self.words[1..]);
        match app::Application::start(command) {
            Ok(application) => Next::Beside(application),
            Err(error) => {
                let name = self.words[0].display();
                if error.kind() == io::ErrorKind::NotFound {
                    tracing::error!("`{name}` is no program that can be found");
                    return Next::End(NOT_FOUND);
                }
                tracing::error!("`{name}` cannot be run: {error}");
                Next::End(NOT_RUN)
            }
        }
    }

    /// The program under its own environment.
    fn command(&self, at: Addresses, token: &str, snapshot: &Snapshot) -> Command {
        let mut command = Command::new(&self.words[0]);
        let ours = self.env.iter().map(|(name, _)| name.as_str());
        let ours = ours.filter(|name| name.starts_with("PILLION_"));
        let secrets = snapshot.providers.values();
        let secrets = secrets.filter_map(|provider| provider.secret.as_ref());
        let secrets = secrets.chain(&snapshot.admin_token);
        let secrets = secrets.filter_map(|secret| secret.variable());
        let not_its_own = self.keys.iter().chain(SERVICE).copied();
        for name in ours.chain(secrets).chain(not_its_own) {
            command.env_remove(name);
        }
        for variables in [OPENAI, ANTHROPIC] {
            let url = format!("{}{}", base(at.listen), variables.path);
            command.env(variables.base_url, url);
            command.env(variables.key, token);
            if let Some(other) = variables.other_key {
                command.env_remove(other);
            }
        }
        let set = |name: &str| self.env.iter().find(|(known, _)| known == name);
        if PROXIES.iter().any(|name| set(name).is_some()) {
            // Of two that are set the clients take one, and not all of them the same. So what is set is made
            // longer, and one that is not stays so, lest it goes before the other.
            let is_said = |name: &str| set(name).is_some_and(|(_, value)| !value.is_empty());
            let is_any = EXEMPT.iter().any(|name| is_said(name));
            for name in EXEMPT {
                let exempt = set(name).map_or("", |(_, value)| value.as_str());
                if is_any && !is_said(name) {
                    command.env_remove(name);
                } else if let Some(exempt) = with_loopback(exempt) {
                    command.env(name, exempt);
                }
            }
        }
        command
    }
}

/// How an application of this machine calls what listens there.
pub(super) fn base(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsStr;

    use super::*;
    use crate::config::{Format, load};
    use crate::snapshot::Key;

    fn at(listen: &str) -> Addresses {
        let listen = listen.parse().unwrap();
        Addresses {
            listen,
            admin: listen,
        }
    }

    fn application(env: &[(&str, &str)]) -> Application {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Application {
            words: vec!["app".into()],
            env: env.iter().map(owned).collect(),
            keys: vec!["GEMINI_API_KEY"],
        }
    }

    /// What a command changes of its environment; `None` where a variable is taken out.
    fn changes(command: &Command) -> BTreeMap<&str, Option<&str>> {
        fn text(text: &OsStr) -> &str {
            text.to_str().unwrap()
        }
        let changes = command.get_envs();
        changes
            .map(|(name, value)| (text(name), value.map(text)))
            .collect()
    }

    #[test]
    fn an_application_gets_two_settings_for_each_sdk_and_nobody_elses_key() {
        let text = "
providers:
  a: { kind: openai, secret: env:OPENAI_API_KEY }
  b: { kind: anthropic, secret: env:TEAM_KEY }
  c: { kind: vertex, project: p, location: global, secret: env:GOOGLE_DOCUMENT }
routes: { r: { targets: [a/m, b/m] } }
admin_token: env:PAGE
allow_anonymous: true";
        let loaded = load(&Sources::from_text(Format::Yaml, text)).unwrap();
        let application = application(&[
            ("PILLION_TOKEN", "t"),
            ("PILLION_SHARED_STATE", "redis://:p@h"),
            ("HOME", "/home/me"),
            ("NOTIFY_SOCKET", "/run/systemd/notify"),
        ]);
        let command = application.command(at("127.0.0.1:4100"), "token", &loaded.snapshot);
        let expected = [
            ("ANTHROPIC_API_KEY", Some("token")),
            ("ANTHROPIC_AUTH_TOKEN", None),
            ("ANTHROPIC_BASE_URL", Some("http://127.0.0.1:4100")),
            ("GEMINI_API_KEY", None),
            ("GOOGLE_DOCUMENT", None),
            ("NOTIFY_SOCKET", None),
            ("OPENAI_API_KEY", Some("token")),
            ("OPENAI_BASE_URL", Some("http://127.0.0.1:4100/v1")),
            ("PAGE", None),
            ("PILLION_SHARED_STATE", None),
            ("PILLION_TOKEN", None),
            ("TEAM_KEY", None),
            ("WATCHDOG_PID", None),
            ("WATCHDOG_USEC", None),
        ];
        assert_eq!(changes(&command), BTreeMap::from(expected));
    }

    #[test]
    fn a_proxy_is_not_asked_for_loopback() {
        let snapshot = Snapshot::of(Callers::Anyone(Key::named("any").into()));
        let proxy = ("HTTPS_PROXY", "http://proxy");
        let (all, more) = ("127.0.0.1,localhost,::1", ".svc,127.0.0.1,localhost,::1");
        // What a variable is afterwards: empty where it is not set.
        for (env, upper, lower) in [
            (&[proxy][..], all, all),
            (&[proxy, ("NO_PROXY", ".svc")], more, ""),
            (&[proxy, ("no_proxy", ".svc")], "", more),
            (&[proxy, ("NO_PROXY", ".svc"), ("no_proxy", "")], more, ""),
            (&[proxy, ("NO_PROXY", ""), ("no_proxy", "")], all, all),
            (&[proxy, ("NO_PROXY", ".svc"), ("no_proxy", "*")], more, "*"),
            (&[("NO_PROXY", ".svc")], ".svc", ""),
        ] {
            let command = application(env).command(at("0.0.0.0:80"), "token", &snapshot);
            let changes = changes(&command);
            let before = |name: &str| env.iter().find(|(known, _)| *known == name);
            let after = |name: &str| match changes.get(name) {
                Some(change) => change.unwrap_or_default(),
                None => before(name).map_or("", |(_, value)| *value),
            };
            assert_eq!(
                (after("NO_PROXY"), after("no_proxy")),
                (upper, lower),
                "{env:?}"
            );
        }
    }

    #[test]
    fn who_listens_everywhere_is_called_here() {
        assert_eq!(base("0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80");
        assert_eq!(base("[::]:80".parse().unwrap()), "http://[::1]:80");
    }

    #[test]
    fn a_token_is_found_where_it_was_said() {
        let sources = |env: &[(&str, &str)]| {
            let mut sources = Sources::from_text(Format::Yaml, "");
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            sources.env = env.iter().map(owned).collect();
            sources
        };
        let said = |sources: &Sources| Token::said(None, sources).unwrap();
        assert!(said(&sources(&[("PILLION_TOKEN", "")])).is_none());
        let token = said(&sources(&[("PILLION_TOKEN", "t")])).unwrap();
        assert_eq!(token.text(), "t");
        let missing = Token::said(Some(Path::new("/nowhere/token")), &sources(&[]));
        let why = missing.err().unwrap();
        assert!(why.contains("/nowhere/token cannot be read"), "{why}");

        let mut unknown = sources(&[]);
        let own = Token::own(&mut unknown).unwrap().unwrap();
        let hash = format!("sha256:{}", sha256(own.text().as_bytes()));
        assert_eq!(unknown.variable("PILLION_POD_KEY"), Some(hash));
        // Whoever has set its hash knows the token, and we do not.
        assert!(Token::own(&mut unknown).unwrap().is_none());
    }

    #[test]
    fn a_token_opens_the_key_that_has_its_hash() {
        let hash = |token: &str| {
            let hash = sha256(token.as_bytes());
            let byte = |nth| u8::from_str_radix(&hash[2 * nth..2 * nth + 2], 16).unwrap();
            std::array::from_fn(byte)
        };
        let keys = [(hash("t"), Key::named("k").into())].into();
        let snapshot = Snapshot::of(Callers::Keys(keys));
        assert!(Token::Said("t".into()).opens(&snapshot));
        assert!(!Token::Own("u".into()).opens(&snapshot));
    }
}
