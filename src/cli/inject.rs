//! `pillion inject`: gives pods the sidecar, as an admission webhook or in manifests.

use std::fs;
use std::io::{self, Read as _, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args, ValueEnum};

use super::run::{refuse, runtime, started};
use super::{FAILED, keys};
use crate::app::Webhook;
use crate::config;
use crate::kube::manifest::{Format, Manifest};
use crate::kube::{PodToken, Settings};

/// Give pods the sidecar: as an admission webhook, or with -f in manifests of any workload, which are
/// printed.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["files", "tls_cert"]).required(true)))]
pub(super) struct Inject {
    /// A manifest in YAML or JSON, of one or more objects; `-` is stdin. May be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How manifests are printed
    #[arg(short, long, value_enum, default_value_t = Output::Yaml, requires = "files")]
    output: Output,
    /// Where API servers connect
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "[::]:8443",
        conflicts_with = "files"
    )]
    listen: SocketAddr,
    /// The webhook's certificate and its chain, in PEM; read again when it is replaced
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "files",
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate, in PEM
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "files",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,
    /// Settings of the injector: YAML, TOML or JSON, by extension. The flags below go before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The sidecar's image
    #[arg(long)]
    image: Option<String>,
    /// The central document that sidecars follow
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// A config map beside the pod with the sidecar's own file, as NAME or NAME/KEY
    #[arg(long, value_name = "NAME/KEY")]
    config_map: Option<String>,
    /// A secret beside the pod with the application's token, as NAME or NAME/KEY; without one each pod has a
    /// token of its own
    #[arg(long, value_name = "NAME/KEY")]
    token_secret: Option<String>,
    /// Whether sidecars are native: auto, true or false
    #[arg(long, value_name = "WHETHER")]
    native_sidecar: Option<String>,
    /// The API server's version, such as 1.33: before 1.29 sidecars are classic
    #[arg(long, value_name = "VERSION")]
    kubernetes_version: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Yaml,
    Json,
}

impl Inject {
    /// Whether it serves API servers, and does not print manifests.
    pub(super) fn is_service(&self) -> bool {
        self.files.is_empty()
    }

    /// # Errors
    /// Those of `out`, and of the system's source of randomness.
    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        let flags = self.flags();
        let settings = match config::injector(self.config.as_deref(), &flags) {
            Ok(settings) => settings,
            Err(problems) => return Ok(refuse(&problems)),
        };
        let (Some(certificate), Some(key)) = (self.tls_cert, self.tls_key) else {
            let format = match self.output {
                Output::Yaml => Format::Yaml,
                Output::Json => Format::Json,
            };
            return offline(&self.files, &settings, format, out);
        };
        let webhook = Webhook {
            listen: self.listen,
            certificate,
            key,
            settings,
            settings_file: self.config,
            flags,
            mint,
        };
        let runtime = runtime(1)?;
        let ended = runtime.block_on(webhook.run());
        runtime.shutdown_background();
        Ok(started(ended))
    }

    /// Those that are set, each as a key of the settings.
    fn flags(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("image", &self.image),
            ("source", &self.source),
            ("config_map", &self.config_map),
            ("token_secret", &self.token_secret),
            ("native_sidecar", &self.native_sidecar),
            ("kubernetes_version", &self.kubernetes_version),
        ];
        let set = all
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.clone()?)));
        set.collect()
    }
}

/// Nothing is printed unless all is fine: what is printed may be piped to where it counts.
fn offline(
    files: &[PathBuf],
    settings: &Settings,
    format: Format,
    out: &mut impl Write,
) -> io::Result<ExitCode> {
    let mut is_fine = true;
    let mut printed = String::new();
    for file in files {
        let name = file.display();
        let read = read(file).map_err(|error| format!("{name}: cannot be read: {error}"));
        let read =
            read.and_then(|text| Manifest::read(&text).map_err(|note| format!("{name}:{note}")));
        let mut manifest = match read {
            Ok(manifest) => manifest,
            Err(why) => {
                tracing::error!("{why}");
                is_fine = false;
                continue;
            }
        };
        match manifest.inject(settings, mint)? {
            Ok(injected) => {
                for warning in injected.warnings {
                    tracing::warn!("{name}:{warning}");
                }
                match (injected.pods, injected.left) {
                    (0, 0) => tracing::warn!(
                        "{name}: nothing was injected: it has no place for a sidecar"
                    ),
                    (0, left) => tracing::warn!(
                        left,
                        "{name}: nothing was injected: its pods are left as they are"
                    ),
                    (pods, _) => tracing::info!(pods, "{name}: injected"),
                }
                if !printed.is_empty() && format == Format::Yaml {
                    printed.push_str("---\n");
                }
                printed.push_str(&manifest.write(format));
            }
            Err(problems) => {
                is_fine = false;
                for problem in problems {
                    tracing::error!("{name}:{problem}");
                }
            }
        }
    }
    if !is_fine {
        return Ok(ExitCode::from(FAILED));
    }
    out.write_all(printed.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> io::Result<String> {
    if file != Path::new("-") {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

fn mint() -> io::Result<PodToken> {
    let token = keys::new_token()?;
    let hash = config::sha256(token.as_bytes());
    Ok(PodToken { token, hash })
}
