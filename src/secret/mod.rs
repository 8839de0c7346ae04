//! Provider keys: referenced in the configuration, read from their source, never written.
//!
//! A [`Reference`] names a secret; a [`Keyring`] holds the current value of each. Values are
//! zeroed when dropped, have no `Debug`, and are exposed in `upstream::sign` alone.
//! A reading that fails keeps the last good value.

mod ambient;
mod keyring;
mod reference;
mod source;
mod value;

pub use ambient::Ambient;
pub use keyring::Keyring;
pub use reference::Reference;
pub use value::{Secret, SecretError};
