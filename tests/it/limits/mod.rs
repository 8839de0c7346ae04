//! What a key, a route and a team may use: requests and tokens in a minute, requests at once, money in a
//! day or a month; of one process, and of a fleet with a Redis.

mod charged;
mod failover;
mod fleet;
mod outage;
mod race;

use serde_json::{Value, json};

use crate::support::fixture::{plain, streamed};
use crate::support::twice::sent;
use crate::support::{Answer, Config, Folder, Gate, Gateway, Reply, Upstream};

const CHAT: &str = "/v1/chat/completions";
/// Its hash is in [`keys`].
const KEY: [(&str, &str); 1] = [("authorization", "Bearer pillion_demo_support_chat")];
const OTHER: [(&str, &str); 1] = [("authorization", "Bearer pillion_demo_summaries")];

/// A key `chat` with these limits, and a key `other` without any.
fn keys(limits: &str) -> String {
    format!(
        "keys:
  - {{ id: chat, hash: \"sha256:9ed9e0109703909c9750c6ea7db9e40ab5984662c8e812264fe790f174f00122\", {limits} }}
  - {{ id: other, hash: \"sha256:3e86efb633f0cc9d043331c557c41d7d1aba230fce05d190ce1e8bc543dc9428\" }}"
    )
}

/// A thousandth of a unit for each token: an answer of [`plain`] costs 0.012.
const PRICED: &str = "models: { first/model-first: { price: { input: 1000, output: 1000 } } }";

/// A request that may cost 0.022 at most: its prompt is thought to be 19 tokens.
fn bounded() -> String {
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    json!({ "model": "chat", "max_tokens": 3, "messages": messages }).to_string()
}

fn priced(upstream: &Upstream, limits: &str) -> Config {
    Config::of(&[upstream]).root(PRICED).root(&keys(limits))
}

async fn ask(gateway: &Gateway) -> Answer {
    gateway.post(CHAT, &KEY, &bounded()).await
}

/// What is told of a budget.
async fn spend(gateway: &Gateway, scope: &str) -> Value {
    let spend = gateway.ask_admin("/api/spend").await.json();
    let rows = spend["budgets"].as_array().unwrap();
    let row = rows.iter().find(|row| row["scope"] == scope);
    row.unwrap_or_else(|| panic!("no {scope} in {spend}"))
        .clone()
}

fn number(answer: &Answer, header: &str) -> u64 {
    let value = answer
        .header(header)
        .unwrap_or_else(|| panic!("no {header}"));
    value.parse().unwrap()
}

fn is_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, &*answer.code()),
        (status, code),
        "{}",
        answer.text()
    );
    let retry = if status == 429 { "true" } else { "false" };
    assert_eq!(answer.header("x-should-retry"), Some(retry));
}

#[tokio::test]
async fn requests_in_a_minute_are_counted_and_told_in_openais_names() {
    let reply = Reply::json(plain("Hello!")).header("x-ratelimit-remaining-requests", 99);
    let upstream = Upstream::always(reply).await;
    let config = Config::of(&[&upstream]).root(&keys("limits: { rpm: 2 }"));
    let gateway = Gateway::start(config).await;
    for left in [1, 0] {
        let answer = ask(&gateway).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(number(&answer, "x-ratelimit-limit-requests"), 2);
        assert_eq!(number(&answer, "x-ratelimit-remaining-requests"), left);
        assert!(
            answer
                .header("x-ratelimit-reset-requests")
                .unwrap()
                .ends_with('s')
        );
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), None);
    }
    let refused = ask(&gateway).await;
    is_refused(&refused, 429, "rate_limit_exceeded");
    assert_eq!(number(&refused, "x-ratelimit-remaining-requests"), 0);
    let wait = number(&refused, "retry-after-ms");
    assert!((1..=30_000).contains(&wait), "{wait}");
    let error = &refused.json()["error"];
    assert_eq!(error["type"], "rate_limit_error");
    assert_eq!(
        error["message"],
        "The key `chat` has no requests left in this minute."
    );
    assert_eq!(
        gateway.audit(refused.id()).await.text("reason"),
        "rate_limit_exceeded"
    );
    // A key without limits is told nothing of any, least of all the provider's.
    let free = gateway.post(CHAT, &OTHER, &bounded()).await;
    assert_eq!(
        (free.status, free.header("x-ratelimit-remaining-requests")),
        (200, None)
    );
    assert_eq!(upstream.hits(), 3);
    // What was answered before is told again without what was left then.
    let key = [KEY[0], ("idempotency-key", "one")];
    let config = Config::of(&[&upstream]).root(&keys("limits: { rpm: 2 }"));
    let other = Gateway::start(config).await;
    for (joined, told) in [(None, Some("1")), (Some("true"), None)] {
        let answer = other.post(CHAT, &key, &bounded()).await;
        assert_eq!(answer.header("x-pillion-joined"), joined);
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), told);
    }
    // It took nothing then.
    assert_eq!(
        number(&ask(&other).await, "x-ratelimit-remaining-requests"),
        0
    );
    let sample = "pillion_limit_rejections_total{key=\"chat\",limit=\"rpm\"}";
    assert_eq!(gateway.metric(sample).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn tokens_are_reserved_and_then_what_was_used() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = Config::of(&[&upstream]).root(&keys("limits: { tpm: 6000 }"));
    let gateway = Gateway::start(config).await;
    let body = bounded().replace("\"max_tokens\":3", "\"max_tokens\":5000");
    let first = gateway.post(CHAT, &KEY, &body).await;
    let reserved = 6000 - number(&first, "x-ratelimit-remaining-tokens");
    assert!(
        (256..400).contains(&reserved),
        "as answers usually are: {reserved}"
    );
    // Of the first, twelve tokens are left.
    let second = gateway.post(CHAT, &KEY, &body).await;
    let taken = 6000 - number(&second, "x-ratelimit-remaining-tokens");
    assert!((reserved..=reserved + 12).contains(&taken), "{taken}");
}

