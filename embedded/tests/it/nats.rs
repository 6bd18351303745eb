use std::net::TcpListener;

use async_nats::jetstream;
use embedded::Nats;

use crate::support::{data_dir, is_alive, kill};

async fn jetstream(nats: &Nats) -> jetstream::Context {
    let client = nats.connect().await.expect("the server takes connections");
    jetstream::new(client)
}

async fn publish(nats: &Nats) {
    let jetstream = jetstream(nats).await;
    let stream = jetstream::stream::Config { name: "kept".into(), ..Default::default() };
    jetstream.get_or_create_stream(stream).await.expect("JetStream is on");
    let acknowledged = jetstream.publish("kept", "one".into()).await.expect("sent");
    acknowledged.await.expect("stored");
}

async fn messages(nats: &Nats) -> u64 {
    let mut stream = jetstream(nats).await.get_stream("kept").await.expect("it is there");
    stream.info().await.expect("the server tells").state.messages
}

#[tokio::test]
async fn the_last_user_stops_it_and_the_next_finds_everything_at_the_same_address() {
    let (_directory, data_dir) = data_dir();
    let (first, second) = tokio::join!(Nats::start(&data_dir), Nats::start(&data_dir));
    let (first, second) = (first.expect("starts"), second.expect("joins"));
    let pid = first.pid().expect("it runs");
    assert_eq!(second.pid(), Some(pid));
    assert_eq!(second.url(), first.url());

    publish(&first).await;
    first.stop().await.expect("gives its share back");
    assert_eq!(messages(&second).await, 1);
    let url = second.url();
    second.stop().await.expect("stops the server");
    assert!(!is_alive(pid));

    let again = Nats::start(&data_dir).await.expect("starts again");
    assert_eq!(messages(&again).await, 1);
    assert_eq!(again.url(), url);
}

#[tokio::test]
async fn killed_it_keeps_what_it_acknowledged() {
    let (_directory, data_dir) = data_dir();
    let nats = Nats::start(&data_dir).await.expect("starts");
    publish(&nats).await;
    kill(nats.pid().expect("it runs"));
    let again = Nats::start(&data_dir).await.expect("starts again");
    assert_eq!(messages(&again).await, 1);
}

#[tokio::test]
async fn a_port_that_was_taken_meanwhile_is_replaced() {
    let (_directory, data_dir) = data_dir();
    let nats = Nats::start(&data_dir).await.expect("starts");
    let url = nats.url();
    let (_, address) = url.split_once('@').expect("credentials and address");
    let address = address.to_owned();
    nats.stop().await.expect("stops");
    let _taken = TcpListener::bind(address).expect("free now");
    let again = Nats::start(&data_dir).await.expect("starts on another port");
    assert_ne!(again.url(), url);
    publish(&again).await;
}

#[tokio::test]
async fn nobody_gets_in_without_the_password() {
    let (_directory, data_dir) = data_dir();
    let nats = Nats::start(&data_dir).await.expect("starts");
    let url = nats.url();
    let (_, address) = url.split_once('@').expect("credentials and address");
    async_nats::connect(address).await.expect_err("refused");
}
