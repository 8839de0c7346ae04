//! From Messages to Messages: the bytes that came, with only what is ours replaced.

mod cloud;
mod frames;
mod history;
mod instructions;
mod plain;
mod request;
mod stream;
mod tally;
mod whole;

pub use cloud::cloud_betas;
pub use plain::splice_answer;
pub use request::{Form, Spliced, splice_request};
pub use stream::Splicer;

/// Whether an answer that ended so may be empty, and a call in it cut: the provider says that the
/// end was not the model's.
fn is_cut(stop_reason: &str) -> bool {
    matches!(
        stop_reason,
        "max_tokens" | "model_context_window_exceeded" | "refusal"
    )
}

/// Whether there is more to come, or something else than an answer: such a message may be empty.
fn is_pause(stop_reason: &str) -> bool {
    matches!(stop_reason, "pause_turn" | "compaction")
}
