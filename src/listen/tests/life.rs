//! How connections end: by the clock, by the client, by a panic, by a drain.

use super::*;

#[tokio::test]
async fn a_slow_head_just_ends() {
    let server = Server::start(SHORT);
    for start in [
        "",
        "P",
        "GET / HT",
        "GET / HTTP/1.1\r\nHost: localhost\r\nx: ",
    ] {
        assert_eq!(server.talk(start).await, "", "{start:?}");
    }
    // A later head is timed as well, and so is the silence before it.
    for start in ["", "GET / HTTP/1.1\r\nHost: "] {
        let text = server.talk(get("/") + start).await;
        assert_eq!(statuses(&text), [200], "{start:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_connection() {
    let server = Server::start(SHORT);
    let mut client = server.connect().await;
    client.send(get("/endless")).await;
    soon(server.flags.dropped.notified()).await;
}

#[tokio::test]
async fn a_client_that_leaves_or_half_closes_drops_its_request() {
    let server = Server::start(Settings::default());
    for half in [true, false] {
        let mut client = server.connect().await;
        client.send(get("/hang")).await;
        soon(server.flags.begun.notified()).await;
        if half {
            client.0.shutdown().await.unwrap();
            soon(server.flags.dropped.notified()).await;
            assert_eq!(client.rest().await, "");
        } else {
            drop(client);
            soon(server.flags.dropped.notified()).await;
        }
    }
}

#[tokio::test]
async fn a_panic_ends_its_own_request_alone() {
    let server = Server::start(Settings::default());
    let mut other = server.connect().await;
    other.send(get("/wait")).await;
    soon(server.flags.begun.notified()).await;
    let text = server.talk(get("/panic")).await;
    assert!(text.contains(r#""code":"internal""#), "{text}");
    server.flags.release.notify_one();
    other.until("waited").await;
}

#[tokio::test]
async fn a_client_that_is_still_sending_sees_why_it_is_refused() {
    let server = Server::start(Settings::default());
    let body = vec![b'x'; MANY];
    for (path, status) in [("/echo", 413), ("/unread", 401)] {
        let mut client = server.connect().await;
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MANY}\r\n\r\n");
        client.send(head).await;
        soon(client.0.write_all(&body)).await.unwrap();
        assert_eq!(statuses(&client.rest().await), [status]);
    }
    let mut client = server.connect().await;
    client
        .send(post("Transfer-Encoding: chunked\r\n", "2800000\r\n"))
        .await;
    soon(client.0.write_all(&body)).await.unwrap();
    client.send("\r\n0\r\n\r\n").await;
    assert_eq!(statuses(&client.rest().await), [413]);
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_asked_only_for_what_is_wanted() {
    let server = Server::start(Settings::default());
    for (path, length, status) in [("/echo", "999999999", 413), ("/unread", "3", 401)] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        );
        assert_eq!(statuses(&server.talk(head).await), [status], "{path}");
    }
    let mut client = server.connect().await;
    client
        .send(post(
            "Expect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n",
            "",
        ))
        .await;
    assert_eq!(statuses(&client.until("\r\n\r\n").await), [100]);
    client.send("abc").await;
    assert_eq!(statuses(&client.rest().await), [200]);
}

#[tokio::test]
async fn draining_ends_what_is_idle_and_finishes_what_runs() {
    let server = Server::start(Settings::default());
    let mut idle = server.connect().await;
    idle.send(get("/")).await;
    idle.until("/ 0").await;
    let mut running = server.connect().await;
    running.send(get("/wait")).await;
    soon(server.flags.begun.notified()).await;

    server.phase.send_replace(Phase::Draining);
    assert_eq!(idle.rest().await, "");
    server.flags.release.notify_one();
    let text = running.rest().await;
    assert!(text.contains("connection: close\r\n"), "{text}");
    assert!(text.ends_with("waited"), "{text}");
    soon(server.tasks.idle()).await;
}

#[tokio::test]
async fn http2_is_spoken_when_asked_for_and_its_sniffing_is_timed() {
    let server = Server::start(Settings { h2c: true, ..SHORT });
    expect(&server, &[(get("/"), &[200, 200])]).await;
    for start in ["", "P", "PRI * HTTP/2.0\r\n"] {
        assert_eq!(server.talk(start).await, "", "{start:?}");
    }
    let mut client = server.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    // GET http://localhost/ on stream 1, its fields by RFC 7541's static table.
    client
        .send([0, 0, 14, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 9])
        .await;
    client.send("localhost").await;
    // A frame of HEADERS that begins with `:status: 200`, whatever comes before it.
    let mut head = [0; 9];
    loop {
        soon(client.0.read_exact(&mut head)).await.unwrap();
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        soon(client.0.read_exact(&mut payload)).await.unwrap();
        if head[3] == 1 {
            assert_eq!(payload[0], 0x88);
            return;
        }
    }
}

#[tokio::test]
async fn a_connection_too_many_is_answered_once_and_closed() {
    let server = Server::crowded(SHORT, 1);
    let mut first = server.connect().await;
    first.send(get("/wait")).await;
    soon(server.flags.begun.notified()).await;
    let text = server.talk(get("/") + &get("/")).await;
    assert_eq!(statuses(&text), [503]);
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    assert!(text.contains(r#""code":"overloaded""#), "{text}");
    // One that has much to say is told, too; one that says nothing is let go.
    let mut talker = server.connect().await;
    talker
        .send(post(&format!("Content-Length: {MANY}\r\n"), ""))
        .await;
    soon(talker.0.write_all(&vec![b'x'; MANY])).await.unwrap();
    assert_eq!(statuses(&talker.rest().await), [503]);
    assert_eq!(server.talk("").await, "");
    server.flags.release.notify_one();
    first.until("waited").await;
    drop(first);
    soon(async { while statuses(&server.talk(get("/")).await) != [200] {} }).await;
}

#[tokio::test]
async fn who_only_holds_a_connection_keeps_nobody_out() {
    let server = Server::of(Settings::default(), Connections::giving_way(1));
    let mut silent = server.connect().await;
    let mut busy = server.connect().await;
    busy.send(get("/wait")).await;
    soon(server.flags.begun.notified()).await;
    assert_eq!(silent.rest().await, "");
    assert_eq!(statuses(&server.talk(LAST).await), [503]);
    server.flags.release.notify_one();
    busy.until("waited").await;
    soon(async { while statuses(&server.talk(LAST).await) != [200] {} }).await;
    assert_eq!(busy.rest().await, "");
}

#[tokio::test]
async fn who_does_not_go_on_to_tls_keeps_nobody_out() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = tls::identity(chain.as_bytes(), key.as_bytes()).unwrap();
    let (_identities, identity) = Live::new(Arc::new(identity));
    let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = listener.local_addr().unwrap();
    let (_phase, serving) = watch::channel(Phase::Serving);
    let tasks = Tasks::default();
    let patient = Settings {
        head: Duration::from_hours(1),
        ..Settings::default()
    };
    let service = |_, _| async { Response::new(full("")) };
    let one = Connections::giving_way(1);
    tasks.spawn(serve_tls(
        listener,
        identity,
        patient,
        one,
        tasks.clone(),
        serving,
        service,
    ));
    let mut silent = Client(TcpStream::connect(addr).await.unwrap());
    let _next = TcpStream::connect(addr).await.unwrap();
    assert_eq!(silent.rest().await, "");
}
