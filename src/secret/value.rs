//! A secret's value and what makes one: the rules, without the reading.

use std::fmt;
use std::io;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The longest secret, in bytes. A key has some hundred; a file that is longer is another file.
pub(super) const LENGTH_LIMIT: usize = 64 * 1024;

/// A provider's key: printable ASCII on one line, zeroed when dropped. It cannot be printed.
#[derive(PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The white space at the end is not part of it: editors and `echo` leave a line feed.
    ///
    /// # Errors
    /// When it could not be sent as a header, or is no key by the look of it.
    pub fn try_new(source: &[u8]) -> Result<Self, SecretError> {
        const BYTE_ORDER_MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
        if source.len() > LENGTH_LIMIT {
            return Err(SecretError::TooLong);
        }
        if BYTE_ORDER_MARKS.iter().any(|mark| source.starts_with(mark)) {
            return Err(SecretError::ByteOrderMark);
        }
        let bytes = source.trim_ascii_end();
        let fault = bytes.iter().find_map(|byte| match byte {
            b'\n' | b'\r' => Some(SecretError::Lines),
            byte if byte.is_ascii_control() => Some(SecretError::Control),
            byte if !byte.is_ascii() => Some(SecretError::NotAscii),
            _ => None,
        });
        if let Some(fault) = fault {
            return Err(fault);
        }
        match str::from_utf8(bytes) {
            Ok("") => Err(SecretError::Empty),
            Ok(text) => Ok(Self(Zeroizing::new(text.to_owned()))),
            Err(_) => Err(SecretError::NotAscii),
        }
    }

    /// A JSON document of any number of lines, or else a secret as [`try_new`](Self::try_new) has
    /// it. Whoever wants a document reads it: here it is only text between braces.
    ///
    /// # Errors
    /// When it is neither.
    pub fn document(source: &[u8]) -> Result<Self, SecretError> {
        let bytes = source.trim_ascii();
        if !(bytes.starts_with(b"{") && bytes.ends_with(b"}")) {
            return Self::try_new(source);
        }
        if source.len() > LENGTH_LIMIT {
            return Err(SecretError::TooLong);
        }
        match str::from_utf8(bytes) {
            Ok(text) => Ok(Self(Zeroizing::new(text.to_owned()))),
            Err(_) => Err(SecretError::NotAscii),
        }
    }

    /// Whether somebody has shown it. Takes as long whatever it was.
    pub fn is(&self, shown: &[u8]) -> bool {
        let (own, shown) = (digest(&SHA256, self.0.as_bytes()), digest(&SHA256, shown));
        own.as_ref().ct_eq(shown.as_ref()).into()
    }

    /// The value itself, for the one header that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Why there is no (new) value. It never holds one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretError {
    /// The variable is not set, or there is no such file or path.
    Missing,
    Unreadable(io::ErrorKind),
    /// A folder, a pipe or a device.
    NotAFile,
    Empty,
    TooLong,
    Lines,
    Control,
    NotAscii,
    ByteOrderMark,
    /// A service issues it; there is nothing to be read.
    Issued,
    /// Its store has not been asked yet.
    Unasked,
    /// Its store gives no answer, or none that can be read.
    Away(Arc<str>),
    /// Its store does not give it to us.
    Refused(Arc<str>),
    /// What its store has there is no object with such a field.
    NoField,
    /// What its store has there are several fields, and the reference names none.
    Fields,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("does not exist"),
            Self::Unreadable(kind) => write!(f, "cannot be read: {kind}"),
            Self::NotAFile => f.write_str("is not a file"),
            Self::Empty => f.write_str("is empty"),
            Self::TooLong => write!(f, "is longer than {LENGTH_LIMIT} bytes"),
            Self::Lines => f.write_str("has more than one line"),
            Self::Control => f.write_str("holds a control character"),
            Self::NotAscii => f.write_str("holds a character that is not ASCII"),
            Self::ByteOrderMark => {
                f.write_str("begins with a byte order mark; save it as plain ASCII")
            }
            Self::Issued => f.write_str("is issued by a service and cannot be read"),
            Self::Unasked => f.write_str("has not been read yet"),
            Self::Away(why) => write!(f, "cannot be read now: {why}"),
            Self::Refused(why) => write!(f, "is not given to us: {why}"),
            Self::NoField => f.write_str("has no such field"),
            Self::Fields => f.write_str("has several fields; name one behind a `#`"),
        }
    }
}

