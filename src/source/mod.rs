//! Where a central document is kept: a file, a URL, a store of the platform's.
//!
//! A [`Source`] fetches, and says whether there is something new. When it is asked, what its
//! document means, and what is done while it is gone, is for whoever follows it. Never here: what a
//! document says.

mod answer;
mod channel;
mod consul;
mod etcd;
mod file;
mod form;
mod http;
mod place;
mod redis;
mod reports;
mod s3;
mod seen;
mod url;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use self::channel::Channel;
use self::consul::Consul;
use self::etcd::Etcd;
use self::file::MountedFile;
use self::form::Location;
use self::http::{Credential, Http};
use self::redis::RedisKey;
use self::s3::Bucket;
use crate::config::Format;
use crate::secret::Ambient;
use crate::upstream::{AwsSigner, Clients, Credentials};

pub use self::place::{Auth, Place, PublicKey};
pub use self::reports::{KEPT, Reports};
pub use self::url::SourceUrl;

/// A larger document is no configuration; reading it would only cost memory.
pub const LARGEST: usize = 4 << 20;

/// One place that a document can be fetched from.
pub trait Source: Send {
    /// What is there. A source that [watches](Self::watches) waits until that is another than it
    /// last gave, for `patience` at most and sometimes less; the others, and each without patience,
    /// answer at once. Dropping the future is safe.
    ///
    /// # Errors
    /// Nothing can be had now. The next call begins anew.
    fn fetch(&mut self, patience: Duration) -> Fetching<'_>;

    /// Whether [`fetch`](Self::fetch) itself waits for a change, as far as is known now: a web server
    /// shows by its answers whether it does. Whoever watches may ask again at once.
    fn watches(&self) -> bool;
}

pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Fetched, SourceError>> + Send + 'a>>;

#[derive(Debug)]
pub enum Fetched {
    /// As it was when it was last fetched.
    Same,
    New(Document),
}

/// A document as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub text: Bytes,
    pub format: Format,
    /// What stands beside it (the same name and `.sig`), where signatures are asked for.
    pub signature: Option<Bytes>,
}

/// The source that `place` names. Nothing is asked yet, and no file is read.
///
/// # Errors
/// What in it cannot work, for the operator.
pub fn open(
    place: &Place,
    clients: &Clients,
    ambient: &Ambient,
) -> Result<Box<dyn Source>, &'static str> {
    let signed = !place.verify.is_empty();
    let auth = place.auth.clone();
    let is_certificate = matches!(auth, Auth::Certificate { .. });
    let channel = |secure: bool| {
        if is_certificate && !secure {
            return Err("shows a certificate, for which its URL must be one of TLS");
        }
        Ok(Channel::new(place, clients, secure))
    };
    Ok(match place.url.location()? {
        Location::File(path) => match auth {
            Auth::None => Box::new(MountedFile::new(path, signed)),
            Auth::Token { .. } | Auth::Certificate { .. } => return Err("needs no `auth`"),
        },
        Location::Http { secure, url, query } => {
            let credential = match auth {
                Auth::Token { file } => Credential::Bearer(file),
                Auth::None | Auth::Certificate { .. } => Credential::None,
            };
            let with = |end: &str| match &query {
                Some(query) => format!("{url}{end}?{query}"),
                None => format!("{url}{end}"),
            };
            let beside = signed.then(|| with(".sig"));
            let channel = channel(secure)?;
            Box::new(Http::new(channel, credential, with(""), beside, url))
        }
        Location::Etcd(keyed) => {
            let channel = channel(keyed.secure)?;
            Box::new(Etcd::new(keyed, channel, auth, signed))
        }
        Location::Consul(keyed) => {
            let channel = channel(keyed.secure)?;
            Box::new(Consul::new(keyed, channel, auth, signed))
        }
        Location::Redis { place: redis, key } => {
            channel(redis.is_secure())?;
            Box::new(RedisKey::new(place.clone(), redis, key))
        }
        Location::S3 {
            bucket,
            key,
            region,
        } => {
            if matches!(auth, Auth::Token { .. }) {
                return Err("is signed with AWS's keys, and needs no token");
            }
            let bucket = Bucket::new(&bucket, region.as_deref(), ambient)?;
            let channel = channel(bucket.is_secure())?;
            let keys = Credentials::of_environment(ambient.clone(), clients);
            let beside = signed.then(|| bucket.object(&format!("{key}.sig")));
            let credential = Credential::Aws {
                signer: AwsSigner::new(keys, "s3", bucket.region.clone()),
                signed: None,
            };
            Box::new(Http::new(
                channel,
                credential,
                bucket.object(&key),
                beside,
                key,
            ))
        }
    })
}

/// Why nothing could be had. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceError {
    /// No answer, or one that says to come again; when it names a time, not before.
    Away {
        why: String,
        again: Option<Duration>,
    },
    /// It refuses us.
    Refused(String),
    /// There is no document at this place.
    Missing,
    /// There is something that can be none: too long, or nothing we can read.
    Unusable(String),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away { why, .. } => f.write_str(why),
            Self::Refused(why) => write!(f, "refuses us: {why}"),
            Self::Missing => f.write_str("has no document there"),
            Self::Unusable(why) => write!(f, "has no document there that can be read: {why}"),
        }
    }
}

impl std::error::Error for SourceError {}
