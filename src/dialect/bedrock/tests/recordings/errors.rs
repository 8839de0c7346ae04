//! Recorded errors.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{expected_error, samples};
use crate::outcome::judge;

#[test]
fn every_recorded_error_has_the_class_it_should() {
    let Some(samples) = samples() else { return };
    let mut judged = 0;
    for (name, sample) in &samples {
        let response = &sample["response"];
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        if status == 200 {
            continue;
        }
        let pairs = response["headers"].as_object().into_iter().flatten();
        let headers: HeaderMap = pairs
            .filter_map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
            })
            .collect();
        let body = response["body"].to_string();
        let status = StatusCode::from_u16(status).unwrap();
        let failure = judge(status, &headers, body.as_bytes(), SystemTime::UNIX_EPOCH);
        let expected = expected_error(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(failure.class, expected, "{name}: {}", failure.reason);
        judged += 1;
    }
    eprintln!("{judged} errors");
    assert!(judged >= 5, "{judged} errors");
}