#[tokio::test]
async fn so_many_at_once_to_the_last_byte() {
    let gate = Gate::new();
    let held = Reply::sse(streamed(&["Hel", "lo!"])).pause_after(2, &gate);
    let upstream = Upstream::script([held, Reply::json(plain("Hello!"))]).await;
    let config = Config::of(&[&upstream]).root(&keys("limits: { concurrency: 1 }"));
    let gateway = Gateway::start(config).await;
    let body = bounded().replace("\"max_tokens\":3", "\"stream\":true");
    let mut stream = gateway.open(CHAT, &KEY, &body).await;
    assert!(stream.event().await.is_some());
    let refused = ask(&gateway).await;
    is_refused(&refused, 429, "rate_limit_exceeded");
    gate.open();
    let whole = stream.rest().await;
    gateway.audit(whole.id()).await;
    assert_eq!(ask(&gateway).await.status, 200);
}

#[tokio::test]
async fn a_budget_is_spent_to_its_end_and_not_beyond() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(priced(&upstream, "budget: { amount: 0.1, per: day }")).await;
    let mut passed = 0;
    let refused = loop {
        let answer = ask(&gateway).await;
        if answer.status != 200 {
            break answer;
        }
        passed += 1;
    };
    is_refused(&refused, 402, "insufficient_quota");
    assert_eq!(refused.header("retry-after"), None);
    assert!(
        refused
            .text()
            .contains("The budget of the key `chat` for this day is spent")
    );
    // Seven cost 0.084, and the next one may cost more than is left.
    assert_eq!((passed, upstream.hits()), (7, 7));
    let row = spend(&gateway, "key:chat").await;
    assert_eq!(
        (&row["limit"], &row["spent"]),
        (&json!("0.10"), &json!("0.084"))
    );
    assert_eq!(
        (&row["reserved"], &row["remaining"]),
        (&json!("0.00"), &json!("0.016"))
    );
    assert_eq!(
        (&row["per"], &row["shared"]),
        (&json!("day"), &json!(false))
    );
    let left = gateway
        .metric("pillion_budget_remaining{scope=\"key:chat\"}")
        .await;
    assert!(left.unwrap().starts_with("0.016"));
    let near = gateway
        .metric("pillion_budget_warning{scope=\"key:chat\"}")
        .await;
    assert_eq!(near.as_deref(), Some("1"));
    let warning = "four fifths of a budget are spent";
    gateway.says(warning).await;
    let warned = gateway.log().matches(warning).count();
    assert_eq!(warned, 1, "{}", gateway.log());
    assert_eq!(gateway.post(CHAT, &OTHER, &bounded()).await.status, 200);
    // A reload forgets nothing.
    gateway.signal("HUP");
    assert_eq!(ask(&gateway).await.status, 402);
}

#[tokio::test]
async fn what_runs_holds_its_part_and_gives_back_what_it_did_not_cost() {
    let gate = Gate::new();
    let held = Reply::json(plain("Hello!")).pause_at(0, &gate);
    let upstream = Upstream::script([held, Reply::json(plain("Hello!"))]).await;
    let gateway = Gateway::start(priced(&upstream, "budget: { amount: 0.04, per: month }")).await;
    let first = sent(&gateway, &KEY, &bounded()).await;
    upstream.request(0).await;
    let refused = ask(&gateway).await;
    is_refused(&refused, 402, "insufficient_quota");
    assert_eq!(refused.header("retry-after"), Some("1"));
    gate.open();
    assert_eq!(first.answer().await.rest().await.status, 200);
    assert_eq!(ask(&gateway).await.status, 200);
    assert_eq!(spend(&gateway, "key:chat").await["spent"], "0.024");
}

