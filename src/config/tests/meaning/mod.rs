//! What a configuration means, and what may not be meant.

mod callers;
mod process;
mod providers;
mod routes;
mod whole;

use super::*;

fn problem(more: &str) -> String {
    refused(&small_with(more)).join("\n")
}

fn warnings(more: &str) -> String {
    said(&loaded(&small_with(more)).warnings).join("\n")
}
