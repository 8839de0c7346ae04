//! The webhook over TLS, as an API server asks it.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::pod;
use crate::support::tls::{Identity, exchange};
use crate::support::{Folder, Gateway, soon};

const LOOK: Duration = Duration::from_millis(20);

/// A webhook with its files.
struct Webhook {
    process: Gateway,
    identity: Identity,
}

impl Webhook {
    async fn start() -> Self {
        let folder = Folder::new();
        let identity = Identity::of("pillion.svc");
        write(&folder, &identity);
        fs::write(folder.file("settings.yaml"), "config_map: first\n").unwrap();
        let file = |name: &str| folder.file(name).display().to_string();
        let args = [
            "inject".to_owned(),
            "--listen".to_owned(),
            "127.0.0.1:0".to_owned(),
            "--tls-cert".to_owned(),
            file("tls.crt"),
            "--tls-key".to_owned(),
            file("tls.key"),
            "--config".to_owned(),
            file("settings.yaml"),
        ];
        let process = Gateway::of(&args, &[], folder).await;
        Self { process, identity }
    }

    /// The status and the body of an answer; `None` where the webhook is somebody else.
    async fn ask(
        &self,
        identity: &Identity,
        method: &str,
        path: &str,
        body: &str,
    ) -> Option<(u16, String)> {
        exchange(self.process.admin, identity, method, path, body).await
    }

    async fn inject(&self, review: &Value) -> Value {
        let (status, body) = self
            .ask(&self.identity, "POST", "/inject", &review.to_string())
            .await
            .unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until the webhook is who `identity` says.
    async fn until(&self, identity: &Identity) {
        soon("the new certificate is shown", async {
            while self.ask(identity, "GET", "/livez", "").await.is_none() {
                sleep(LOOK).await;
            }
        })
        .await;
    }

    async fn until_said(&self, words: &str) {
        soon(&format!("it is said: {words}"), async {
            while !self.process.log().contains(words) {
                sleep(LOOK).await;
            }
        })
        .await;
    }
}

/// Each file is replaced, as those of a mounted secret are.
fn write(folder: &Folder, identity: &Identity) {
    for (name, text) in [("tls.crt", &identity.chain), ("tls.key", &identity.key)] {
        let new = folder.file("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, folder.file(name)).unwrap();
    }
}

fn review() -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5", "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "namespace": "prod", "operation": "CREATE", "object": pod(),
        },
    })
}

#[tokio::test]
async fn an_api_server_gets_a_patch_with_a_token_for_each_pod() {
    let webhook = Webhook::start().await;
    let mut patches = Vec::new();
    for _ in 0..2 {
        let answer = webhook.inject(&review()).await;
        assert_eq!(answer["response"]["allowed"], true);
        assert_eq!(answer["response"]["uid"], "705ab4f5");
        patches.push(answer["response"]["patch"].as_str().unwrap().to_owned());
    }
    assert_ne!(patches[0], patches[1]);

    for (method, path, body, status) in [
        ("GET", "/readyz", "", 200),
        ("GET", "/livez", "", 200),
        ("GET", "/inject", "", 405),
        ("POST", "/readyz", "{}", 405),
        ("POST", "/elsewhere", "{}", 404),
        ("POST", "/inject", "{", 400),
        ("POST", "/inject", &"x".repeat((3 << 20) + 1), 413),
    ] {
        let answer = webhook
            .ask(&webhook.identity, method, path, body)
            .await
            .unwrap();
        assert_eq!(answer.0, status, "{method} {path}");
    }
    let nobody = Identity::of("pillion.svc");
    assert!(webhook.ask(&nobody, "GET", "/livez", "").await.is_none());
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let webhook = Webhook::start().await;
    let second = Identity::of("pillion.svc");
    // One file after the other: between the two the old pair serves.
    fs::write(webhook.process.folder.file("tls.crt"), &second.chain).unwrap();
    webhook.until_said("the last good one stays").await;
    assert!(
        webhook
            .ask(&webhook.identity, "GET", "/livez", "")
            .await
            .is_some()
    );
    write(&webhook.process.folder, &second);
    webhook.until(&second).await;
    let mut third = Identity::of("pillion.svc");
    third.chain = "no certificate".to_owned();
    write(&webhook.process.folder, &third);
    webhook
        .until_said("the file of the certificate holds none")
        .await;
    assert!(webhook.ask(&second, "GET", "/livez", "").await.is_some());
}

#[tokio::test]
async fn new_settings_are_taken_and_broken_ones_are_not() {
    let webhook = Webhook::start().await;
    let settings = webhook.process.folder.file("settings.yaml");
    fs::write(&settings, "native_sidecar: sometimes\n").unwrap();
    webhook.until_said("the new settings are refused").await;
    assert_eq!(webhook.inject(&review()).await["response"]["allowed"], true);
    fs::write(&settings, "image: here\n").unwrap();
    webhook.until_said("the new settings are live").await;
    let refused = webhook.inject(&review()).await;
    let message = refused["response"]["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("the sidecar would have no configuration"),
        "{message}"
    );
}

#[tokio::test]
async fn told_to_end_it_is_not_ready_and_still_answers() {
    let mut webhook = Webhook::start().await;
    webhook.process.signal("TERM");
    webhook.until_said("told to end").await;
    let ready = webhook
        .ask(&webhook.identity, "GET", "/readyz", "")
        .await
        .unwrap();
    assert_eq!(ready.0, 503);
    assert_eq!(webhook.inject(&review()).await["response"]["allowed"], true);
    assert!(webhook.process.ended().await.success());
}

#[tokio::test]
async fn a_webhook_without_a_usable_certificate_does_not_start() {
    let folder = Folder::new();
    let file = folder.file("tls.crt").display().to_string();
    let arguments = [
        "inject",
        "--tls-cert",
        &file,
        "--tls-key",
        &file,
        "--listen",
        "127.0.0.1:0",
    ];
    let (code, said) = crate::support::pillion(&arguments).await;
    assert_eq!(code, 78);
    assert!(said.contains("cannot read"), "{said}");
    fs::write(&file, "nothing").unwrap();
    let (code, said) = crate::support::pillion(&arguments).await;
    assert_eq!(code, 78);
    assert!(said.contains("holds none"), "{said}");
}
