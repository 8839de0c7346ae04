//! Provider keys: referenced in the configuration, read from their source, never written.
//!
//! A [`Reference`] names a secret; a [`Keyring`] holds the current value of each. Values are
//! zeroed when dropped, have no `Debug`, and are exposed where a request is signed alone.
//! A reading that fails keeps the last good value. What is in a [`Store`] is read in the background,
//! by its path, however many references name fields of it.

mod ambient;
mod aside;
mod entry;
mod guard;
mod keyring;
mod place;
mod reference;
mod shelf;
mod shelves;
mod source;
mod store;
mod value;

pub use ambient::Ambient;
pub use guard::close_memory;
pub use keyring::Keyring;
pub use place::{AwsPlace, StoreKind, StorePlace, StorePlaces, VaultAuth, VaultPlace};
pub use reference::{RESERVED, Reference, Stored, is_store};
pub use store::{Asking, Found, Store};
pub use value::{Secret, SecretError};
