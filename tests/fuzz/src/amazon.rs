//! Amazon's event streams, written: a checksum is not found by chance.
//! <https://smithy.io/2.0/aws/amazon-eventstream.html> (read 2026-11).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A line of `data` is a message: what stands in `:event-type`, a blank, the payload. A `!` before it
/// makes it an exception.
pub fn stream(data: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in data
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let (exception, line) = match line {
            [b'!', line @ ..] => (true, line),
            line => (false, line),
        };
        let blank = line.iter().position(|&byte| byte == b' ');
        let (kind, payload) = line.split_at(blank.unwrap_or(line.len()));
        let payload = payload.strip_prefix(b" ").unwrap_or(payload);
        message(exception, kind, payload, &mut stream);
    }
    stream
}

/// A line of `data` is an event of Claude's, as Bedrock wraps it.
pub fn invoked(data: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in data.split(|&byte| byte == b'\n') {
        let Some(event) = line.strip_prefix(b"data: ") else {
            continue;
        };
        let payload = format!("{{\"bytes\":\"{}\",\"p\":\"ab\"}}", STANDARD.encode(event));
        message(false, b"chunk", payload.as_bytes(), &mut stream);
    }
    stream
}

/// The messages that `data` announces, their checksums put right.
pub fn mended(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    let mut rest = &mut data[..];
    while let Some(length) = rest.first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if length < 16 || length > rest.len() {
            break;
        }
        let (message, behind) = rest.split_at_mut(length);
        let sum = crc(&message[..8]);
        message[8..12].copy_from_slice(&sum);
        let sum = crc(&message[..length - 4]);
        message[length - 4..].copy_from_slice(&sum);
        rest = behind;
    }
    data
}

fn message(exception: bool, kind: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    let mut headers = Vec::new();
    let (message, name): (&[u8], &[u8]) = if exception {
        (b"exception", b":exception-type")
    } else {
        (b"event", b":event-type")
    };
    for (name, value) in [(&b":message-type"[..], message), (name, kind)] {
        headers.push(u8::try_from(name.len()).unwrap_or_default());
        headers.extend(name);
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        headers.extend(value);
    }
    let start = out.len();
    for length in [16 + headers.len() + payload.len(), headers.len()] {
        out.extend(u32::try_from(length).unwrap_or_default().to_be_bytes());
    }
    out.extend(crc(&out[start..]));
    out.extend(headers);
    out.extend(payload);
    out.extend(crc(&out[start..]));
}

/// CRC-32 as in zlib, bit by bit.
fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut sum = u32::MAX;
    for &byte in bytes {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        }
    }
    (!sum).to_be_bytes()
}