impl std::error::Error for SecretError {}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use serde::Serialize;

    use super::*;

    /// What a type can do: where it cannot, the constants are the trait's.
    struct Of<T>(PhantomData<T>);

    trait Cannot {
        const PRINT_DEBUG: bool = false;
        const PRINT: bool = false;
        const SERIALIZE: bool = false;
    }

    impl<T> Cannot for Of<T> {}

    impl<T: fmt::Debug> Of<T> {
        const PRINT_DEBUG: bool = true;
    }

    impl<T: fmt::Display> Of<T> {
        const PRINT: bool = true;
    }

    impl<T: Serialize> Of<T> {
        const SERIALIZE: bool = true;
    }

    /// So no panic's message, log line or answer can be made of one, whoever forgets.
    #[test]
    fn a_secret_cannot_be_printed() {
        let text = [
            Of::<String>::PRINT_DEBUG,
            Of::<String>::PRINT,
            Of::<String>::SERIALIZE,
        ];
        let secret = [
            Of::<Secret>::PRINT_DEBUG,
            Of::<Secret>::PRINT,
            Of::<Secret>::SERIALIZE,
        ];
        assert_eq!((text, secret), ([true; 3], [false; 3]));
    }

    #[test]
    fn a_secret_is_one_line_of_printable_ascii() {
        for (source, value) in [
            (&b"sk-1"[..], Ok("sk-1")),
            (b"sk-1\n", Ok("sk-1")),
            (b"sk-1 \t\r\n\n", Ok("sk-1")),
            (b"a b", Ok("a b")),
            (b"", Err(SecretError::Empty)),
            (b" \n", Err(SecretError::Empty)),
            (b"sk-1\nsk-2\n", Err(SecretError::Lines)),
            (b"\nsk-1", Err(SecretError::Lines)),
            (b"sk\r1", Err(SecretError::Lines)),
            (b"sk\x00", Err(SecretError::Control)),
            (b"sk\x1b1", Err(SecretError::Control)),
            (b"sk\x7f1", Err(SecretError::Control)),
            ("ключ".as_bytes(), Err(SecretError::NotAscii)),
            (b"sk\xff", Err(SecretError::NotAscii)),
            (b"\xef\xbb\xbfsk-1", Err(SecretError::ByteOrderMark)),
            (b"\xff\xfes\0k\0", Err(SecretError::ByteOrderMark)),
        ] {
            let secret = Secret::try_new(source);
            let secret = secret.as_ref().map(Secret::expose).map_err(Clone::clone);
            assert_eq!(secret, value, "{}", source.escape_ascii());
        }
        let long = vec![b'k'; LENGTH_LIMIT + 1];
        assert!(Secret::try_new(&long).err() == Some(SecretError::TooLong));
        assert!(Secret::try_new(&long[1..]).is_ok());
    }

    #[test]
    fn a_document_has_lines_and_braces_or_is_a_secret() {
        for (source, value) in [
            (
                &b"{\n  \"a\": \"\xc3\xa9\"\n}\n"[..],
                Ok("{\n  \"a\": \"\u{e9}\"\n}"),
            ),
            (b"ya29.token\n", Ok("ya29.token")),
            (b"{\n", Ok("{")),
            (b"one\ntwo", Err(SecretError::Lines)),
            (b"{\xff}", Err(SecretError::NotAscii)),
            (b"", Err(SecretError::Empty)),
        ] {
            let secret = Secret::document(source);
            let secret = secret.as_ref().map(Secret::expose).map_err(Clone::clone);
            assert_eq!(secret, value, "{}", source.escape_ascii());
        }
        let long = [b"{", vec![b' '; LENGTH_LIMIT].as_slice(), b"}"].concat();
        assert!(Secret::document(&long).err() == Some(SecretError::TooLong));
    }

    #[test]
    fn an_error_never_holds_the_value() {
        for source in [
            "canary-4711\n\n2",
            "canary-4711\u{1}",
            "canary-4711é",
            "\u{feff}canary-4711",
        ] {
            let Err(error) = Secret::try_new(source.as_bytes()) else {
                panic!("it is no secret");
            };
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }
}
