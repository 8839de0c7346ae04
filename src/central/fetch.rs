//! A document fetched once, for a command that wants to know whether it can be had.

use std::time::Duration;

use tokio::time::timeout;

use super::signature::verify;
use crate::source::{Document, Fetched, Place, Source};

/// Longer than any answer of a source is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// What `source` has, if somebody whom `place` trusts has signed it.
///
/// # Errors
/// Why it is not to be had, for the operator, as the end of a sentence about the source.
pub async fn fetch(mut source: Box<dyn Source>, place: &Place) -> Result<Document, String> {
    let fetched = timeout(PATIENCE, source.fetch(Duration::ZERO)).await;
    let fetched = fetched.map_err(|_| "did not answer in time".to_owned())?;
    let document = match fetched.map_err(|error| error.to_string())? {
        Fetched::New(document) => document,
        Fetched::Same => return Err("has nothing".to_owned()),
    };
    let signature = document.signature.as_deref();
    verify(&place.verify, &document.text, signature)
        .map_err(|why| format!("has a document that is not to be trusted: {why}"))?;
    Ok(document)
}
