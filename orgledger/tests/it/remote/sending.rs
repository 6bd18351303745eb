//! What is sent again and what is not; servers that fail, lose an answer or send elsewhere.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::{caller, server};
use crate::support::installation;

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_what_to_do() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let ask = async |scheme: &str| {
        let server = format!("{scheme}://127.0.0.1:{port}");
        let said = caller(&server, "a-credential").run(&["organizations", "list"]).await.refused();
        for one in [&*server, "orgledger dev", "--server", "ORGLEDGER_SERVER"] {
            assert!(said.contains(one), "{said}");
        }
    };
    tokio::join!(ask("http"), ask("https"));
}

#[tokio::test]
async fn a_command_is_sent_again_under_its_name_until_it_is_answered() {
    let (base, requests) = answers(&[
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
        "",
        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n\
         {\"position\": 1}",
    ])
    .await;
    let create = ["organizations", "create", "--name", "Once", "--if-match", "\"7\""];
    let made = caller(&base, "a-credential").json(&create).await;
    assert_eq!(made, json!({ "position": 1 }));
    let requests = requests.await.unwrap();
    assert_eq!(requests.len(), 3, "{requests:?}");
    let header = |request: &str, name: &str| {
        let mut lines = request.lines();
        lines.find_map(|line| line.strip_prefix(name).map(str::to_owned)).unwrap()
    };
    let key = header(&requests[0], "idempotency-key: ");
    assert!(key.len() > 20, "{key}");
    for request in &requests {
        assert!(request.starts_with("POST /v1/organizations HTTP/1.1\r\n"), "{request}");
        assert_eq!(header(request, "idempotency-key: "), key);
        assert_eq!(header(request, "authorization: "), "Bearer a-credential");
        assert_eq!(header(request, "if-match: "), "\"7\"");
        assert!(request.ends_with(r#"{"name":"Once"}"#), "{request}");
    }
}

/// What would be answered to a request that should not be sent again.
const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn what_could_happen_twice_is_not_sent_again() {
    let id = "0190a1b2-77aa-7000-8000-000000000000";
    // Usage has no key: an answer that is lost is the caller's to judge.
    let (base, _requests) = answers(&["", TAKEN]).await;
    let usage = ["usage", "record", "--organization", id, "--body", r#"{"records":[]}"#];
    let said = caller(&base, "a-credential").run(&usage).await.refused();
    assert!(said.contains("without an answer"), "{said}");
}

#[tokio::test]
async fn a_long_pause_is_the_callers_to_take() {
    let too_many = r#"{"title":"Too many","detail":"Slow\u001b[2J down.","type":"/problems/x"}"#;
    let too_many = format!(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\n\
         Content-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{too_many}",
        too_many.len()
    );
    let (base, _requests) = answers(&[&too_many, TAKEN]).await;
    let said = caller(&base, "a-credential").run(&["organizations", "list"]).await.refused();
    assert_eq!(said, "Too many: Slow [2J down [/problems/x]");
}

#[tokio::test]
async fn a_credential_goes_nowhere_but_where_it_was_sent() {
    let (elsewhere, _requests) = answers(&[TAKEN]).await;
    let moved = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere}/\r\nContent-Length: 0\r\n\r\n"
    );
    let (base, _requests) = answers(&[&moved]).await;
    let said = caller(&base, "a-credential").run(&["organizations", "list"]).await.refused();
    assert!(said.contains("307") && said.contains(&elsewhere), "{said}");
}

/// A server that gives these answers, one a connection, and then is gone; an empty one is none.
/// With the requests that it got.
async fn answers(answers: &[&str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let serving = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut asking, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !is_whole(&request) {
                assert!(asking.read_buf(&mut request).await.unwrap() > 0, "{request:?}");
            }
            requests.push(String::from_utf8(request).unwrap());
            asking.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (base, serving)
}

/// Whether a request has come to its end.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

#[tokio::test]
async fn a_server_that_is_killed_before_it_answers_has_done_it_once() {
    let (_servers, place) = installation().await;
    let (dev, credential) = server(&place).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = format!("http://{}", listener.local_addr().unwrap());
    let (say_done, done) = oneshot::channel();
    let (set_server, server_now) = watch::channel(None);
    let lossy = tokio::spawn(loses_first(listener, dev.base().to_owned(), say_done, server_now));

    let credential = std::fs::read_to_string(credential).unwrap();
    let caller_in_front = caller(&front, &credential);
    let create = tokio::spawn(async move {
        caller_in_front.run(&["organizations", "create", "--name", "Once"]).await
    });
    let lost: Value = done.await.unwrap();
    dev.kill().await;
    let dev = place.start(&["dev"]).await;
    set_server.send_replace(Some(dev.base().to_owned()));
    let ended = create.await.unwrap();
    assert!(ended.stderr.contains("carried out already"), "{ended:?}");
    let made: Value = serde_json::from_str(&ended.succeeded()).unwrap();
    assert_eq!(made["organization_id"], lost["organization_id"]);

    let position = made["position"].to_string();
    let list = ["organizations", "list", "--all", "--min-position", &position];
    let all = caller(dev.base(), &credential).json(&list).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 1, "{all}");
    lossy.abort();
    dev.stop().await;
}

/// Stands before a server. The first request reaches it, and the answer is kept from whoever asked;
/// later ones go to whatever server there is then.
async fn loses_first(
    listener: TcpListener,
    first: String,
    say_done: oneshot::Sender<Value>,
    mut server_now: watch::Receiver<Option<String>>,
) {
    let address = |base: &str| base.trim_start_matches("http://").to_owned();
    let (mut asking, _) = listener.accept().await.unwrap();
    let mut server = TcpStream::connect(address(&first)).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let body = loop {
        tokio::select! {
            read = asking.read(&mut buffer) => {
                let read = read.unwrap();
                server.write_all(&buffer[..read]).await.unwrap();
            }
            read = server.read_buf(&mut answer) => {
                read.unwrap();
            }
        }
        let text = String::from_utf8_lossy(&answer);
        if let Some(body) =
            text.split_once("\r\n\r\n").and_then(|(_, it)| serde_json::from_str(it).ok())
        {
            break body;
        }
    };
    drop(asking);
    say_done.send(body).unwrap();
    loop {
        let (mut asking, _) = listener.accept().await.unwrap();
        let now = server_now.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        let mut server = TcpStream::connect(address(&now)).await.unwrap();
        tokio::spawn(async move { copy_bidirectional(&mut asking, &mut server).await });
    }
}
