//! What the command says before it sends anything, what it prints, and what it refuses.

use super::{BOTH, PRICES, command, config, orders};
use crate::support::{Folder, Upstream};

#[tokio::test]
async fn without_any_configuration_the_simulated_providers_are_drilled() {
    let folder = Folder::new();
    let output = command(&folder, None, &["chat", "-n", "6"]).await;
    let (said, log) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{said}{log}");
    for line in [
        "chat: outage drill\n",
        "  north/sim-large: cut at request 4",
        "switched in ",
        "to south/sim-small",
        "connect: no connection to the provider\n",
        "Would your users have noticed? no: all 6 requests were answered",
        "\nok\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(
        log.contains("6 requests go to `chat`: simulated providers"),
        "{log}"
    );
}

#[tokio::test]
async fn what_will_be_sent_is_said_before_and_what_cannot_be_meant_is_refused() {
    let first = Upstream::choosing(orders("first", 0)).await;
    let second = Upstream::choosing(orders("second", 0)).await;
    let folder = Folder::new();
    let text = config(&folder, &[&first, &second], BOTH, "");
    let output = command(&folder, Some(&text), &["chat", "-n", "4"]).await;
    let log = String::from_utf8(output.stderr).unwrap();
    let warned = log.lines().next().unwrap();
    assert!(warned.starts_with("4 real requests go to `chat`"), "{log}");
    assert!(warned.contains("first/m has no price"), "{log}");
    let priced = text.clone() + PRICES;
    let output = command(&folder, Some(&priced), &["chat", "-n", "4"]).await;
    let log = String::from_utf8(output.stderr).unwrap();
    let warned = log.lines().next().unwrap();
    // More than 4000 tokens of answers at the dearest, and not by much.
    assert!(warned.contains(": at most 0.02"), "{log}");
    let sent = first.hits() + second.hits();
    for arguments in [
        &["nowhere"][..],
        &["chat", "-n", "3"],
        &["chat", "--plain", "--stream"],
        &["chat", "--fault", "fire"],
        &[],
    ] {
        let output = command(&folder, Some(&text), arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(first.hits() + second.hits(), sent);
}
