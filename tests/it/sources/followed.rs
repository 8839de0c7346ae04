//! One story, told of every place that a document can be kept in: a sidecar starts with what is
//! there, takes what is new, refuses what is poisoned, goes on without the place, starts again without
//! it, and takes what it has when it is back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinSet};
use tokio::time::timeout;

use super::AT_ONCE;
use super::consul::Consul;
use super::etcd::Etcd;
use super::file::Written;
use super::objects::Objects;
use super::waiting::Waiting;
use super::web::Nginx;
use crate::central::{
    document, saying, says, until, until_answered, until_from, until_kept, until_live, until_logged,
};
use crate::support::fixture::ask;
use crate::support::{Config, Folder, Gateway, LIMIT, Redis};

/// Longer than the silence of any source goes unnoticed: what it was let wait, and an answer's time.
const SILENCE: Duration = Duration::from_secs(90);

/// Who keeps a document.
pub(super) trait Keeper: Send {
    /// Whether it tells of a change, and need not be asked.
    const WATCHES: bool = false;
    /// What is said of its silence.
    const SILENT: &str = "did not answer in time";

    /// Where the document is: keys of `source`, in YAML of one line.
    fn keys(&self) -> String;

    fn environment(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn put(&mut self, text: &str) -> impl Future<Output = ()> + Send;

    /// From here on nothing is answered, and nothing refused.
    fn stop(&mut self);

    /// From here on it is not there.
    fn kill(&mut self);

    /// Comes back where it was, with what it had or without.
    fn again(&mut self) -> impl Future<Output = ()> + Send;
}

async fn is_followed<K: Keeper>(mut keeper: K) {
    let (first, second) = (saying("one").await, saying("two").await);
    let of = |number: u64| {
        let upstream = if number % 2 == 1 { &first } else { &second };
        document(upstream, &format!("version: {number}"))
    };
    keeper.put(&of(1)).await;
    let config = following(&keeper);
    let gateway = Gateway::begin(&config, Folder::new()).await.serving().await;
    until_answered(&gateway, "one").await;
    until_from(&gateway, "source").await;

    is_seen_at_once(&gateway, &mut keeper, of).await;
    is_refused_when_poisoned(&gateway, &mut keeper, &of(5)).await;
    keeper.put(&of(7)).await;
    until_answered(&gateway, "one").await;
    until(&gateway, "nothing is refused", |_, told| {
        told["config"]["stale"] == false
    })
    .await;
    until_kept(&gateway, &of(7)).await;

    keeper.stop();
    goes_on_in_silence(&gateway, "one", K::SILENT).await;
    keeper.kill();
    let folder = gateway.crash();
    let gateway = Gateway::begin(&config, folder).await.serving().await;
    let told = until_from(&gateway, "copy").await;
    assert!(!told["config"]["source"]["away"].is_null(), "{told}");
    until_answered(&gateway, "one").await;

    keeper.again().await;
    keeper.put(&of(8)).await;
    until_answered(&gateway, "two").await;
    let told = until_from(&gateway, "source").await;
    assert!(told["config"]["source"]["away"].is_null(), "{told}");
}

/// One that watches is not asked again within the test: what is seen of a change, it has told.
fn following<K: Keeper>(keeper: &K) -> Config {
    let refresh = if K::WATCHES { "1h" } else { "400ms" };
    let config = Config::following(&format!("{}, refresh: {refresh}", keeper.keys()));
    let environment = keeper.environment().into_iter();
    environment.fold(config, |config, (name, value)| config.env(name, &value))
}

/// On a busy machine one change may be seen late; of some, one is not.
async fn is_seen_at_once(
    gateway: &Gateway,
    keeper: &mut impl Keeper,
    document: impl Fn(u64) -> String,
) {
    let mut quickest = LIMIT;
    for number in 2..=4 {
        keeper.put(&document(number)).await;
        let changed = Instant::now();
        until_answered(gateway, if number % 2 == 1 { "one" } else { "two" }).await;
        quickest = quickest.min(changed.elapsed());
    }
    assert!(quickest < AT_ONCE, "{quickest:?}");
}

/// The fourth is live, and stays so.
async fn is_refused_when_poisoned(gateway: &Gateway, keeper: &mut impl Keeper, sound: &str) {
    let good = until_live(gateway, 4).await;
    let poisoned = [
        ("routes: {".to_owned(), "is not YAML"),
        (format!("{sound}routs: {{}}\n"), "routs"),
    ];
    for (refusals, (poisoned, why)) in (1..).zip(poisoned) {
        keeper.put(&poisoned).await;
        let told = until(gateway, why, |status, told| {
            status == 200
                && told["config"]["stale"] == true
                && says(&told["config"]["refused"], why)
        })
        .await;
        assert!(says(&told["config"]["refused"], "prod.yaml"), "{told}");
        assert_eq!(told["config"]["version"], *good, "{told}");
        until_logged(gateway, why).await;
        for (sample, value) in [
            (
                "pillion_config_refusals_total{reason=\"invalid\"}",
                refusals,
            ),
            ("pillion_config_stale", 1),
            ("pillion_config_source_up", 1),
        ] {
            assert_eq!(
                gateway.metric(sample).await,
                Some(value.to_string()),
                "{sample}"
            );
        }
        let answer = gateway.chat(&ask()).await;
        assert!(answer.text().contains("two"), "{}", answer.text());
    }
}

/// Requests are answered all the while, and longer than it takes until it is known that nobody is
/// there.
async fn goes_on_in_silence(gateway: &Gateway, text: &str, silent: &str) {
    let going_on = async {
        loop {
            let answer = gateway.chat(&ask()).await;
            assert!(answer.text().contains(text), "{}", answer.text());
            let detail = gateway.ask_admin("/readyz").await;
            assert_eq!(detail.status, 200, "{}", detail.text());
            let told = &detail.json()["config"]["source"];
            if says(&told["away"], silent) && told["age_seconds"] != 0 {
                return;
            }
            tokio::time::sleep(AT_ONCE / 20).await;
        }
    };
    let known = timeout(SILENCE, going_on).await;
    assert!(known.is_ok(), "the silence is not noticed");
    let up = gateway.metric("pillion_config_source_up").await;
    assert_eq!(up.as_deref(), Some("0"));
}

/// All at once: most of it is waiting.
#[derive(Default)]
struct Places {
    stories: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Places {
    /// Without a keeper, what it is made of is not installed here.
    fn with(mut self, name: &'static str, keeper: Option<impl Keeper + 'static>) -> Self {
        if let Some(keeper) = keeper {
            let story = self.stories.spawn(is_followed(keeper));
            self.names.insert(story.id(), name);
        }
        self
    }

    async fn end(mut self) {
        let mut failed = Vec::new();
        while let Some(told) = self.stories.join_next().await {
            failed.extend(told.err().map(|error| self.names[&error.id()]));
        }
        assert!(failed.is_empty(), "{failed:?}");
    }
}

#[tokio::test]
async fn wherever_it_is_kept_a_document_is_followed_refused_and_outlived() {
    Places::default()
        .with("a file", Some(Written::new()))
        .with("nginx", Nginx::start().await)
        .with("a server that waits", Some(Waiting::start(true).await))
        .with("etcd", Etcd::start().await)
        .with("consul", Consul::start("{}").await)
        .with("redis", Redis::start().await)
        .with("valkey", Redis::start_valkey().await)
        .with("s3", Objects::start().await)
        .end()
        .await;
}
