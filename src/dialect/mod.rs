//! Wire formats, not vendors: what one request, answer or event means, in both directions.
//!
//! Pure: no socket, clock, log or environment. A dialect knows no URL and no key, and never
//! imports another. Same dialect in and out keeps the original bytes, with only what we own replaced.

pub mod openai;
