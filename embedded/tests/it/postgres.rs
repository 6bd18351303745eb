use embedded::Postgres;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::support::{connect, count, data_dir, data_dir_at, is_alive, write_one};

#[tokio::test]
async fn the_last_user_stops_it_and_the_next_finds_everything() {
    let (_directory, data_dir) = data_dir();
    let (first, second) = tokio::join!(Postgres::start(&data_dir), Postgres::start(&data_dir));
    let (first, second) = (first.expect("starts"), second.expect("joins"));
    let pid = first.pid().expect("it runs");
    assert_eq!(second.pid(), Some(pid), "both use one server");

    write_one(&first).await;
    first.stop().await.expect("gives its share back");
    assert_eq!(count(&second).await, 1, "still running for the second user");
    second.stop().await.expect("stops the server");
    assert!(!is_alive(pid), "stopped by its last user");

    let again = Postgres::start(&data_dir).await.expect("starts again");
    assert_eq!(count(&again).await, 1);
}

#[tokio::test]
async fn dropping_the_handle_stops_it_too() {
    let (_directory, data_dir) = data_dir();
    let postgres = Postgres::start(&data_dir).await.expect("starts");
    let pid = postgres.pid().expect("it runs");
    drop(postgres);
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn its_url_says_what_its_options_say() {
    let (_directory, data_dir) = data_dir();
    let postgres = Postgres::start(&data_dir).await.expect("starts");
    let mut connection = PgConnection::connect(&postgres.url("postgres"))
        .await
        .expect("the URL leads to the server");
    let user: String = sqlx::query_scalar("select current_user || '@' || current_database()")
        .fetch_one(&mut connection)
        .await
        .expect("a superuser may ask");
    assert_eq!(user, "postgres@postgres");
}

#[tokio::test]
async fn it_is_durable_and_reachable_by_its_socket_only() {
    let (_directory, data_dir) = data_dir();
    let postgres = Postgres::start(&data_dir).await.expect("starts");
    for (setting, expected) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("server_encoding", "UTF8"),
        ("max_connections", "200"),
    ] {
        let value: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut connect(&postgres).await)
            .await
            .expect("the setting exists");
        assert_eq!(value, expected, "{setting}");
    }
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_no_obstacle() {
    let (directory, _) = data_dir();
    let data_dir = data_dir_at(&directory.path().join("long, \"odd\" name ".repeat(6)));
    let postgres = Postgres::start(&data_dir).await.expect("starts");
    write_one(&postgres).await;
    let socket_dir = postgres.url("x");
    assert!(socket_dir.contains("@%2Ftmp%2Forgledger-"), "{socket_dir}");
    postgres.stop().await.expect("stops");
    data_dir.remove().await.expect("removes the socket's directory too");
}

#[tokio::test]
async fn an_odd_but_short_path_is_no_obstacle() {
    let (directory, _) = data_dir();
    let data_dir = data_dir_at(&directory.path().join("a, \"b\" c"));
    let postgres = Postgres::start(&data_dir).await.expect("starts");
    write_one(&postgres).await;
    let mut connection = PgConnection::connect(&postgres.url("postgres"))
        .await
        .expect("the URL leads to the server");
    connection.ping().await.expect("it answers");
}
