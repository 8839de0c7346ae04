//! A whole answer as one response object.

use super::echo::Echo;
use super::encode::Encoder;
use crate::chat::Answer;
use crate::dialect::Shown;

/// `answer` as the body of a plain answer: what the last frame of its stream would say.
pub fn answer(answer: &Answer, shown: &Shown, echo: &Echo) -> Vec<u8> {
    let mut encoder = Encoder::new(shown.clone(), echo.clone());
    let mut frames = Vec::new();
    for event in &answer.events {
        encoder.event(event, &mut frames);
        frames.clear();
    }
    let mut body = frames;
    encoder.response(&mut body);
    body
}
