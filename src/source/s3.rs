//! Where an object of S3 is, or of a store that is compatible with it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>; other stores by
//! `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL`
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>, read 2026-11), which
//! are asked by the path. Asking is [`Http`](super::http::Http)'s.

use std::sync::Arc;

use super::form::{escaped, is_region};
use crate::secret::Ambient;
use crate::upstream::aws_suffix;

/// Where the objects of a bucket are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    base: String,
    pub(super) region: Arc<str>,
}

impl Bucket {
    /// # Errors
    /// Nothing says in which region it is.
    pub(super) fn new(
        name: &str,
        region: Option<&str>,
        ambient: &Ambient,
    ) -> Result<Self, &'static str> {
        let endpoint = ambient.aws_endpoint("AWS_ENDPOINT_URL_S3");
        let region = region
            .or_else(|| ambient.aws_region())
            .filter(|region| is_region(region))
            // A store that is not Amazon's has hardly ever a region, and this one is understood.
            .or(endpoint.map(|_| "us-east-1"))
            .ok_or("needs a region: `?region=NAME` behind its key, or AWS_REGION")?;
        let domain = aws_suffix(region);
        let base = match endpoint {
            Some(endpoint) => format!("{endpoint}/{name}"),
            // The certificate is for one name before the service's.
            None if name.contains('.') => format!("https://s3.{region}.{domain}/{name}"),
            None => format!("https://{name}.s3.{region}.{domain}"),
        };
        Ok(Self {
            base,
            region: region.into(),
        })
    }

    pub(super) fn object(&self, key: &str) -> String {
        format!("{}/{}", self.base, escaped(key))
    }

    pub(super) fn is_secure(&self) -> bool {
        self.base.starts_with("https://")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Environment = &'static [(&'static str, &'static str)];

    fn object(name: &str, region: Option<&str>, environment: Environment) -> Option<String> {
        let environment = environment.iter();
        let environment: Vec<_> = environment
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let bucket = Bucket::new(name, region, &Ambient::of(&environment)).ok()?;
        Some(format!("{} {}", bucket.object("a/b c.yaml"), bucket.region))
    }

    #[test]
    fn a_bucket_is_asked_where_it_is() {
        let own = "https://bkt.s3.eu-west-1.amazonaws.com/a/b%20c.yaml eu-west-1";
        let ceph = "http://ceph:7480/bkt/a/b%20c.yaml us-east-1";
        for (name, region, environment, expected) in [
            ("bkt", None, &[][..], None),
            ("bkt", Some("eu-west-1"), &[], Some(own)),
            ("bkt", None, &[("AWS_REGION", "eu-west-1")], Some(own)),
            (
                "bkt",
                None,
                &[("AWS_DEFAULT_REGION", "eu-west-1")],
                Some(own),
            ),
            ("bkt", None, &[("AWS_REGION", "a.canary/")], None),
            (
                "bkt",
                Some("eu-west-1"),
                &[("AWS_REGION", "us-east-2")],
                Some(own),
            ),
            (
                "b.kt",
                Some("cn-north-1"),
                &[],
                Some("https://s3.cn-north-1.amazonaws.com.cn/b.kt/a/b%20c.yaml cn-north-1"),
            ),
            (
                "bkt",
                None,
                &[("AWS_ENDPOINT_URL", "http://ceph:7480/")],
                Some(ceph),
            ),
            (
                "bkt",
                None,
                &[
                    ("AWS_ENDPOINT_URL", "http://x"),
                    ("AWS_ENDPOINT_URL_S3", "http://ceph:7480"),
                ],
                Some(ceph),
            ),
        ] {
            assert_eq!(object(name, region, environment).as_deref(), expected);
        }
    }
}
