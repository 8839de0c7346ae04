use crate::support::fixture::{Ended, ask, ask_stream, plain, read_plain, read_stream, streamed};
use crate::support::{Config, Gateway, Reply, Upstream};

#[tokio::test]
async fn smoke() {
    let first = Upstream::script([
        Reply::error(503, "x", None, "down"),
        Reply::json(plain("Hello!")),
    ])
    .await;
    let second = Upstream::script([Reply::sse(streamed(&["Hel", "lo!"]))]).await;
    let gateway = Gateway::start(Config::of(&[&first, &second])).await;
    let answer = gateway.chat(&ask_stream()).await;
    let whole = read_stream(&answer.data(), false);
    assert_eq!(whole.choices[0].text, "Hello!");
    assert_eq!(whole.ended, Ended::Done);
    assert_eq!(
        gateway.audit(answer.id()).await.classes(),
        ["overloaded", "ok"]
    );
    let answer = gateway.chat(&ask()).await;
    assert_eq!(read_plain(&answer.json())[0].text, "Hello!");
}
