//! What the tests stand on: the gateway as a process, providers that follow a script, a client
//! that hides nothing, and answers of our own making.

pub(crate) mod centre;
pub(crate) mod client;
pub(crate) mod crowd;
pub(crate) mod fixture;
pub(crate) mod folder;
pub(crate) mod gate;
pub(crate) mod gateway;
pub(crate) mod kind;
pub(crate) mod peer;
pub(crate) mod redis;
pub(crate) mod reply;
pub(crate) mod stage;
pub(crate) mod store;
pub(crate) mod surface;
pub(crate) mod tls;
pub(crate) mod twice;
pub(crate) mod upstream;
pub(crate) mod wire;

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use tokio::time::timeout;

pub(crate) use centre::Centre;
pub(crate) use client::{Answer, Client, Stream};
pub(crate) use folder::Folder;
pub(crate) use gate::Gate;
pub(crate) use gateway::{Config, Gateway, Record};
pub(crate) use kind::Kind;
pub(crate) use peer::{Peer, Program};
pub(crate) use redis::Redis;
pub(crate) use reply::Reply;
pub(crate) use stage::{Act, Stage};
pub(crate) use surface::Surface;
pub(crate) use upstream::{Refusing, Upstream};

/// No wait of a passing test comes near this.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Waits for `event`, which is bound to come.
pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    timeout(LIMIT, event)
        .await
        .unwrap_or_else(|_| panic!("in {LIMIT:?} this did not happen: {what}"))
}

/// From the last caller's going to the provider's knowing.
pub(crate) const PROMISED: Duration = Duration::from_millis(100);

/// What `once` measures is less than `most`.
pub(crate) async fn takes_less(most: Duration, once: impl AsyncFnOnce() -> Duration) {
    let took = once().await;
    assert!(took < most, "{took:?}, not less than {most:?}");
}

/// Names the program that is tested, such as a release, where it is not the one that was built with the
/// tests.
const PROGRAM: &str = "PILLION_TEST_BINARY";

pub(crate) fn program() -> OsString {
    let named = std::env::var_os(PROGRAM);
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_pillion").into())
}

/// Whether a program is named, of which more can be asked than of one that was built for tests.
pub(crate) fn is_named() -> bool {
    std::env::var_os(PROGRAM).is_some()
}

/// For how long a test keeps up its load: so many seconds, unless a variable says another number.
pub(crate) fn seconds(usual: usize) -> usize {
    let named = std::env::var_os("PILLION_TEST_SECONDS");
    named.map_or(usual, |named| named.to_str().unwrap().parse().unwrap())
}

/// Runs the command to its end: its exit code, and what it said.
pub(crate) async fn pillion(arguments: &[&str]) -> (i32, String) {
    let arguments: Vec<_> = arguments.iter().map(|&word| word.to_owned()).collect();
    let run = || {
        let mut command = Command::new(program());
        command.args(arguments).env_clear().output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}
