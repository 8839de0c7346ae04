//! Whether a document's turn has come for this instance: versions go forward, and a new one goes to
//! a share of the instances first. Pure.
//!
//! What is asked here is asked of a text that is not the live one.

use std::fmt;
use std::sync::Arc;

use ring::digest;

use crate::config::{Release, Rollout};
use crate::snapshot::Percent;

/// Where this instance stands when a document comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// As `identity` names it.
    pub instance: Option<Arc<str>>,
    /// The version that is live here, or that was at the last start.
    pub version: Option<u64>,
    /// Whether there is another document to go on with.
    pub has_another: bool,
    /// Whether documents are signed: then a version names one text.
    pub is_signed: bool,
}

/// Why a document that is sound is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stay {
    /// It would be a step back.
    Behind { version: Option<u64>, live: u64 },
    /// Another text bears the version that is live.
    Renamed { version: u64 },
    /// It is for others first.
    NotYet {
        version: Option<u64>,
        percent: Percent,
    },
}

impl Standing {
    /// # Errors
    /// It is not for us, or not yet.
    pub fn admits(&self, release: &Release) -> Result<(), Stay> {
        if let Some(live) = self.version
            && release.version.is_none_or(|version| version < live)
            && !release.rollback.admits(live)
        {
            let version = release.version;
            return Err(Stay::Behind { version, live });
        }
        match release.version {
            Some(version) if self.is_signed && self.version == Some(version) => {
                return Err(Stay::Renamed { version });
            }
            Some(_) | None => {}
        }
        match self.early(release) {
            Some(stay) if self.has_another => Err(stay),
            Some(_) | None => Ok(()),
        }
    }

    /// That the document is for others first, where it is: who has nothing else to go on with takes it
    /// all the same.
    pub fn early(&self, release: &Release) -> Option<Stay> {
        let rollout = release.rollout.as_ref()?;
        (!self.is_among(rollout)).then_some(Stay::NotYet {
            version: release.version,
            percent: rollout.percent,
        })
    }

    /// Whether this instance is of the share. One without a name is of none but the whole.
    pub fn is_among(&self, rollout: &Rollout) -> bool {
        let bucket = self
            .instance
            .as_ref()
            .map_or(LAST, |name| bucket(name, &rollout.salt));
        bucket < u64::from(rollout.percent.parts())
    }
}

/// The bucket that only the whole holds.
const LAST: u64 = Percent::PARTS as u64 - 1;

/// 0 to [`LAST`]. SHA-256, so that it is the same in every release and on every machine.
fn bucket(instance: &str, salt: &str) -> u64 {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(salt.as_bytes());
    // In neither of them.
    hash.update(b"\0");
    hash.update(instance.as_bytes());
    let hash = hash.finish();
    let first = hash.as_ref().first_chunk().copied().unwrap_or_default();
    let first = u64::from_be_bytes(first);
    // Whole percents first.
    first % 100 * 100 + first / 100 % 100
}

impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind {
                version: Some(version),
                live,
            } => write!(
                f,
                "version {version} is behind {live}, which is live here; `allow_rollback_from: {live}` in it would take it"
            ),
            Self::Behind {
                version: None,
                live,
            } => write!(
                f,
                "it has no `version`, and {live} is live here; `allow_rollback_from: {live}` in it would take it"
            ),
            Self::Renamed { version } => write!(
                f,
                "version {version} is live here with another text, and a signed document has a `version` of its own"
            ),
            Self::NotYet { version, percent } => {
                match version {
                    Some(version) => write!(f, "version {version}")?,
                    None => f.write_str("a new document")?,
                }
                write!(
                    f,
                    " is for {percent} of the instances as yet, and this is none of them"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rollback;

    fn release(version: Option<u64>) -> Release {
        Release {
            version,
            ..Release::default()
        }
    }

    fn rollout(percent: u8, salt: &str) -> Rollout {
        let salt = salt.into();
        Rollout {
            percent: Percent::try_new(percent).unwrap(),
            salt,
        }
    }

    #[test]
    fn versions_go_forward_unless_the_document_says_otherwise() {
        for (live, version, behind) in [
            (None, None, false),
            (None, Some(1), false),
            (Some(7), Some(8), false),
            (Some(7), Some(7), false),
            (Some(7), Some(6), true),
            (Some(7), None, true),
        ] {
            let standing = Standing {
                version: live,
                ..Standing::default()
            };
            let admits = |rollback| {
                let release = Release {
                    rollback,
                    ..release(version)
                };
                standing.admits(&release).is_ok()
            };
            let told = format!("{version:?} on {live:?}");
            assert_eq!(admits(Rollback::Never), !behind, "{told}");
            assert_eq!(admits(Rollback::From(6)), !behind, "{told}");
            for enough in [Rollback::From(7), Rollback::From(8), Rollback::Any] {
                assert!(admits(enough), "{told} by {enough:?}");
            }
        }
    }

    #[test]
    fn a_version_names_one_text_where_documents_are_signed() {
        let standing = |is_signed| Standing {
            version: Some(7),
            is_signed,
            ..Standing::default()
        };
        let mut same = release(Some(7));
        same.rollback = Rollback::From(7);
        assert_eq!(standing(false).admits(&same), Ok(()));
        let renamed = Stay::Renamed { version: 7 };
        assert_eq!(standing(true).admits(&same), Err(renamed));
        assert_eq!(standing(true).admits(&release(Some(8))), Ok(()));
    }

    #[test]
    fn a_share_is_the_share_and_grows_by_who_was_not_in_it() {
        let fleet: Vec<_> = (0..10_000)
            .map(|number| Standing {
                instance: Some(format!("chat-{number:x}").into()),
                version: Some(1),
                has_another: true,
                is_signed: false,
            })
            .collect();
        let among = |percent, salt: &str| {
            let rollout = rollout(percent, salt);
            let each = fleet.iter().map(|one| one.is_among(&rollout));
            each.collect::<Vec<_>>()
        };
        let count = |share: &[bool]| share.iter().filter(|one| **one).count();
        assert_eq!(count(&among(0, "s")), 0);
        assert_eq!(count(&among(100, "s")), 10_000);
        let (five, half) = (among(5, "s"), among(50, "s"));
        assert!((400..600).contains(&count(&five)), "{}", count(&five));
        assert!((4800..5200).contains(&count(&half)), "{}", count(&half));
        assert_eq!(five, among(5, "s"), "the same ones each time");
        assert!(five.iter().zip(&half).all(|(five, half)| !five || *half));
        assert_ne!(five, among(5, "t"), "another salt, others");
    }

    #[test]
    fn who_is_not_of_the_share_keeps_what_it_has() {
        let named = |name: &str, has_another| Standing {
            instance: Some(name.into()),
            version: Some(1),
            has_another,
            is_signed: false,
        };
        let fresh = |percent| Release {
            version: Some(2),
            rollback: Rollback::Never,
            rollout: Some(rollout(percent, "s")),
        };
        let out = (0..).map(|number| named(&format!("pod-{number}"), true));
        let mut out = out.filter(|one| !one.is_among(&rollout(50, "s")));
        let out = out.next().unwrap();
        let stay = Stay::NotYet {
            version: Some(2),
            percent: Percent::try_new(50).unwrap(),
        };
        assert_eq!(out.admits(&fresh(50)), Err(stay.clone()));
        assert_eq!(out.admits(&fresh(100)), Ok(()));
        assert_eq!(out.admits(&release(Some(2))), Ok(()), "for all");
        let alone = named(out.instance.as_deref().unwrap(), false);
        assert_eq!(alone.admits(&fresh(50)), Ok(()), "it has no other");
        assert_eq!(alone.early(&fresh(50)), Some(stay), "and is none of them");
        assert_eq!(alone.early(&fresh(100)), None);
        let has_one = Standing {
            version: Some(2),
            ..out
        };
        let again = has_one.admits(&fresh(50));
        assert!(again.is_err(), "the same number with another text is new");
        let nameless = Standing {
            has_another: true,
            ..Standing::default()
        };
        assert!(nameless.admits(&fresh(99)).is_err());
        assert_eq!(nameless.admits(&fresh(100)), Ok(()));
    }
}
