//! What a fleet has spent, read from the counters of its budgets.

use std::io;

use bytes::BytesMut;

use super::item::{money, number};
use crate::price::Money;
use crate::redis::{Place, Reply, ask, connect, encode};

const BEGINS: &str = "pillion:budget:";

/// A budget's money in one of its days or months.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    pub environment: String,
    /// `key:chat-prod`.
    pub scope: String,
    /// `2026-11-26` or `2026-11`.
    pub window: String,
    pub spent: Money,
    /// By requests that run.
    pub held: Money,
}

/// The key of an account.
pub(super) fn key(environment: &str, account: &str) -> String {
    format!("{BEGINS}{environment}:{account}")
}

/// All that is counted in a Redis, in the order of its names. What is over is there for forty days.
///
/// # Errors
/// Redis cannot be reached, or refuses.
pub async fn spent(place: &Place) -> io::Result<Vec<Spent>> {
    let trusted = || crate::upstream::tls_config(None).map_err(io::Error::other);
    let mut socket = connect(place, place.tls.then(trusted).transpose()?).await?;
    let mut buffer = BytesMut::new();
    let mut all = Vec::new();
    let mut cursor = b"0".to_vec();
    loop {
        let pattern = format!("{BEGINS}*");
        let scan = encode(&[
            b"SCAN",
            &cursor,
            b"MATCH",
            pattern.as_bytes(),
            b"COUNT",
            b"1000",
        ]);
        let reply = ask(&mut socket, &mut buffer, &scan).await?;
        let Reply::List(parts) = reply else {
            return Err(io::Error::other("no list of names"));
        };
        let [Reply::Text(next), Reply::List(names)] = &parts[..] else {
            return Err(io::Error::other("no list of names"));
        };
        cursor = next.to_vec();
        for name in names {
            let Reply::Text(name) = name else { continue };
            let read = encode(&[b"HMGET", name, b"spent", b"held"]);
            let reply = ask(&mut socket, &mut buffer, &read).await?;
            if let Some(found) = row(&String::from_utf8_lossy(name), &reply) {
                all.push(found);
            }
        }
        if cursor == b"0" {
            break;
        }
    }
    all.sort_by(|a, b| {
        (&a.environment, &a.scope, &a.window).cmp(&(&b.environment, &b.scope, &b.window))
    });
    // A scan may say a name twice.
    all.dedup();
    Ok(all)
}

fn row(name: &str, reply: &Reply) -> Option<Spent> {
    let Reply::List(values) = reply else {
        return None;
    };
    let [spent, held] = &values[..] else {
        return None;
    };
    let (rest, window) = name.strip_prefix(BEGINS)?.rsplit_once('|')?;
    let (environment, scope) = rest.split_once(':')?;
    Some(Spent {
        environment: environment.to_owned(),
        scope: scope.to_owned(),
        window: window.to_owned(),
        spent: money(number(spent).unwrap_or_default()),
        held: money(number(held).unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whose_money_it_is_and_when() {
        let values = Reply::List(vec![Reply::Text("1500000000".into()), Reply::Nil]);
        let found = row(&key("prod", "team:a:b|2026-11"), &values).unwrap();
        assert_eq!((&*found.environment, &*found.scope), ("prod", "team:a:b"));
        assert_eq!(
            (&*found.window, found.spent.to_string()),
            ("2026-11", "1.50".to_owned())
        );
        assert_eq!(found.held, Money::ZERO);
        assert_eq!(row("pillion:budget:x", &values), None);
    }
}
