//! Every form of request that must not get through, and those that must.

use http_body_util::Full;

use super::*;

type Sent = Request<Full<&'static [u8]>>;

/// A request as one line each: `METHOD target [version]`, `name: value`…, and a body after an
/// empty line.
fn parse(text: &'static str) -> Sent {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let mut request = Request::builder()
        .method(first.next().unwrap())
        .uri(first.next().unwrap())
        .version(match first.next() {
            None => Version::HTTP_11,
            Some("1.0") => Version::HTTP_10,
            Some("2") => Version::HTTP_2,
            Some(other) => panic!("{other}"),
        });
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    request.body(Full::new(body.as_bytes())).unwrap()
}

fn verdict(text: &'static str) -> String {
    let hosts = BTreeSet::from(["gateway.internal".to_owned(), "fd00::1".to_owned()]);
    match check(&parse(text), &hosts, None) {
        Ok(Door::Open) => "open".into(),
        Ok(Door::Options) => "options".into(),
        Err(error) => {
            let (status, _, code) = error.wire();
            format!("{} {code}", status.as_u16())
        }
    }
}

const BAD: &str = "400 bad_request";
const HOST: &str = "421 host_not_allowed";
const METHOD: &str = "405 method_not_allowed";
const ORIGIN: &str = "403 origin_not_allowed";
const EXPECT: &str = "417 expectation_failed";

#[test]
fn a_request_must_name_us_once_and_readably() {
    for (text, expected) in [
        ("GET /v1/models\nhost: localhost", "open"),
        ("GET /v1/models\nhost: LocalHost:4100", "open"),
        ("GET /v1/models\nhost: 127.0.0.1:4100", "open"),
        ("GET /v1/models\nhost: 127.8.9.10", "open"),
        ("GET /v1/models\nhost: [::1]:4100", "open"),
        ("GET /v1/models\nhost: [0:0:0:0:0:0:0:1]", "open"),
        ("GET /v1/models\nhost: Gateway.Internal:1", "open"),
        ("GET /v1/models\nhost: [fd00::1]:80", "open"),
        ("GET /v1/models\nhost: [FD00:0::1]", "open"),
        ("GET /v1/models 1.0\nhost: localhost", "open"),
        ("GET /v1/models", BAD),
        ("GET /v1/models 1.0", BAD),
        ("GET /v1/models\nhost:", BAD),
        ("GET /v1/models\nhost: localhost\nhost: localhost", BAD),
        ("GET /v1/models\nhost: localhost\nhost: evil", BAD),
        ("GET /v1/models\nhost: localhost:4000/#@evil", BAD),
        ("GET /v1/models\nhost: localhost/", BAD),
        ("GET /v1/models\nhost: localhost?x", BAD),
        ("GET /v1/models\nhost: user@localhost", BAD),
        ("GET /v1/models\nhost: evil@localhost:4100", BAD),
        ("GET /v1/models\nhost: localhost, evil", BAD),
        ("GET /v1/models\nhost: local host", BAD),
        ("GET /v1/models\nhost: [::1", BAD),
        ("GET /v1/models\nhost: évil", BAD),
        ("GET /v1/models\nhost: evil", HOST),
        ("GET /v1/models\nhost: localhost.evil", HOST),
        ("GET /v1/models\nhost: evil.localhost", HOST),
        ("GET /v1/models\nhost: 128.0.0.1", HOST),
        ("GET /v1/models\nhost: 0.0.0.0", HOST),
        ("GET /v1/models\nhost: 127.1", HOST),
        ("GET /v1/models\nhost: 2130706433", HOST),
        ("GET /v1/models\nhost: [::]", HOST),
        ("GET /v1/models\nhost: [::ffff:127.0.0.1]", HOST),
        ("GET /v1/models\nhost: 10.0.0.1:4100", HOST),
    ] {
        assert_eq!(verdict(text), expected, "{text}");
    }
}

#[test]
fn no_url_names_another_server() {
    for (text, expected) in [
        (
            "GET http://localhost:4100/v1/models\nhost: localhost",
            "open",
        ),
        ("GET http://evil/v1/models\nhost: localhost", BAD),
        ("GET http://evil/v1/models\nhost: evil", BAD),
        ("GET http://localhost/v1/models\nhost: evil", HOST),
        ("GET http://u@localhost/v1/models\nhost: localhost", BAD),
        ("GET https://localhost/v1/models\nhost: localhost", BAD),
        ("GET ftp://localhost/v1/models\nhost: localhost", BAD),
        ("GET localhost:80\nhost: localhost", BAD),
        ("GET http://localhost/v1/models", BAD),
        // HTTP/2 has the authority in the URL, and Host beside it at most.
        ("GET http://localhost/v1/models 2", "open"),
        ("GET https://localhost/v1/models 2\nhost: localhost", "open"),
        ("GET http://localhost/v1/models 2\nhost: evil", BAD),
        ("GET http://evil/v1/models 2", HOST),
        ("GET /v1/models 2\nhost: localhost", "open"),
        ("GET /v1/models 2", BAD),
    ] {
        assert_eq!(verdict(text), expected, "{text}");
    }
}

