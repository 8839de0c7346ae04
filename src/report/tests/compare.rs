//! Two sides beside each other.

use super::*;

#[test]
fn two_providers_stand_side_by_side_on_each_route() {
    let sides = [Side("a".into()), Side("b/n".into())];
    let mut comparison = Comparison::new(sides, Span::default());
    for line in day() {
        comparison.line(line.as_bytes(), false);
    }
    let both = comparison.finish(Some("KZT"), &exchange());
    let told = serde_json::to_value(&both).unwrap();
    let chat: Vec<_> = told["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["route"] == "chat")
        .collect();
    assert_eq!(
        (&chat[0]["side"], &chat[0]["attempts"], &chat[0]["failed"]),
        (&json!("a"), &json!(4), &json!(2))
    );
    assert_eq!(
        (&chat[0]["cost"], &chat[0]["currency"]),
        (&json!("1.00800000048"), &json!("KZT"))
    );
    assert_eq!(
        (&chat[1]["answer_p50_ms"], &chat[1]["unpriced"]),
        (&json!(700), &json!(1))
    );
    assert_eq!(chat[1]["cost"], Value::Null);
    let (mut out, mut lines) = (Vec::new(), Vec::new());
    compared(&both, &mut out).unwrap();
    compared_csv(&both, &mut lines).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("50.0%"));
    assert_eq!(String::from_utf8(lines).unwrap().lines().count(), 5);
}
