//! What the targets share.

/// `data` in pieces, whose length its first byte says: a decoder is not to care where chunks end.
pub fn pieces(data: &[u8]) -> (&[u8], impl Iterator<Item = &[u8]>) {
    let (size, rest) = match data {
        [size, rest @ ..] => (usize::from(*size).max(1), rest),
        [] => (1, data),
    };
    (rest, rest.chunks(size))
}