#[test]
fn methods_browsers_and_expectations_are_ours_to_choose() {
    for (text, expected) in [
        ("POST /x\nhost: localhost\n\n{}", "open"),
        ("DELETE /x\nhost: localhost\n\n{}", "open"),
        ("HEAD /x\nhost: localhost", "open"),
        ("PUT /x\nhost: localhost", "open"),
        ("PATCH /x\nhost: localhost", "open"),
        ("OPTIONS *\nhost: localhost", "options"),
        ("OPTIONS /v1/models\nhost: localhost", "options"),
        ("CONNECT evil:443\nhost: localhost", METHOD),
        ("CONNECT localhost:4100\nhost: localhost:4100", METHOD),
        ("TRACE /\nhost: localhost", METHOD),
        ("BREW /\nhost: localhost", METHOD),
        ("get /\nhost: localhost", METHOD),
        ("PRI *\nhost: localhost", METHOD),
        ("GET /x\nhost: localhost\n\n{}", METHOD),
        ("HEAD /x\nhost: localhost\n\n{}", METHOD),
        ("POST /x\nhost: localhost\norigin: https://evil", ORIGIN),
        ("POST /x\nhost: localhost\norigin: null", ORIGIN),
        (
            "POST /x\nhost: localhost\norigin: http://localhost:4100",
            ORIGIN,
        ),
        ("OPTIONS /x\nhost: localhost\norigin: https://evil", ORIGIN),
        // The page of a rebound name is stopped by the name already.
        ("POST /x\nhost: evil\norigin: http://evil", HOST),
        ("POST /x\nhost: localhost\nexpect: 100-Continue", "open"),
        ("POST /x\nhost: localhost\nexpect: 200-ok", EXPECT),
        ("POST /x\nhost: localhost\nexpect: 100-continue, x", EXPECT),
        (
            "POST /x\nhost: localhost\nexpect: 100-continue\nexpect: x",
            EXPECT,
        ),
        (
            "POST /x\nhost: localhost\nauthorization: a\nauthorization: a",
            BAD,
        ),
        (
            "POST /x\nhost: localhost\nauthorization: a\nauthorization: b",
            BAD,
        ),
        ("POST /x\nhost: localhost\nauthorization: a", "open"),
        (
            "POST /x\nhost: localhost\nupgrade: websocket\nconnection: upgrade",
            "open",
        ),
    ] {
        assert_eq!(verdict(text), expected, "{text}");
    }
}

#[test]
fn a_violation_of_framing_is_refused_before_anything_is_read_into_it() {
    let request = parse("POST /x\nhost: localhost");
    for violation in [
        Violation::LengthAndEncoding,
        Violation::RepeatedLength,
        Violation::Encoding,
    ] {
        let error = check(&request, &BTreeSet::new(), Some(violation)).unwrap_err();
        assert_eq!(error.wire().0, StatusCode::BAD_REQUEST);
    }
}

#[test]
fn a_page_is_told_by_its_name_and_its_origin() {
    let hosts = BTreeSet::from(["sidecar.internal".to_owned()]);
    for (fields, by_name, from_elsewhere) in [
        ("accept: */*", true, false),
        ("host: localhost:4101", true, false),
        ("host: [::1]:4101", true, false),
        ("host: sidecar.internal", true, false),
        ("host: rebound.example:4101", false, false),
        ("host: localhost\nhost: rebound.example", false, false),
        ("host: a@localhost", false, false),
        ("host: localhost\norigin: http://localhost", true, true),
        ("host: localhost\nsec-fetch-site: none", true, false),
        ("host: localhost\nsec-fetch-site: same-origin", true, false),
        ("host: localhost\nsec-fetch-site: same-site", true, true),
        ("host: localhost\nsec-fetch-site: cross-site", true, true),
    ] {
        let text: &'static str = format!("GET /x\n{fields}").leak();
        let request = parse(text);
        let headers = request.headers();
        assert_eq!(names_us(headers, &hosts), by_name, "{fields}");
        assert_eq!(is_from_elsewhere(headers), from_elsewhere, "{fields}");
    }
}

#[test]
fn a_body_that_is_read_here_is_plain_json() {
    for (fields, is_fine) in [
        ("content-type: application/json", true),
        ("content-type: Application/JSON; charset=utf-8", true),
        ("content-type: application/json ;x=y", true),
        ("content-type: application/vnd.api+json", true),
        (
            "content-type: application/json\ncontent-encoding: identity",
            true,
        ),
        ("accept: */*", false),
        ("content-type:", false),
        ("content-type: text/plain", false),
        ("content-type: text/json", false),
        ("content-type: application/+json", false),
        ("content-type: application/jsonl", false),
        ("content-type: application/x-www-form-urlencoded", false),
        ("content-type: multipart/form-data; boundary=x", false),
        ("content-type: text/plain; application/json", false),
        (
            "content-type: application/json\ncontent-type: text/plain",
            false,
        ),
        (
            "content-type: application/json\ncontent-encoding: gzip",
            false,
        ),
        (
            "content-type: application/json\ncontent-encoding: identity, br",
            false,
        ),
        (
            "content-type: application/json\ncontent-encoding: identity\ncontent-encoding: gzip",
            false,
        ),
    ] {
        let text: &'static str = format!("POST /x\n{fields}").leak();
        match wants_json(parse(text).headers()) {
            Ok(()) => assert!(is_fine, "{fields}"),
            Err(error) => {
                assert!(!is_fine, "{fields}");
                assert_eq!(error.wire().0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
                assert_eq!(error.wire().2, "unsupported_media_type");
            }
        }
    }
}
