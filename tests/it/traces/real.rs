//! A collector that is not ours: rotel, which reads what it is sent and sends it on in protobuf.

use std::io::Read as _;

use flate2::read::GzDecoder;
use memchr::memmem::find;

use crate::support::Peer;

use super::*;

#[tokio::test]
async fn a_real_collector_reads_the_spans_of_a_request_with_a_fallback() {
    for gzip in [false, true] {
        let behind = Upstream::always(Reply::status(200)).await;
        let exported = behind.root_url();
        let sends_on = [
            "otlp",
            "--otlp-exporter-endpoint",
            exported.as_str(),
            "--otlp-exporter-protocol",
            "http",
            "--otlp-exporter-compression",
            "none",
        ];
        let Some(peer) = Peer::collector(sends_on).await else {
            return;
        };
        let first = Upstream::always(Reply::error(503, "overloaded", None, "later")).await;
        let second = Upstream::always(Reply::json(plain("Hello!"))).await;
        let address = peer.address();
        let keys = format!("traces: {{ url: \"http://{address}\", every: 10ms, gzip: {gzip} }}");
        let gateway = Gateway::start(Config::of(&[&first, &second]).root(&keys)).await;
        let traceparent = caller("01");
        gateway
            .post(CHAT, &[("traceparent", &*traceparent)], &ask())
            .await;
        let sent = |told: &str| told == "pillion_spans_sent_total 3";
        gateway.until_metric("they are taken", sent).await;
        assert!(!gateway.log().contains("refused spans"));
        // What it has understood: ids are bytes by then, and names are what they were.
        let seen = behind.request(0).await;
        let mut said = Vec::new();
        match seen.header("content-encoding") {
            Some("gzip") => GzDecoder::new(&*seen.body).read_to_end(&mut said).unwrap(),
            _ => (&*seen.body).read_to_end(&mut said).unwrap(),
        };
        let bytes = |hex: &str| u128::from_str_radix(hex, 16).unwrap().to_be_bytes();
        let is_there = |part: &[u8]| find(&said, part).is_some();
        assert!(is_there(&bytes(TRACE)));
        assert!(is_there(&bytes(CALLER)[8..]));
        for upstream in [&first, &second] {
            let (_, span, _) = told(&upstream.request(0).await);
            assert!(is_there(&bytes(&span)[8..]));
        }
        for text in [
            "chat chat",
            "chat model-first",
            "chat model-second",
            "overloaded",
        ] {
            assert!(is_there(text.as_bytes()), "{text}");
        }
    }
}
