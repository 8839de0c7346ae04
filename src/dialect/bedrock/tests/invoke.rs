//! Claude's events out of their frames.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{event, exception};
use crate::dialect::bedrock::Unwrap;
use crate::outcome::{Class, Failure};

fn chunk(text: &str) -> Vec<u8> {
    let bytes = STANDARD.encode(text);
    event("chunk", &format!("{{\"bytes\":\"{bytes}\"}}"))
}

fn read(chunks: &[&[u8]]) -> Result<Vec<String>, Failure> {
    let (mut unwrap, mut seen) = (Unwrap::default(), Vec::new());
    for chunk in chunks {
        unwrap.feed(chunk, |event| {
            seen.push(event.to_owned());
            Ok(())
        })?;
    }
    unwrap.end()?;
    Ok(seen)
}

#[test]
fn events_come_out_as_they_went_in_however_the_stream_is_cut() {
    let events = [
        r#"{"type":"message_start","message":{"id":"msg_1"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Salü"}}"#,
        r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":1}}"#,
    ];
    let mut stream = events.map(chunk).concat();
    stream.extend(event("newerThanWeAre", "{}"));
    for cut in 0..=stream.len() {
        assert_eq!(
            read(&[&stream[..cut], &stream[cut..]]).unwrap(),
            events,
            "cut at {cut}"
        );
    }
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(read(&single).unwrap(), events);
    let torn = &stream[..stream.len() - 1];
    assert_eq!(read(&[torn]).unwrap_err().class, Class::Broken);
}

#[test]
fn what_is_no_chunk_is_broken_or_what_it_says() {
    for (frame, class) in [
        (
            exception("throttlingException", r#"{"message":"m"}"#),
            Class::RateLimited,
        ),
        (
            exception("modelTimeoutException", r#"{"message":"m"}"#),
            Class::Broken,
        ),
        (event("chunk", r#"{"bytes":"*"}"#), Class::Broken),
        (event("chunk", r#"{"bytes":"/w=="}"#), Class::Broken),
        (event("chunk", "{}"), Class::Broken),
        (b"data: {}\n\ndata: {}\n\n".to_vec(), Class::Broken),
    ] {
        assert_eq!(read(&[&frame]).unwrap_err().class, class);
    }
    let refused = Unwrap::default().feed(&chunk("{}"), |_| {
        Err(Failure::new(Class::Policy, "of the reader behind"))
    });
    assert_eq!(refused.unwrap_err().class, Class::Policy);
}
