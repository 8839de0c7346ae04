//! A web server with TLS: nginx, where it is installed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use pillion::config::Format;
use pillion::secret::Ambient;
use pillion::source::{Auth, Place, SourceError};

use super::followed::Keeper;
use super::{
    error, is_away, is_signed, keeps_up, new, open, place, same, signed, too_large, with_token,
};
use crate::support::{Folder, Peer, Program, Reply, Upstream};

const PROGRAM: Program = Program {
    variable: "PILLION_TEST_NGINX",
    names: &["nginx", "/usr/sbin/nginx"],
    version: "-v",
};

pub(super) struct Nginx(Peer);

/// A certificate that vouches for itself, and its key.
fn certificate(folder: &Folder, name: &str) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (
        folder.file(&format!("{name}.pem")),
        folder.file(&format!("{name}.key")),
    );
    fs::write(&chain, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (chain, key)
}

impl Nginx {
    pub(super) async fn start() -> Option<Self> {
        let program = PROGRAM.find()?;
        let peer = Peer::start(program, |ports, folder| {
            let root = folder.file("").display().to_string();
            if !folder.file("server.pem").exists() {
                certificate(folder, "server");
                certificate(folder, "client");
                for name in ["www", "www/token", "www/own", "www/later"] {
                    fs::create_dir(folder.file(name)).unwrap();
                }
            }
            let port = ports[0];
            let settings = format!(
                "daemon off; master_process off; worker_processes 1; pid {root}nginx.pid;
                error_log {root}error.log; events {{ worker_connections 64; }}
                http {{
                  types {{ application/json other; }}
                  access_log off; client_body_temp_path {root}body; proxy_temp_path {root}proxy;
                  fastcgi_temp_path {root}fastcgi; uwsgi_temp_path {root}uwsgi; scgi_temp_path {root}scgi;
                  server {{
                    listen 127.0.0.1:{port} ssl http2; server_name localhost; root {root}www;
                    ssl_certificate {root}server.pem; ssl_certificate_key {root}server.key;
                    ssl_client_certificate {root}client.pem; ssl_verify_client optional_no_ca;
                    location /token/ {{ if ($http_authorization != \"Bearer right-canary\") {{ return 401; }} }}
                    location /own/ {{ if ($ssl_client_verify != SUCCESS) {{ return 403; }} }}
                    location /later/ {{ add_header retry-after 7 always; return 503; }}
                    location /moved/ {{ return 302 /own/; }}
                  }}
                }}"
            );
            let file = folder.file("nginx.conf");
            fs::write(&file, settings).unwrap();
            let error_log = format!("{root}start.log");
            ["-p", &root, "-e", &error_log, "-c", &file.display().to_string()]
                .map(str::to_owned)
                .to_vec()
        })
        .await;
        Some(Self(peer))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.folder.file(&format!("www/{name}"))
    }

    /// Where this is, for those who trust the server.
    fn place(&self, name: &str) -> Place {
        let url = format!("https://localhost:{}/{name}", self.0.ports[0]);
        Place {
            ca: Some(self.0.folder.file("server.pem")),
            ..place(&url)
        }
    }
}

impl Keeper for Nginx {
    fn keys(&self) -> String {
        let ca = self.0.folder.file("server.pem");
        let port = self.0.ports[0];
        let ca = ca.display();
        format!("url: \"https://localhost:{port}/prod.yaml\", ca: \"{ca}\"")
    }

    async fn put(&mut self, text: &str) {
        let whole = self.file("whole");
        fs::write(&whole, text).unwrap();
        fs::rename(whole, self.file("prod.yaml")).unwrap();
    }

    fn stop(&mut self) {
        self.0.signal("STOP");
    }

    fn kill(&mut self) {
        self.0.kill();
    }

    async fn again(&mut self) {
        self.0.again().await;
    }
}

#[tokio::test]
async fn a_document_is_asked_for_through_an_outage() {
    let Some(mut nginx) = Nginx::start().await else {
        return;
    };
    let mut source = open(&nginx.place("prod.yaml?team=chat"));
    let file = nginx.file("prod.yaml");
    // Of the same length and within the same second, as far as that goes.
    keeps_up(&mut *source, async |text| match text {
        Some(text) => fs::write(&file, text).unwrap(),
        None => fs::remove_file(&file).unwrap(),
    })
    .await;
    fs::write(&file, too_large()).unwrap();
    let refused = error(&mut *source).await;
    assert!(matches!(refused, SourceError::Unusable(_)), "{refused:?}");
    fs::write(&file, "a: 3\n").unwrap();
    assert_eq!(new(&mut *source).await.text, "a: 3\n");

    nginx.0.kill();
    assert!(is_away(&error(&mut *source).await));
    nginx.0.again().await;
    same(&mut *source).await;
}

#[tokio::test]
async fn a_signature_lies_beside_its_document() {
    let Some(nginx) = Nginx::start().await else {
        return;
    };
    let mut source = open(&signed(nginx.place("prod")));
    is_signed(&mut *source, async |end, text| {
        fs::write(nginx.file(&format!("prod{end}")), text).unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_type_says_the_format_where_the_name_does_not() {
    let Some(nginx) = Nginx::start().await else {
        return;
    };
    for (name, format) in [
        ("a.toml", Format::Toml),
        ("a.other", Format::Json),
        ("a", Format::Yaml),
    ] {
        fs::write(nginx.file(name), "{}").unwrap();
        assert_eq!(new(&mut *open(&nginx.place(name))).await.format, format);
    }
}

#[tokio::test]
async fn a_bearer_token_is_read_anew_each_time() {
    let Some(nginx) = Nginx::start().await else {
        return;
    };
    fs::write(nginx.file("token/prod"), "a: 1\n").unwrap();
    let token = nginx.0.folder.file("bearer");
    let mut source = open(&with_token(nginx.place("token/prod"), token.clone()));
    assert!(error(&mut *source).await.to_string().contains("token file"));
    fs::write(&token, "wrong-canary\n").unwrap();
    let refused = error(&mut *source).await;
    assert!(matches!(refused, SourceError::Refused(_)) && !refused.to_string().contains("canary"));
    fs::write(&token, "right-canary\n").unwrap();
    assert_eq!(new(&mut *source).await.text, "a: 1\n");
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_replaced() {
    let Some(nginx) = Nginx::start().await else {
        return;
    };
    fs::write(nginx.file("own/prod"), "a: 1\n").unwrap();
    let folder = Folder::new();
    let (chain, key) = certificate(&folder, "own");
    let mut own = nginx.place("own/prod");
    own.auth = Auth::Certificate {
        chain: chain.clone(),
        key: key.clone(),
    };
    let mut source = open(&own);
    let refused = error(&mut *source).await;
    assert!(
        matches!(refused, SourceError::Refused(_)),
        "nobody knows it: {refused:?}"
    );
    for (name, file) in [("client.pem", &chain), ("client.key", &key)] {
        fs::copy(nginx.0.folder.file(name), file).unwrap();
    }
    assert_eq!(new(&mut *source).await.text, "a: 1\n");
    // Half of a replacement is of no use, and costs no more than this look.
    certificate(&folder, "other");
    fs::copy(folder.file("other.key"), &key).unwrap();
    let unfit = error(&mut *source).await;
    assert!(
        is_away(&unfit) && unfit.to_string().contains("certificate"),
        "{unfit}"
    );
    fs::copy(nginx.0.folder.file("client.key"), &key).unwrap();
    same(&mut *source).await;
}

#[tokio::test]
async fn who_cannot_be_trusted_is_not_asked() {
    let Some(nginx) = Nginx::start().await else {
        return;
    };
    fs::write(nginx.file("prod"), "a: 1\n").unwrap();
    let mut stranger = nginx.place("prod");
    stranger.ca = None;
    assert!(is_away(&error(&mut *open(&stranger)).await));
    // An authority that is there later is trusted then.
    let folder = Folder::new();
    stranger.ca = Some(folder.file("ca.pem"));
    let mut source = open(&stranger);
    assert!(error(&mut *source).await.to_string().contains("CA file"));
    fs::copy(nginx.0.folder.file("server.pem"), folder.file("ca.pem")).unwrap();
    assert_eq!(new(&mut *source).await.text, "a: 1\n");
}

#[tokio::test]
async fn a_server_says_when_to_come_again_and_where_nobody_goes() {
    let Some(nginx) = Nginx::start().await else {
        return;
    };
    let SourceError::Away { again, .. } = error(&mut *open(&nginx.place("later/prod"))).await
    else {
        panic!("it is away");
    };
    assert_eq!(again, Some(Duration::from_secs(7)));
    let moved = error(&mut *open(&nginx.place("moved/prod"))).await;
    assert!(moved.to_string().contains("302"), "{moved}");
}

#[tokio::test]
async fn a_text_that_may_have_been_cut_is_not_taken() {
    let text = "a: 1\n";
    let head = "HTTP/1.1 200 OK\r\n";
    let cut = Upstream::always(Reply::raw(format!("{head}\r\n{text}"))).await;
    let refused = error(&mut *open(&place(&cut.root_url()))).await;
    assert!(matches!(refused, SourceError::Unusable(_)), "{refused:?}");
    assert!(
        refused.to_string().contains("without a length"),
        "{refused}"
    );
    for whole in [
        format!("{head}content-length: 5\r\n\r\n{text}"),
        format!("{head}transfer-encoding: chunked\r\n\r\n5\r\n{text}\r\n0\r\n\r\n"),
    ] {
        let whole = Upstream::always(Reply::raw(whole)).await;
        let mut source = open(&place(&whole.root_url()));
        assert_eq!(new(&mut *source).await.text, text);
    }
}

#[tokio::test]
async fn a_certificate_needs_tls_and_a_compressed_text_is_none() {
    let server = Upstream::always(Reply::json("{}").header("content-encoding", "gzip")).await;
    let mut plain = place(&server.root_url());
    let refused = error(&mut *open(&plain)).await;
    assert!(matches!(refused, SourceError::Unusable(_)), "{refused:?}");
    plain.auth = Auth::Certificate {
        chain: "/c".into(),
        key: "/k".into(),
    };
    let opened = pillion::source::open(&plain, &super::clients(), &Ambient::default());
    assert!(opened.err().unwrap().contains("TLS"));
}