#[tokio::test]
async fn who_leaves_gives_back_what_nobody_answered_and_pays_what_was_begun() {
    let gate = Gate::new();
    let silent = Reply::json(plain("Hello!")).pause_at(0, &gate);
    let begun = Reply::sse(streamed(&["Hel", "lo!"])).pause_after(2, &gate);
    let upstream = Upstream::script([silent, begun, Reply::status(500)]).await;
    let gateway = Gateway::start(priced(&upstream, "budget: { amount: 0.1, per: day }")).await;
    let first = sent(&gateway, &KEY, &bounded()).await;
    upstream.request(0).await;
    first.leave().await;
    gateway
        .records(|record| record.outcome() == "cancelled", 1)
        .await;
    let row = spend(&gateway, "key:chat").await;
    assert_eq!(
        (&row["spent"], &row["reserved"]),
        (&json!("0.00"), &json!("0.00"))
    );
    let body = bounded().replace("\"max_tokens\":3", "\"max_tokens\":3,\"stream\":true");
    let mut stream = gateway.open(CHAT, &KEY, &body).await;
    assert!(stream.event().await.is_some());
    stream.leave().await;
    gateway
        .records(|record| record.outcome() == "cancelled", 2)
        .await;
    let row = spend(&gateway, "key:chat").await;
    assert_eq!(row["reserved"], "0.00");
    let spent: f64 = row["spent"].as_str().unwrap().parse().unwrap();
    assert!(spent > 0.005, "{spent}");
    // A failure costs nothing.
    assert_eq!(ask(&gateway).await.status, 502);
    assert_eq!(spend(&gateway, "key:chat").await["spent"], row["spent"]);
}

#[tokio::test]
async fn a_call_is_charged_once_however_many_join_it() {
    let gate = Gate::new();
    let held = Reply::json(plain("Hello!")).pause_at(0, &gate);
    let upstream = Upstream::script([held, Reply::json(plain("Hello!"))]).await;
    // One comes back in fifteen seconds.
    let limits = "limits: { rpm: 4, concurrency: 1 }, budget: { amount: 1, per: day }";
    let gateway = Gateway::start(priced(&upstream, limits)).await;
    let key = [KEY[0], ("idempotency-key", "one")];
    let first = sent(&gateway, &key, &bounded()).await;
    upstream.request(0).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(sent(&gateway, &key, &bounded()).await);
    }
    gateway.under_way("chat", 4).await;
    gate.open();
    let paid = first.answer().await.rest().await;
    assert_eq!(number(&paid, "x-ratelimit-remaining-requests"), 3);
    for other in others {
        let other = other.answer().await.rest().await;
        assert_eq!(other.header("x-pillion-joined"), Some("true"));
        assert_eq!(other.header("x-ratelimit-remaining-requests"), None);
        gateway.audit(other.id()).await;
    }
    gateway.post(CHAT, &key, &bounded()).await;
    assert_eq!(
        number(&ask(&gateway).await, "x-ratelimit-remaining-requests"),
        2
    );
    assert_eq!(spend(&gateway, "key:chat").await["spent"], "0.024");
}

#[tokio::test]
async fn what_a_budget_is_not_enough_for_goes_where_it_is() {
    let dear = Upstream::always(Reply::json(plain("dear"))).await;
    let fails = Reply::error(500, "server_error", None, "no");
    let serves = || Reply::json(plain("free"));
    let free = Upstream::script([fails, serves(), serves()]).await;
    let models = "models: { first/model-first: { price: { input: 1000, output: 1000 } }, second/model-second: { price: { input: 0, output: 0 } } }";
    let config = Config::of(&[&dear, &free])
        .root(models)
        .root(&keys("budget: { amount: 0.03, per: day }"));
    let gateway = Gateway::start(config).await;
    let target = |answer: &Answer| answer.header("x-pillion-target").map(str::to_owned);
    assert_eq!(
        target(&ask(&gateway).await).as_deref(),
        Some("first/model-first")
    );
    // What may cost more than is left goes to what costs nothing, and to nothing else.
    for status in [502, 200, 200] {
        let answer = ask(&gateway).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        let record = gateway.audit(answer.id()).await;
        assert_eq!(record.0["plan"], json!(["second/model-second"]));
    }
    assert_eq!(dear.hits(), 1);
    assert_eq!(spend(&gateway, "key:chat").await["spent"], "0.012");
    let sample = "pillion_limit_rejections_total{key=\"chat\",limit=\"budget\"}";
    assert_eq!(gateway.metric(sample).await, None);
    // Who has no budget is served by both.
    assert_eq!(gateway.post(CHAT, &OTHER, &bounded()).await.status, 200);
}

