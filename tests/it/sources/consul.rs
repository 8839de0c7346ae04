//! Consul, where it is installed.

use http::Method;
use pillion::source::SourceError;

use super::followed::Keeper;
use super::{
    ask, error, is_away, is_signed, keeps_up, new, open, place, same, signed, told, try_ask,
    with_token,
};
use crate::support::{Peer, Program, soon};

const PROGRAM: Program = Program {
    variable: "PILLION_TEST_CONSUL",
    names: &["consul"],
    version: "version",
};
const MANAGEMENT: &str = "3f6e5a3c-canary-0000";

pub(super) struct Consul(Peer);

impl Consul {
    pub(super) async fn start(settings: &'static str) -> Option<Self> {
        let program = PROGRAM.find()?;
        let peer = Peer::start(program, move |ports, folder| {
            let file = folder.file("consul.json");
            std::fs::write(&file, settings).unwrap();
            let mut arguments = vec![
                "agent",
                "-dev",
                "-bind",
                "127.0.0.1",
                "-client",
                "127.0.0.1",
            ];
            arguments.extend(["-dns-port", "-1", "-grpc-port", "-1", "-config-file"]);
            let names = [
                "-http-port",
                "-server-port",
                "-serf-lan-port",
                "-serf-wan-port",
            ];
            let ports = names.iter().zip(ports);
            let ports = ports.flat_map(|(name, port)| [(*name).to_owned(), port.to_string()]);
            let arguments = arguments.into_iter().map(str::to_owned);
            arguments
                .chain([file.display().to_string()])
                .chain(ports)
                .collect()
        })
        .await;
        let consul = Self(peer);
        consul.is_well().await;
        Some(consul)
    }

    async fn is_well(&self) {
        let url = format!("http://127.0.0.1:{}/v1/kv/well", self.0.ports[0]);
        soon("consul has a leader", async {
            let token = [("x-consul-token", MANAGEMENT)];
            while try_ask(Method::PUT, &url, &token, "").await.1.trim() != "true" {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    fn url(&self, key: &str) -> String {
        format!("consul://127.0.0.1:{}/{key}", self.0.ports[0])
    }

    async fn put(&self, key: &str, value: Option<&str>) {
        let url = format!("http://127.0.0.1:{}/v1/kv/{key}", self.0.ports[0]);
        let method = if value.is_some() {
            Method::PUT
        } else {
            Method::DELETE
        };
        let token = [("x-consul-token", MANAGEMENT)];
        ask(method, &url, &token, value.unwrap_or_default()).await;
    }
}

impl Keeper for Consul {
    const WATCHES: bool = true;

    fn keys(&self) -> String {
        format!("url: \"{}\"", self.url("pillion/prod.yaml"))
    }

    async fn put(&mut self, text: &str) {
        Self::put(self, "pillion/prod.yaml", Some(text)).await;
    }

    fn stop(&mut self) {
        self.0.signal("STOP");
    }

    fn kill(&mut self) {
        self.0.kill();
    }

    async fn again(&mut self) {
        self.0.again().await;
        self.is_well().await;
    }
}

#[tokio::test]
async fn a_key_is_followed_by_blocking_queries_and_through_a_reset() {
    let Some(mut consul) = Consul::start("{\"limits\": {\"kv_max_value_size\": 8000000}}").await
    else {
        return;
    };
    let mut source = open(&place(&consul.url("pillion/prod.yaml")));
    keeps_up(&mut *source, async |text| {
        consul.put("pillion/prod.yaml", text).await;
    })
    .await;

    consul
        .put("pillion/prod.yaml", Some(&super::too_large()))
        .await;
    let found = error(&mut *source).await;
    assert!(matches!(found, SourceError::Unusable(_)), "{found:?}");
    for number in 0..20 {
        consul
            .put("pillion/prod.yaml", Some(&format!("a: {number}\n")))
            .await;
    }
    assert_eq!(new(&mut *source).await.text, "a: 19\n");

    // It keeps nothing: what comes back is younger than the index that is known.
    consul.0.kill();
    consul.0.again().await;
    consul.is_well().await;
    consul.put("pillion/prod.yaml", Some("reset: true\n")).await;
    assert_eq!(new(&mut *source).await.text, "reset: true\n");
    same(&mut *source).await;
    let put = consul.put("pillion/prod.yaml", Some("a: 21\n"));
    assert_eq!(told(&mut *source, put).await.text, "a: 21\n");

    consul.0.kill();
    assert!(is_away(&error(&mut *source).await));
}

#[tokio::test]
async fn a_signature_has_a_key_of_its_own() {
    let Some(consul) = Consul::start("{}").await else {
        return;
    };
    let mut source = open(&signed(place(&consul.url("prod.yaml"))));
    is_signed(&mut *source, async |end, text| {
        consul.put(&format!("prod.yaml{end}"), Some(text)).await;
    })
    .await;
}

#[tokio::test]
async fn a_token_is_read_anew_each_time() {
    const ACL: &str = r#"{"acl": {"enabled": true, "default_policy": "deny",
        "tokens": {"master": "3f6e5a3c-canary-0000"}}}"#;
    let Some(consul) = Consul::start(ACL).await else {
        return;
    };
    consul.put("prod", Some("a: 1\n")).await;
    let file = consul.0.folder.file("token");
    std::fs::write(&file, "wrong-canary\n").unwrap();
    let mut source = open(&with_token(place(&consul.url("prod")), file.clone()));
    let refused = error(&mut *source).await;
    assert!(matches!(refused, SourceError::Refused(_)), "{refused:?}");
    std::fs::write(&file, format!("{MANAGEMENT}\n")).unwrap();
    assert_eq!(new(&mut *source).await.text, "a: 1\n");
    std::fs::remove_file(&file).unwrap();
    let missing = error(&mut *source).await;
    assert!(
        is_away(&missing) && missing.to_string().contains("token file"),
        "{missing}"
    );
}
