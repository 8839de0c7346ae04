//! Keys that a store keeps: how they are come by, how they change, and what is seen of them while the
//! store is gone.

mod aws;
mod document;
mod login;
mod outage;
mod paths;
mod rotation;
mod unseen;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::support::fixture::{plain, streamed};
use crate::support::store::{Bao, ROOT};
use crate::support::{Config, Folder, Gateway, Reply, Upstream, soon};

/// A provider that answers whoever comes with one of the keys that it accepts.
struct Picky {
    upstream: Upstream,
    accepted: Arc<Mutex<HashSet<String>>>,
}

impl Picky {
    async fn accepting(key: &str) -> Self {
        let accepted = Arc::new(Mutex::new(HashSet::from([key.to_owned()])));
        let known = Arc::clone(&accepted);
        let upstream = Upstream::choosing(move |seen| {
            let key = seen.header("authorization").unwrap_or_default();
            let key = key.strip_prefix("Bearer ").unwrap_or_default();
            if !known.lock().unwrap().contains(key) {
                return Reply::error(401, "x", Some("invalid_api_key"), "not this one")
                    .header("x-echo", key);
            }
            let reply = if seen.json()["stream"] == true {
                Reply::sse(streamed(&["Hello!"]))
            } else {
                Reply::json(plain("Hello!"))
            };
            reply
                .header("x-echo", key)
                .header("openai-processing-ms", key)
        })
        .await;
        Self { upstream, accepted }
    }

    fn accept(&self, key: &str) {
        self.accepted.lock().unwrap().insert(key.to_owned());
    }

    fn revoke(&self, key: &str) {
        self.accepted.lock().unwrap().remove(key);
    }

    fn refused(&self) -> usize {
        let accepted = self.accepted.lock().unwrap();
        let is_refused = |seen: &crate::support::upstream::Seen| {
            let key = seen.header("authorization").unwrap_or_default();
            !accepted.contains(key.trim_start_matches("Bearer "))
        };
        self.upstream
            .requests()
            .iter()
            .filter(|seen| is_refused(seen))
            .count()
    }
}

/// The store `bank`, with `login`, and a provider whose key is `reference` there.
fn config(bao: &Bao, login: &str, provider: &Picky, reference: &str) -> Config {
    config_at(&bao.url(), login, provider, reference)
}

fn config_at(url: &str, login: &str, provider: &Picky, reference: &str) -> Config {
    Config::new()
        .root(&format!(
            "secret_stores:\n  bank: {{ kind: vault, address: \"{url}\", {login} }}"
        ))
        .provider(
            "first",
            &provider.upstream.base_url(),
            &format!("secret: \"{reference}\""),
        )
}

const BY_TOKEN: &str = "auth: token, token_file: \"$FOLDER/token\"";

fn by_token(bao: &Bao, provider: &Picky, more: &str) -> Config {
    let login = format!("{BY_TOKEN}{more}");
    config(bao, &login, provider, "bank:llm/openai#key").file("token", &format!("{ROOT}\n"))
}

/// A central document that has the provider's key in this store.
fn central(bao: &Bao, provider: &Picky, folder: &Folder, more: &str) -> String {
    let token = folder.file("token").display().to_string();
    let document = by_token(bao, provider, "").central(more);
    document.replace("$FOLDER/token", &token)
}

async fn readyz(gateway: &Gateway) -> Value {
    gateway.ask_admin("/readyz").await.json()
}

/// Waits until this is what is wrong with secrets.
async fn until_told(gateway: &Gateway, problems: &Value) {
    soon("it is told of secrets", async {
        while readyz(gateway).await["secrets"] != *problems {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn metrics(gateway: &Gateway) -> String {
    gateway.ask_admin("/metrics").await.text().to_owned()
}
