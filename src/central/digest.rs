//! What tells one document from another: SHA-256 of its bytes.

use std::fmt;

use ring::digest;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let hash = digest::digest(&digest::SHA256, bytes);
        let mut digest = [0; 32];
        digest.copy_from_slice(hash.as_ref());
        Self(digest)
    }
}

impl Digest {
    /// As it stands in `config_version`.
    pub(super) fn short(&self) -> String {
        let mut digits = self.to_string();
        digits.truncate(12);
        digits
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
