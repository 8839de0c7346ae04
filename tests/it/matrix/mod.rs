//! The fault matrix: each fault, at each point of a request, on a plain and a streamed request of each
//! surface; what the client sees, what the record says, and what must never happen. After every row
//! the same ten things must hold, which are in [`invariants`].
//!
//! A table is data; [`asked`] plays those whose fault is a provider's. Each row has a route and targets
//! of its own, so rows share a gateway and nothing else. A row that fails does not hide the others.

mod answers;
mod asked;
mod breaks;
mod clock;
mod health;
mod http;
mod invariants;
mod leaving;
mod once;
mod overload;
mod parts;
mod places;
mod process;
mod reaching;
mod refused;
mod requests;
mod scene;
mod secrets;
mod words;

use std::collections::BTreeSet;

use places::Places;
use words::{At, Listed, PHASES, counts, every_asking};

#[tokio::test]
async fn a_provider_that_cannot_be_reached() {
    let places = Places::open().await;
    asked::play("connecting", reaching::connecting(), Some(&places)).await;
}

#[tokio::test]
async fn a_provider_that_does_not_take_the_request() {
    asked::play("sending", reaching::sending(), None).await;
}

#[tokio::test]
async fn a_provider_that_sends_no_head() {
    asked::play("waiting", reaching::waiting(), None).await;
}

#[tokio::test]
async fn a_provider_that_refuses_and_another_that_does_not() {
    asked::play("another target", refused::another_target(), None).await;
}

#[tokio::test]
async fn a_provider_whose_answer_is_the_answer() {
    asked::play("no other target", refused::no_other_target(), None).await;
}

#[tokio::test]
async fn a_provider_whose_answer_is_none() {
    asked::play("answers", answers::table(), None).await;
}

#[tokio::test]
async fn a_provider_that_breaks_off() {
    asked::play("text that breaks", breaks::text(), None).await;
}

#[tokio::test]
async fn a_provider_that_breaks_off_in_a_call() {
    asked::play("calls that break", breaks::calls(), None).await;
}

#[tokio::test]
async fn a_client_that_goes_away() {
    leaving::play().await;
}

#[tokio::test]
async fn a_request_that_is_at_fault() {
    requests::play().await;
}

#[tokio::test]
async fn bytes_that_are_no_request() {
    http::play().await;
}

#[tokio::test]
async fn a_key_that_is_gone_or_refused() {
    secrets::play().await;
}

#[tokio::test]
async fn time_that_is_not_what_it_seems() {
    clock::play().await;
}

#[tokio::test]
async fn a_process_that_ends_or_changes() {
    process::play().await;
}

#[tokio::test]
async fn what_one_request_teaches_shows_in_the_next() {
    health::play().await;
}

#[tokio::test]
async fn a_request_that_comes_twice() {
    once::play().await;
}

#[tokio::test]
async fn more_requests_than_there_is_room_for() {
    overload::play().await;
}

/// The classes that a record may show.
const CLASSES: [&str; 15] = [
    "ok",
    "connect",
    "timeout",
    "reset",
    "rate_limited",
    "quota_exhausted",
    "overloaded",
    "server_error",
    "broken",
    "auth",
    "invalid_request",
    "target_missing",
    "context_length",
    "policy",
    "cancelled",
];

fn every_row() -> Vec<Listed> {
    let tables = [
        reaching::connecting(),
        reaching::sending(),
        reaching::waiting(),
        refused::another_target(),
        refused::no_other_target(),
        answers::table(),
        breaks::text(),
        breaks::calls(),
    ];
    let mut rows: Vec<Listed> = tables
        .iter()
        .flat_map(|table| asked::listed(table))
        .collect();
    rows.extend(leaving::listed());
    rows.extend(requests::listed());
    rows.extend(http::listed());
    rows.extend(secrets::listed());
    rows.extend(clock::listed());
    rows.extend(process::listed());
    rows.extend(health::listed());
    rows.extend(once::listed());
    rows.extend(overload::listed());
    rows
}

#[test]
fn the_matrix_leaves_nothing_out() {
    let rows = every_row();
    let ids: BTreeSet<&str> = rows.iter().map(|row| &*row.id).collect();
    assert_eq!(ids.len(), rows.len(), "an id twice");
    eprintln!(
        "{} rows: {:?}",
        rows.len(),
        counts(rows.iter().map(|row| row.at))
    );
    assert!(rows.len() >= 120, "{} rows", rows.len());
    let mut missing = Vec::new();
    for asking in every_asking() {
        let own: Vec<&Listed> = rows
            .iter()
            .filter(|row| row.asked == Some(asking))
            .collect();
        for class in CLASSES {
            if !own.iter().any(|row| row.classes.contains(&class)) {
                missing.push(format!("{class} on {asking:?}"));
            }
        }
        for phase in PHASES {
            for at in [At::Upstream, At::Client] {
                if !own.iter().any(|row| row.phase == phase && row.at == at) {
                    missing.push(format!("a fault of {at:?} at {phase} on {asking:?}"));
                }
            }
        }
        for at in [At::Secret, At::Clock, At::Process] {
            if !own.iter().any(|row| row.at == at) {
                missing.push(format!("a fault of {at:?} on {asking:?}"));
            }
        }
    }
    assert!(missing.is_empty(), "no row: {}", missing.join("; "));
}
