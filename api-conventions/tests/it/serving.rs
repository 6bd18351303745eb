use std::sync::Arc;
use std::time::Duration;

use api_conventions::serve::{HEAD_BYTES_MAX, serve};
use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};

/// A server with one route that answers when it is told to.
struct Server {
    begun: Arc<Notify>,
    finish: Arc<Notify>,
    shutdown: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<usize>,
    address: std::net::SocketAddr,
}

impl Server {
    async fn start(drain_max: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (shutdown, stopped) = oneshot::channel::<()>();
        let handler = {
            let (begun, finish) = (Arc::clone(&begun), Arc::clone(&finish));
            move || async move {
                begun.notify_one();
                finish.notified().await;
                "finished"
            }
        };
        let router = Router::new().route("/", get(handler));
        let ended = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or(()) };
            serve(listener, router, stopped, drain_max).await
        });
        Self { begun, finish, shutdown, ended, address }
    }

    async fn request(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it reads");
        self.begun.notified().await;
        stream
    }
}

#[tokio::test]
async fn what_was_begun_is_finished_and_no_more_is_accepted() {
    let mut server = Server::start(Duration::from_secs(60)).await;
    let mut stream = server.request().await;
    // A connection without a request must not hold up the end.
    let _idle = TcpStream::connect(server.address).await.expect("it listens");
    server.shutdown.send(()).expect("it runs");
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let early = tokio::time::timeout(Duration::from_millis(30), &mut server.ended).await;
    assert!(early.is_err(), "it waits for the request");
    server.finish.notify_one();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers, and closes");
    assert!(answer.ends_with("finished"), "{answer}");
    assert_eq!(server.ended.await.expect("no panic"), 0);
}

#[tokio::test]
async fn what_does_not_finish_is_cut_off() {
    let server = Server::start(Duration::from_millis(20)).await;
    let _stream = server.request().await;
    server.shutdown.send(()).expect("it runs");
    assert_eq!(server.ended.await.expect("no panic"), 1);
}

/// What is answered to a head of so many bytes.
async fn head_of(server: &Server, bytes: usize) -> String {
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    let (begin, end) = ("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-a: ", "\r\n\r\n");
    let filling = "a".repeat(bytes - begin.len() - end.len());
    // It may hang up before it has read all.
    let _ = stream.write_all(format!("{begin}{filling}{end}").as_bytes()).await;
    server.finish.notify_one();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_head_is_taken_up_to_its_limit_and_not_further() {
    let server = Server::start(Duration::from_millis(20)).await;
    for bytes in [HEAD_BYTES_MAX - 1, HEAD_BYTES_MAX] {
        assert_eq!(head_of(&server, bytes).await, "HTTP/1.1 200 OK", "{bytes}");
    }
    for bytes in [HEAD_BYTES_MAX + 1, 2 * HEAD_BYTES_MAX - 1] {
        let refused = "HTTP/1.1 431 Request Header Fields Too Large";
        assert_eq!(head_of(&server, bytes).await, refused, "{bytes}");
    }
    server.shutdown.send(()).expect("it runs");
    server.ended.await.expect("no panic");
}
