//! Messages, whole, cut and spoilt; and the writer of them that other tests use.

use super::*;

/// One message, as a server writes it.
pub(crate) fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap());
        block.extend_from_slice(name.as_bytes());
        block.push(7);
        block.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    raw(&block, payload)
}

fn raw(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = u32::try_from(headers.len() + payload.len() + OVERHEAD).unwrap();
    let mut bytes = total.to_be_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    sealed(&mut bytes);
    bytes.extend_from_slice(headers);
    bytes.extend_from_slice(payload);
    sealed(&mut bytes);
    bytes
}

fn sealed(bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&crc(bytes).to_be_bytes());
}

type Seen = Vec<(Option<String>, Vec<u8>)>;

fn read(chunks: &[&[u8]]) -> Result<Seen, Invalid> {
    let mut seen = Seen::new();
    let mut framer = Framer::default();
    for chunk in chunks {
        framer.feed(chunk, |message| {
            let kind = message.text(":event-type").map(str::to_owned);
            seen.push((kind, message.payload.to_vec()));
            Ok::<(), Invalid>(())
        })?;
    }
    framer.finish()?;
    Ok(seen)
}

#[test]
fn the_checksum_is_the_one_of_zip_and_ethernet() {
    for (text, expected) in [
        ("", 0),
        ("123456789", 0xCBF4_3926),
        ("The quick brown fox jumps over the lazy dog", 0x414F_A339),
    ] {
        assert_eq!(crc(text.as_bytes()), expected, "{text}");
    }
    // The least message there is, as the format's own description gives it.
    let least = [0, 0, 0, 16, 0, 0, 0, 0, 5, 194, 72, 235, 125, 152, 200, 255];
    assert_eq!(read(&[&least]), Ok(vec![(None, Vec::new())]));
}

#[test]
fn messages_are_the_same_however_they_are_cut() {
    // Every type of header beside the one that is read.
    let mut all =
        b"\x01a\x00\x01b\x01\x01c\x02\xff\x01d\x03\x00\x01\x01e\x04\x00\x00\x00\x01".to_vec();
    all.extend_from_slice(b"\x01f\x05\x00\x00\x00\x00\x00\x00\x00\x01\x01g\x06\x00\x02\xff\xfe");
    all.extend_from_slice(b"\x0b:event-type\x07\x00\x03all");
    all.extend_from_slice(b"\x01h\x08\x00\x00\x00\x00\x00\x00\x00\x01\x01i\x09");
    all.extend_from_slice(&[7; 16]);
    let stream = [
        message(
            &[(":event-type", "a"), (":content-type", "x")],
            b"{\"p\":1}",
        ),
        message(&[], b""),
        raw(&all, &[0, 255, 13, 10]),
    ]
    .concat();
    let expected: Seen = vec![
        (Some("a".into()), b"{\"p\":1}".to_vec()),
        (None, Vec::new()),
        (Some("all".into()), vec![0, 255, 13, 10]),
    ];
    assert_eq!(read(&[&stream]), Ok(expected.clone()));
    for cut in 0..=stream.len() {
        let chunks = [&stream[..cut], &stream[cut..]];
        assert_eq!(read(&chunks), Ok(expected.clone()), "cut at {cut}");
    }
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(read(&single), Ok(expected), "byte by byte");
}

#[test]
fn an_end_in_the_middle_of_a_message_is_no_end() {
    let stream = message(&[(":event-type", "a")], b"{}");
    for cut in 1..stream.len() {
        assert!(read(&[&stream[..cut]]).is_err(), "cut at {cut}");
    }
}

#[test]
fn no_bit_can_change_unseen() {
    let stream = message(&[(":event-type", "a")], b"{\"text\":\"a\"}");
    for bit in 0..stream.len() * 8 {
        let mut bytes = stream.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&[&bytes]).is_err(), "bit {bit}");
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let lengths = |total: u32, headers: u32| {
        let mut bytes = total.to_be_bytes().to_vec();
        bytes.extend_from_slice(&headers.to_be_bytes());
        sealed(&mut bytes);
        bytes
    };
    let huge = u32::try_from(MAX_MESSAGE).unwrap() + 1;
    let many: Vec<String> = (0..=MAX_HEADERS).map(|n| format!("h{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
    for (bytes, expected) in [
        (lengths(15, 0), "a message's lengths contradict each other"),
        (lengths(16, 1), "a message's lengths contradict each other"),
        (lengths(huge, 0), "a message is too long"),
        (lengths(1 << 20, 200 << 10), "a message is too long"),
        (lengths(u32::MAX, u32::MAX), "a message is too long"),
        (
            message(&[("a", "1"), ("a", "2")], b""),
            "a message has a header twice",
        ),
        (message(&many, b""), "a message has too many headers"),
        (raw(b"\x01a\x0a", b""), "a message's headers are malformed"),
        (raw(b"\x01a", b""), "a message's headers are malformed"),
        (raw(b"\x05a\x00", b""), "a message's headers are malformed"),
        (raw(b"\x00\x00", b""), "a message's headers are malformed"),
        (
            raw(b"\x01a\x07\x00\x05abc", b"de"),
            "a message's headers are malformed",
        ),
        (
            raw(b"\x01a\x07\x00\x01\xff", b""),
            "a message's headers are malformed",
        ),
        (
            b"HTTP/1.1 502 Bad Gateway".to_vec(),
            "a message's lengths do not match their checksum",
        ),
    ] {
        assert_eq!(read(&[&bytes]), Err(Invalid(expected)));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), Err(Invalid(expected)));
    }
}

#[test]
fn no_more_is_kept_than_the_message_that_is_torn() {
    let one = message(&[(":event-type", "a")], &[b'x'; 1000]);
    let mut stream = one.repeat(50);
    stream.truncate(stream.len() - 1);
    let mut framer = Framer::default();
    for chunk in [&one[..1], &[&one[1..], &stream].concat()] {
        framer.feed(chunk, |_| Ok::<(), Invalid>(())).unwrap();
    }
    assert_eq!(framer.torn.len(), one.len() - 1);
    assert!(framer.torn.capacity() < 4 * one.len());
}
