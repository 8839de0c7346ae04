//! The configuration that a gateway is started with.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::support::{Folder, Refusing, Upstream};

/// The providers of a route, in the order of fallback.
const PLACES: [&str; 4] = ["first", "second", "third", "fourth"];

/// A configuration: providers, and a route `chat` to all of them in their order. Target
/// `NAME/model-NAME` is the provider's of that name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    root: String,
    providers: String,
    targets: Vec<String>,
    knobs: String,
    routes: String,
    files: Vec<(String, Vec<u8>)>,
    pub(super) environment: Vec<(String, String)>,
    audit: String,
    pub(super) audit_unread: bool,
    source: Option<String>,
}

impl Config {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Providers named `first`, `second`, … in the order of fallback.
    pub(crate) fn of(upstreams: &[&Upstream]) -> Self {
        let config = PLACES.iter().zip(upstreams);
        config.fold(Self::new(), |config, (name, upstream)| {
            config.provider(name, &upstream.base_url(), "")
        })
    }

    /// Another route, to providers of its own: `NAME-first`, `NAME-second`, … A row of a table does
    /// not meet there what earlier rows have taught of a provider's health.
    pub(crate) fn row(self, name: &str, upstreams: &[&Upstream]) -> Self {
        let mut targets = Vec::new();
        let config = PLACES
            .iter()
            .zip(upstreams)
            .fold(self, |config, (place, upstream)| {
                targets.push(format!("{name}-{place}/m"));
                config.provider_alone(&format!("{name}-{place}"), &upstream.base_url(), "")
            });
        config.route(name, &format!("{{ targets: [{}] }}", targets.join(", ")))
    }

    /// The routes `plain` and `streamed`, each to providers of its own.
    pub(crate) fn both(upstreams: &[&Upstream]) -> Self {
        Self::new()
            .row("plain", upstreams)
            .row("streamed", upstreams)
    }

    /// One more provider, with `more` of its keys.
    pub(crate) fn provider(self, name: &str, base_url: &str, more: &str) -> Self {
        let target = format!("{name}/model-{name}");
        self.provider_alone(name, base_url, more).target(&target)
    }

    /// One more provider of any kind: all of its keys in one line of YAML.
    pub(crate) fn provider_of(self, name: &str, keys: &str) -> Self {
        self.keys_of(name, keys)
            .target(&format!("{name}/model-{name}"))
    }

    /// The same without a target of the route.
    pub(crate) fn keys_of(mut self, name: &str, keys: &str) -> Self {
        let _ = writeln!(self.providers, "  {name}: {{ {keys} }}");
        self
    }

    /// A variable of the process's environment, in which `$FOLDER` is the configuration's.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A provider that refuses connections.
    pub(crate) fn refusing(self, name: &str, refusing: &Refusing) -> Self {
        self.provider(name, &refusing.base_url(), "")
    }

    /// A provider that the route does not use.
    pub(crate) fn provider_alone(mut self, name: &str, base_url: &str, more: &str) -> Self {
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(", {more}")
        };
        let _ = writeln!(
            self.providers,
            "  {name}: {{ kind: openai-compatible, base_url: \"{base_url}\"{more} }}"
        );
        self
    }

    /// One more target of the route: YAML of one line.
    pub(crate) fn target(mut self, target: &str) -> Self {
        self.targets.push(target.to_owned());
        self
    }

    /// A knob of the route, such as `timeout: 2s`.
    pub(crate) fn knob(mut self, line: &str) -> Self {
        let _ = writeln!(self.knobs, "    {line}");
        self
    }

    /// The route's `timeout`, `first_token` and `answer`.
    pub(crate) fn limits(self, timeout: &str, first_token: &str, answer: &str) -> Self {
        self.knob(&format!("timeout: {timeout}"))
            .knob(&format!("first_token: {first_token}"))
            .knob(&format!("answer: {answer}"))
    }

    /// Another route: its name, and the rest in one line of YAML.
    pub(crate) fn route(mut self, name: &str, rest: &str) -> Self {
        let _ = writeln!(self.routes, "  {name}: {rest}");
        self
    }

    /// A file beside the configuration, which is `$FOLDER/NAME` there.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.file_of(name, content.as_bytes())
    }

    /// The same with what need be no text.
    pub(crate) fn file_of(mut self, name: &str, content: &[u8]) -> Self {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// Lines at the top level. Without `keys` among them anybody may call.
    pub(crate) fn root(mut self, lines: &str) -> Self {
        let _ = writeln!(self.root, "{lines}");
        self
    }

    /// More keys of `audit`, in one line of YAML. With a `file` among them it is that one.
    pub(crate) fn audit(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.audit);
        self
    }

    /// Records go to a pipe that nobody reads.
    pub(crate) fn audit_unread(mut self) -> Self {
        self.audit_unread = true;
        self
    }

    /// The configuration of a sidecar that follows a document: the keys of `source`, in one line of
    /// YAML. Its own file says nothing of providers and routes.
    pub(crate) fn following(keys: &str) -> Self {
        Self {
            source: Some(keys.to_owned()),
            ..Self::new()
        }
    }

    /// What a central document says of all this, with more lines at the top level.
    pub(crate) fn central(&self, more: &str) -> String {
        let mut text = format!("{more}\n{}", self.root);
        if !text.contains("keys:") {
            text += "allow_anonymous: true\n";
        }
        text + &self.routing()
    }

    /// Writes it down, with the files beside it; returns its path.
    pub(crate) fn write(&self, folder: &Folder) -> PathBuf {
        for (name, content) in &self.files {
            fs::write(folder.file(name), content).unwrap();
        }
        let path = folder.file("pillion.yaml");
        fs::write(&path, self.yaml(folder)).unwrap();
        path
    }

    fn yaml(&self, folder: &Folder) -> String {
        let mut text = String::from("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n");
        let audit = folder.file("audit.jsonl");
        let _ = if self.audit_unread {
            writeln!(text, "audit: {{ to: [stdout] }}")
        } else {
            let file = if self.audit.contains("file:") {
                String::new()
            } else {
                format!("file: {}, ", audit.display())
            };
            writeln!(text, "audit: {{ {file}{} }}", self.audit)
        };
        if !self.root.contains("keys:") && self.source.is_none() {
            text += "allow_anonymous: true\n";
        }
        if !self.root.contains("lame_duck:") {
            text += "lame_duck: 0s\n";
        }
        text += &self.root;
        match &self.source {
            Some(keys) => {
                let _ = writeln!(text, "source: {{ {keys} }}\ncache_dir: $FOLDER/cache");
            }
            None => text += &self.routing(),
        }
        text.replace("$FOLDER", &folder.0.display().to_string())
    }

    fn routing(&self) -> String {
        let mut text = String::new();
        if !self.providers.is_empty() {
            let _ = write!(text, "providers:\n{}", self.providers);
        }
        text += "routes:\n";
        text += &self.routes;
        if !self.targets.is_empty() {
            let _ = write!(text, "  chat:\n{}    targets:\n", self.knobs);
            for target in &self.targets {
                let _ = writeln!(text, "      - {target}");
            }
        }
        text
    }
}
