//! What is taken out comes back, wherever it is cut; and nothing of it is left.

mod alike;
mod bodies;
mod own;
mod round;
mod transcripts;

use std::sync::Arc;

use super::*;

/// `pieces` as they come out.
fn streamed<'a>(
    vault: &Arc<Vault>,
    form: Form,
    pieces: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut unmask = Unmask::new(Arc::clone(vault), form);
    let mut out = String::new();
    for piece in pieces {
        unmask.push(piece, &mut out);
    }
    unmask.finish(&mut out);
    out
}

fn masked(text: &str) -> (String, Arc<Vault>) {
    let mut vault = Vault::default();
    let out = mask(&Detectors::default(), text, Classes::ALL, &mut vault);
    (out.unwrap_or_else(|| text.to_owned()), Arc::new(vault))
}
