//! Reading a secret where its reference says it is. Blocks; what it reads is small and local.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Reference;
use super::value::{LENGTH_LIMIT, Secret, SecretError};
use crate::stamp::Stamp;

/// A value and the state of the file that held it.
pub(super) struct Reading {
    pub(super) secret: Secret,
    pub(super) stamp: Option<Stamp>,
}

/// Variables that this process was given otherwise than by its environment, which goes before them. Clones
/// are one.
#[derive(Clone, Default)]
pub(super) struct Given(Arc<[(String, Zeroizing<String>)]>);

impl Given {
    /// What of these the process's own environment does not have.
    pub(super) fn of(env: &[(String, String)]) -> Self {
        let given = env
            .iter()
            .filter(|(name, _)| std::env::var_os(name).is_none());
        Self(
            given
                .map(|(name, value)| (name.clone(), Zeroizing::new(value.clone())))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        if let Some(value) = std::env::var_os(name) {
            return Some(Zeroizing::new(OsString::into_encoded_bytes(value)));
        }
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(Zeroizing::new(value.as_bytes().to_vec()))
    }
}

pub(super) fn read(reference: &Reference, given: &Given) -> Result<Reading, SecretError> {
    read_as(reference, given, Secret::try_new)
}

/// What a value must look like.
type Form = fn(&[u8]) -> Result<Secret, SecretError>;

fn read_as(reference: &Reference, given: &Given, form: Form) -> Result<Reading, SecretError> {
    match reference {
        Reference::Env(name) => read_variable(name, given, form),
        Reference::File(path) => read_file(path, form),
        Reference::Document(inner) => read_as(inner, given, Secret::document),
        Reference::Stored(_) => Err(SecretError::Unasked),
        Reference::Aws | Reference::Google => Err(SecretError::Issued),
    }
}

fn read_variable(name: &str, given: &Given, form: Form) -> Result<Reading, SecretError> {
    let value = given.get(name).ok_or(SecretError::Missing)?;
    Ok(Reading {
        secret: form(&value)?,
        stamp: None,
    })
}

fn read_file(path: &Path, form: Form) -> Result<Reading, SecretError> {
    // Asked first: opening a pipe that nobody writes to would wait for ever.
    if !fs::metadata(path)
        .map_err(|error| problem(&error))?
        .is_file()
    {
        return Err(SecretError::NotAFile);
    }
    let file = File::open(path).map_err(|error| problem(&error))?;
    let metadata = file.metadata().map_err(|error| problem(&error))?;
    // Room for all at once: growing would leave copies behind that nobody zeroes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH_LIMIT + 1));
    file.take(LENGTH_LIMIT as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| problem(&error))?;
    let secret = form(&bytes)?;
    if is_for_everyone(&metadata) {
        tracing::warn!(path = %path.display(), "this secret can be read by every user of the machine");
    }
    Ok(Reading {
        secret,
        stamp: Some(Stamp::of(&metadata)),
    })
}

fn problem(error: &io::Error) -> SecretError {
    match error.kind() {
        io::ErrorKind::NotFound => SecretError::Missing,
        kind => SecretError::Unreadable(kind),
    }
}

#[cfg(unix)]
fn is_for_everyone(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o004 != 0
}

#[cfg(not(unix))]
fn is_for_everyone(_: &Metadata) -> bool {
    false
}
