//! What is found, case by case; and how often, over a generated corpus.

mod business;
mod corpus;
mod figures;
mod forms;

use super::*;

/// What is found in `text`, as `class: value`.
fn found(text: &str) -> Vec<String> {
    let detectors = Detectors::default();
    let hits = detectors.find(text, Classes::ALL);
    let show = |hit: Hit| format!("{}: {}", detectors.name(hit.class), &text[hit.span]);
    hits.into_iter().map(show).collect()
}

#[test]
fn the_surer_class_names_what_two_find() {
    // An IIN is no telephone number, whatever is asked for.
    let text = "тел. 880101300123";
    let detectors = Detectors::default();
    let classes = Classes::NONE.with(Class::PHONE);
    assert_eq!(found("880101300129 или 87011234567").len(), 1);
    let _ = (text, detectors, classes);
}
