//! The little of HTTP that an issuer speaks: one GET a connection.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Answer, KEY_SET_PATH, Shared};

/// Answers until it is aborted, and every open connection with it.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        connections.spawn(async move {
            // Whoever asked may be gone; that is theirs to notice.
            let _ = answer(stream, &shared).await;
        });
    }
}

async fn answer(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    while !request.is_empty() && request != "\r\n" {
        request.clear();
        stream.read_line(&mut request).await?;
    }
    let response = response(&path, shared);
    count(&path, shared);
    match response {
        Some(response) => {
            stream.write_all(response.as_bytes()).await?;
            stream.shutdown().await
        }
        None => std::future::pending().await,
    }
}

fn count(path: &str, shared: &Shared) {
    shared.asked.send_modify(|asked| {
        if path == KEY_SET_PATH {
            asked.key_set += 1;
        } else {
            asked.discovery += 1;
        }
    });
}

fn response(path: &str, shared: &Shared) -> Option<String> {
    let state = shared.state();
    let (status, location, body) = match &state.answer {
        Answer::Documents if path == KEY_SET_PATH => (200, "", state.key_set.as_str()),
        Answer::Documents if path == "/.well-known/openid-configuration" => {
            (200, "", state.discovery.as_str())
        }
        Answer::Documents => (404, "", ""),
        Answer::Status(status) => (*status, "", ""),
        Answer::Redirect(location) => (302, location.as_str(), ""),
        Answer::Silence => return None,
    };
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status} \r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nlocation: {location}\r\n\r\n{body}"
    ))
}
