//! What is served, what is refused, and what ends its connection.

use super::*;

#[tokio::test]
async fn what_is_well_formed_is_served_in_order() {
    let server = Server::start(Settings::default());
    let echo = post("Content-Length: 3\r\n", "abc");
    expect(
        &server,
        &[
            (get("/"), &[200, 200]),
            (format!("\r\n{}", get("/")), &[200, 200]),
            (get("/").replace("\r\n", "\n"), &[200, 200]),
            (echo.clone(), &[200, 200]),
            (echo.repeat(3), &[200, 200, 200, 200]),
            (post("Content-Length: 0\r\n", ""), &[200, 200]),
            (get("/").replace("GET", "OPTIONS"), &[204, 200]),
            (get("*").replace("GET", "OPTIONS"), &[204, 200]),
            (get("/").replace("GET", "HEAD"), &[200, 200]),
            // No one upgrades, and what follows is a request like any other.
            (
                get("/").replace(
                    "\r\n\r\n",
                    "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
                ),
                &[200, 200],
            ),
            (
                get("/").replace(
                    "\r\n\r\n",
                    "\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\n\r\n",
                ),
                &[200, 200],
            ),
            (
                "GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n".into(),
                &[200, 200],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_request_that_ends_its_connection_is_the_last_one_served() {
    let server = Server::start(Settings::default());
    let chunked = |body| post("Transfer-Encoding: chunked\r\n", body);
    let both = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n";
    expect(
        &server,
        &[
            (chunked("3\r\nabc\r\n0\r\n\r\n"), &[200]),
            (
                chunked("3\r\nabc\r\n0\r\nAuthorization: Bearer x\r\n\r\n"),
                &[200],
            ),
            ("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n".into(), &[200]),
            // Framing that could be read in two ways.
            (post(both, "0\r\n\r\n"), &[400]),
            (get("/") + &post(both, "0\r\n\r\n"), &[200, 400]),
            (
                get("/").repeat(2) + &post(both, "0\r\n\r\n"),
                &[200, 200, 400],
            ),
            (
                post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
                &[400],
            ),
            (
                post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"),
                &[400],
            ),
            (
                post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"),
                &[400],
            ),
            (post("Transfer-Encoding: chunked, identity\r\n", ""), &[400]),
            (post("Transfer-Encoding: xchunked\r\n", ""), &[400]),
            (post("Transfer-Encoding : chunked\r\n", ""), &[400]),
            (
                post(
                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                    "0\r\n\r\n",
                ),
                &[400],
            ),
            (post("Content-Length: +3\r\n", "abc"), &[400]),
            (post("Content-Length: -1\r\n", ""), &[400]),
            (post("Content-Length: 1, 1\r\n", "a"), &[400]),
            (post("Content-Length: 18446744073709551616\r\n", ""), &[400]),
            (chunked("0x3\r\nabc\r\n0\r\n\r\n"), &[400]),
            (chunked("3\nabc\r\n0\r\n\r\n"), &[400]),
            (chunked("3\r\nabcd\r\n0\r\n\r\n"), &[400]),
            // Whom it is for.
            ("GET / HTTP/1.1\r\n\r\n".into(), &[400]),
            ("GET / HTTP/1.0\r\n\r\n".into(), &[400]),
            (
                get("/").replace("localhost", "localhost\r\nHost: localhost"),
                &[400],
            ),
            (
                get("/").replace("localhost", "localhost:4000/#@evil"),
                &[400],
            ),
            (get("/").replace("localhost", "evil"), &[421]),
            (get("http://evil/"), &[400]),
            (
                get("/").replace("\r\n\r\n", "\r\nOrigin: https://evil\r\n\r\n"),
                &[403],
            ),
            // What it wants.
            (get("/").replace("GET", "TRACE"), &[405]),
            (get("localhost:80").replace("GET", "CONNECT"), &[405]),
            (get("/").replace("GET", "BREW"), &[405]),
            (
                post("Content-Length: 3\r\n", "abc").replace("POST", "GET"),
                &[405],
            ),
            (
                post("Expect: 200-ok\r\nContent-Length: 3\r\n", "abc"),
                &[417],
            ),
            (post("Authorization: a\r\nAuthorization: b\r\n", ""), &[400]),
            (get("/panic"), &[500]),
            (get("/unread"), &[401]),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_no_request_gets_a_refusal_or_nothing() {
    let server = Server::start(Settings::default());
    let long = "x".repeat(70_000);
    let many = "x: y\r\n".repeat(101);
    let client_hello = "\u{16}\u{3}\u{1}\0\u{5}\u{1}\0\0\u{1}\u{3}\u{3}";
    expect(
        &server,
        &[
            (post(&format!("x: {}\r\n", "y".repeat(1 << 20)), ""), &[431]),
            (post(&format!("x: {long}\r\n"), ""), &[431]),
            (post(&many, ""), &[431]),
            (get(&format!("/{long}")), &[431]),
            (client_hello.into(), &[400]),
            ("\u{5}\u{1}\0".into(), &[400]),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), &[]),
            ("GET /\r\n\r\n".into(), &[400]),
            ("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n".into(), &[400]),
            (
                get("/").replace("1.1", "1.0\r\nTransfer-Encoding: chunked"),
                &[400],
            ),
            (post("x: y\r\n z\r\n", ""), &[400]),
            (post("x: a\0b\r\n", ""), &[400]),
            (post("x y: z\r\n", ""), &[400]),
            (get("/").replace("GET", "G(T"), &[400]),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_error_says_which_request_it_was() {
    let server = Server::start(Settings::default());
    let text = server.talk(get("/").replace("GET", "TRACE")).await;
    for part in [
        "x-request-id: id\r\n",
        "x-should-retry: false\r\n",
        "connection: close\r\n",
        "allow: GET, ",
        r#""code":"method_not_allowed""#,
    ] {
        assert!(text.contains(part), "{text}");
    }
}
