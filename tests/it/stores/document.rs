//! Stores that a central document names.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{Picky, central, readyz};
use crate::support::fixture::ask;
use crate::support::store::{Bao, ROOT};
use crate::support::{Centre, Config, Folder, Gateway, pillion, soon};

#[tokio::test]
async fn another_store_is_asked_as_soon_as_the_configuration_names_it() {
    let (Some(first), Some(second)) = (Bao::start().await, Bao::start().await) else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    first.put("llm/openai", &json!({ "key": "sk-1" })).await;
    second.put("llm/openai", &json!({ "key": "sk-2" })).await;
    let folder = Folder::new();
    let centre = Centre::with(central(&first, &provider, &folder, "version: 1")).await;
    let source = format!("url: \"{}\", refresh: 100ms", centre.url());
    let config = Config::following(&source).file("token", ROOT);
    let document = central(&second, &provider, &folder, "version: 2");
    let gateway = Gateway::begin(&config, folder).await.serving().await;
    assert_eq!(gateway.chat(&ask()).await.status, 200);
    provider.accept("sk-2");
    centre.says(document.clone());
    soon("the other store's key is used", async {
        loop {
            assert_eq!(gateway.chat(&ask()).await.status, 200);
            let last = provider.upstream.requests().pop().unwrap();
            if last.header("authorization") == Some("Bearer sk-2") {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // With the store gone, a document waits for it no longer than it is told, and is live then.
    second.stop();
    let renamed = document.replace("version: 2", "version: 3");
    centre.says(renamed.replace("bank:llm/openai", "bank:llm/other"));
    soon("the document is live", async {
        while readyz(&gateway).await["config"]["source"]["version"] != 3 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let detail = readyz(&gateway).await;
    let problem = detail["secrets"][0]["problem"].as_str().unwrap();
    assert!(problem.starts_with("bank:llm/other#key "), "{detail}");
}

#[tokio::test]
async fn with_resolve_the_stores_of_a_central_document_are_asked() {
    let Some(bao) = Bao::start().await else {
        return;
    };
    let provider = Picky::accepting("sk-1").await;
    bao.put("llm/openai", &json!({ "key": "sk-1" })).await;
    let folder = Folder::new();
    let document = central(&bao, &provider, &folder, "version: 1");
    let centre = Centre::with(document.clone()).await;
    let source = format!("url: \"{}\"", centre.url());
    let config = Config::following(&source).file("token", ROOT);
    let file = config.write(&folder);
    let validate = ["validate", "--resolve", file.to_str().unwrap()];
    let (code, said) = pillion(&validate).await;
    assert_eq!(code, 0, "{said}");
    centre.says(document.replace("bank:llm/openai", "bank:llm/nothing"));
    let (code, said) = pillion(&validate).await;
    assert_eq!(code, 78, "{said}");
    let problem = "providers.first.secret: bank:llm/nothing#key does not exist";
    assert!(said.contains(problem), "{said}");
}
