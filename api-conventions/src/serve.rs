//! Serving: bounded connections, and an end that drops nothing that was begun.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections are served at once. One more waits in the listener's backlog.
const CONNECTIONS_MAX: usize = 4_096;

/// How long a request's head may take to arrive, and an idle connection may stay.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);

/// The largest head of a request, in bytes as it is sent: room for the longest token, cursor and
/// address there are, together with what proxies add. One more is 431, as are more than 100 headers.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long to pause when the system has no more sockets for us.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a request's head is, as it is sent. hyper looks at its buffer only before it reads more, so
/// that by itself it takes up to twice what it is told.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n".len();
    let fields = request.headers().iter();
    let fields: usize =
        fields.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    line + fields + "\r\n".len()
}

/// Serves until `shutdown`; then accepts no more, lets the requests that have begun finish, for
/// `drain_max` at most, and returns how many connections had to be cut off.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
    drain_max: Duration,
) -> usize {
    let mut shutdown = pin!(shutdown);
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        match accepted {
            Ok((stream, address, permit)) => {
                spawn_connection(stream, address, permit, &router, &graceful);
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(drain_max, graceful.shutdown()).await;
    let cut_off = CONNECTIONS_MAX - connections.available_permits();
    if cut_off > 0 {
        tracing::warn!(connections = cut_off, "requests did not finish in time and were cut off");
    }
    cut_off
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    // Answers are small: none waits to be sent with the next.
    stream.set_nodelay(true)?;
    Ok((stream, address, permit))
}

fn spawn_connection(
    stream: TcpStream,
    address: SocketAddr,
    permit: OwnedSemaphorePermit,
    router: &Router,
    graceful: &GracefulShutdown,
) {
    let service = TowerToHyperService::new(router.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(address));
        let is_too_large = head_bytes(&request) > HEAD_BYTES_MAX;
        let answer = (!is_too_large).then(|| hyper::service::Service::call(&service, request));
        async move {
            match answer {
                Some(answer) => answer.await,
                None => Ok(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response()),
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // A caller that hangs up is no failure of ours.
        if let Err(error) = connection.await {
            tracing::debug!(%error, %address, "a connection ended early");
        }
        drop(permit);
    });
}
