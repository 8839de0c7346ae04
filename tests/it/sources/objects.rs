//! S3, as it is emulated. That emulation does not look at signatures: those are `sign`'s to test.

use std::time::Duration;

use http::Method;
use pillion::secret::Ambient;
use pillion::source::SourceError;

use super::followed::Keeper;
use super::{
    ask, error, is_away, is_signed, keeps_up, new, open_with, place, same, signed, too_large,
};
use crate::support::store::Moto;
use crate::support::{Reply, Upstream};

fn environment(endpoint: &str) -> [(&'static str, String); 4] {
    [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "canary-4711".to_owned()),
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ENDPOINT_URL_S3", endpoint.to_owned()),
    ]
}

fn ambient(endpoint: &str) -> Ambient {
    let environment = environment(endpoint).map(|(name, value)| (name.to_owned(), value));
    Ambient::of(&environment)
}

/// With a bucket of the name `bucket`.
pub(super) struct Objects(Moto);

impl Objects {
    pub(super) async fn start() -> Option<Self> {
        let objects = Self(Moto::start().await?);
        objects.make().await;
        Some(objects)
    }

    async fn make(&self) {
        let region = "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
        self.ask(Method::PUT, "bucket", region).await;
    }

    async fn put(&self, key: &str, text: Option<&str>) {
        let method = if text.is_some() {
            Method::PUT
        } else {
            Method::DELETE
        };
        let path = format!("bucket/{key}");
        self.ask(method, &path, text.unwrap_or_default()).await;
    }

    async fn ask(&self, method: Method, path: &str, body: &str) {
        // It takes who asks from the signature.
        let identity = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261126/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let headers = [("authorization", identity)];
        ask(method, &format!("{}/{path}", self.0.url()), &headers, body).await;
    }
}

impl Keeper for Objects {
    fn keys(&self) -> String {
        "url: \"s3://bucket/pillion/prod.yaml\"".to_owned()
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        environment(&self.0.url()).to_vec()
    }

    async fn put(&mut self, text: &str) {
        Self::put(self, "pillion/prod.yaml", Some(text)).await;
    }

    fn stop(&mut self) {
        self.0.stop();
    }

    fn kill(&mut self) {
        self.0.kill();
    }

    async fn again(&mut self) {
        self.0.again().await;
        self.make().await;
    }
}

#[tokio::test]
async fn an_object_is_asked_for_through_an_outage() {
    let Some(mut objects) = Objects::start().await else {
        return;
    };
    let endpoint = objects.0.url();
    let put = async |key: &str, text: Option<&str>| objects.put(key, text).await;
    let mut source = open_with(&place("s3://bucket/pillion/prod.yaml"), &ambient(&endpoint));
    keeps_up(&mut *source, async |text| {
        put("pillion/prod.yaml", text).await;
    })
    .await;
    put("pillion/prod.yaml", Some(&too_large())).await;
    let refused = error(&mut *source).await;
    assert!(matches!(refused, SourceError::Unusable(_)), "{refused:?}");

    let mut both = open_with(
        &signed(place("s3://bucket/signed.yaml")),
        &ambient(&endpoint),
    );
    is_signed(&mut *both, async |end, text| {
        put(&format!("signed.yaml{end}"), Some(text)).await;
    })
    .await;

    let mut none = open_with(&place("s3://elsewhere/prod.yaml"), &ambient(&endpoint));
    assert_eq!(error(&mut *none).await, SourceError::Missing);

    put("pillion/prod.yaml", Some("a: 2\n")).await;
    same(&mut *source).await;
    objects.0.kill();
    assert!(is_away(&error(&mut *source).await));
}

#[tokio::test]
async fn an_object_is_asked_for_with_a_signature_and_its_tag() {
    let mut first = true;
    let store = Upstream::choosing(move |_| {
        if std::mem::take(&mut first) {
            Reply::json("{}").header("etag", "\"tag-1\"")
        } else {
            Reply::status(304)
        }
    })
    .await;
    let mut source = open_with(
        &place("s3://bucket/a%20b.yaml"),
        &ambient(&store.root_url()),
    );
    new(&mut *source).await;
    same(&mut *source).await;
    for (number, tag) in [(0, None), (1, Some("\"tag-1\""))] {
        let asked = store.request(number).await;
        assert!(
            asked.head.starts_with("GET /bucket/a%20b.yaml HTTP/1.1"),
            "{}",
            asked.head
        );
        let signature = asked.header("authorization").unwrap();
        assert!(
            signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
            "{signature}"
        );
        assert!(
            signature.contains("/eu-central-1/s3/aws4_request"),
            "{signature}"
        );
        assert!(signature.contains("x-amz-content-sha256"), "{signature}");
        assert_eq!(asked.header("if-none-match"), tag);
        assert!(!asked.head.contains("canary"));
    }
}

#[tokio::test]
async fn who_refuses_and_who_has_no_time_is_told_apart() {
    let replies = [
        Reply::status(403),
        Reply::status(301).header("x-amz-bucket-region", "us-east-2"),
        Reply::status(503).header("retry-after", 7),
    ];
    let store = Upstream::script(replies).await;
    let mut source = open_with(&place("s3://bucket/prod.yaml"), &ambient(&store.root_url()));
    assert!(matches!(error(&mut *source).await, SourceError::Refused(_)));
    assert!(
        error(&mut *source)
            .await
            .to_string()
            .contains("region us-east-2")
    );
    let SourceError::Away { again, .. } = error(&mut *source).await else {
        panic!("it is away");
    };
    assert_eq!(again, Some(Duration::from_secs(7)));
}