#[tokio::test]
async fn a_route_and_a_team_have_budgets_of_their_own() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let other = "other: { targets: [first/model-first] }";
    let (name, rest) = other.split_once(": ").unwrap();
    let config = priced(&upstream, "team: support")
        .knob("budget: { amount: 0.03, per: day }")
        .route(name, rest)
        .root("teams: { support: { budget: { amount: 0.05, per: month } } }");
    let gateway = Gateway::start(config).await;
    assert_eq!(ask(&gateway).await.status, 200);
    let refused = ask(&gateway).await;
    is_refused(&refused, 402, "insufficient_quota");
    assert!(
        refused.text().contains("the route `chat` for this day"),
        "{}",
        refused.text()
    );
    let elsewhere = bounded().replace("\"chat\"", "\"other\"");
    for _ in 0..2 {
        assert_eq!(gateway.post(CHAT, &KEY, &elsewhere).await.status, 200);
    }
    let refused = gateway.post(CHAT, &KEY, &elsewhere).await;
    assert!(
        refused.text().contains("the team `support` for this month"),
        "{}",
        refused.text()
    );
    // The other key has no team.
    assert_eq!(gateway.post(CHAT, &OTHER, &elsewhere).await.status, 200);
    let sample = "pillion_limit_rejections_total{key=\"chat\",limit=\"team_budget\"}";
    assert_eq!(gateway.metric(sample).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_budget_needs_prices_and_what_is_free_says_so() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let budget = "passthrough: first, budget: { amount: 0.1, per: day }";
    let unpriced = Config::of(&[&upstream]).root(&keys(budget));
    let gateway = Gateway::start(unpriced).await;
    let refused = ask(&gateway).await;
    is_refused(&refused, 503, "no_eligible_target");
    assert!(
        refused
            .text()
            .contains("`first/model-first` has no price that is known")
    );
    assert_eq!(gateway.post(CHAT, &OTHER, &bounded()).await.status, 200);
    // What passes through may cost anything; reading costs nothing.
    let passed = gateway.post("/v1/audio/speech", &KEY, "{}").await;
    is_refused(&passed, 503, "no_eligible_target");
    let why =
        "the key `chat` has a budget, which cannot be held here: what passes through has no price";
    assert!(passed.text().contains(why), "{}", passed.text());
    // A model that no route bears goes there, too: it is named by its provider.
    let nobodys = bounded().replace("\"chat\"", "\"gpt-5\"");
    let passed = gateway.post(CHAT, &KEY, &nobodys).await;
    is_refused(&passed, 503, "no_eligible_target");
    let why = "`first` has no price that is known";
    assert!(passed.text().contains(why), "{}", passed.text());
    let mut client = gateway.connect().await;
    client.get("/v1/files", &KEY).await;
    assert_eq!(client.answer().await.rest().await.status, 200);

    let free = "models: { first/model-first: { price: { input: 0, output: 0 } } }";
    let gateway = Gateway::start(Config::of(&[&upstream]).root(free).root(&keys(budget))).await;
    assert_eq!(ask(&gateway).await.status, 200);
    assert_eq!(spend(&gateway, "key:chat").await["spent"], "0.00");
}

#[tokio::test]
async fn a_restart_does_not_begin_a_budget_anew() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let kept = Folder::new();
    let cache = kept.file("cache");
    let config = priced(&upstream, "budget: { amount: 0.03, per: month }")
        .root(&format!("cache_dir: {}", cache.display()));
    let mut gateway = Gateway::start(config.clone()).await;
    assert_eq!(ask(&gateway).await.status, 200);
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    let gateway = Gateway::start(config).await;
    assert_eq!(spend(&gateway, "key:chat").await["spent"], "0.012");
    is_refused(&ask(&gateway).await, 402, "insufficient_quota");
    let other = Gateway::start(priced(&upstream, "budget: { amount: 0.03, per: month }")).await;
    assert_eq!(
        ask(&other).await.status,
        200,
        "without the folder it is forgotten"
    );
}

#[tokio::test]
async fn without_a_shared_state_each_has_its_share() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let limits = "limits: { rpm: 8 }, budget: { amount: 0.4, per: day }";
    let gateway = Gateway::start(priced(&upstream, limits).root("instances: 4")).await;
    assert_eq!(
        number(&ask(&gateway).await, "x-ratelimit-limit-requests"),
        2
    );
    assert_eq!(spend(&gateway, "key:chat").await["limit"], "0.10");
    let alone = "budget: { amount: 0.4, per: day, scope: pod }";
    let gateway = Gateway::start(priced(&upstream, alone).root("instances: 4")).await;
    assert_eq!(spend(&gateway, "key:chat").await["limit"], "0.40");
}
