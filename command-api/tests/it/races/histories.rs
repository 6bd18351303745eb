//! Random histories: people of every kind ask for random things at once, of two processes on one
//! database; then the log is read, and no rule may have been broken at any position.

use std::sync::Arc;

use axum::http::Method;
use embedded::testing::unique_name;
use futures::future::join_all;

use super::crowd::{Ask, Dice, Town};
use super::{log, rules};
use crate::support::{App, Client, Process, Reply};

/// How many histories there are, for longer runs.
const HISTORIES_VARIABLE: &str = "ORGLEDGER_TEST_HISTORIES";
/// What the numbers of the first history come from, to see one again.
const SEED_VARIABLE: &str = "ORGLEDGER_TEST_SEED";
const HISTORIES: u64 = 4;
const CALLERS: u64 = 12;
const COMMANDS_A_CALLER: usize = 40;
/// Fewer than this in a history, of all that were asked, and they say little.
const ACCEPTED_MEAN_MIN: usize = 40;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_rule_is_ever_broken_in_a_random_history() {
    let app = App::new().await;
    let processes = [app.first().clone(), app.process().await];
    let seed = number(SEED_VARIABLE).unwrap_or_else(|| {
        let random = unique_name();
        random.bytes().fold(0, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()))
    });
    let histories = number(HISTORIES_VARIABLE).unwrap_or(HISTORIES);
    let mut accepted = 0;
    for n in 0..histories {
        let seed = seed.wrapping_add(n);
        let before = app.head().await;
        let town = Arc::new(Town::founded(&app).await);
        let founded = app.head().await;
        live(&town, &processes, seed).await;
        let entries = log::read(&app, before).await;
        let checked = rules::check(&entries, founded);
        accepted += checked.unwrap_or_else(|why| panic!("{SEED_VARIABLE}={seed}: {why}"));
    }
    // An organization may be closed early; not all of them.
    let wanted = ACCEPTED_MEAN_MIN * usize::try_from(histories).expect("few");
    assert!(accepted >= wanted, "{SEED_VARIABLE}={seed}: only {accepted} were accepted");
}

/// Everybody asks at once. Whom they overtake is not decided by the seed, so one says what is asked
/// and not what comes of it.
async fn live(town: &Arc<Town>, processes: &[Process; 2], seed: u64) {
    let callers = (0..CALLERS).map(|caller| {
        let (town, processes) = (Arc::clone(town), processes.clone());
        let mut dice = Dice::new(seed.wrapping_mul(CALLERS).wrapping_add(caller));
        tokio::spawn(async move {
            for _ in 0..COMMANDS_A_CALLER {
                let ask = town.think_of(&mut dice);
                let process = &processes[dice.below(2)];
                let reply = send(process, &ask).await;
                assert!(!reply.status.is_server_error(), "{} {}: {reply:?}", ask.method, ask.path);
                if reply.status.is_success() {
                    town.learn(Some(&ask), &reply.body);
                }
            }
        })
    });
    for caller in join_all(callers).await {
        caller.expect("nobody panics");
    }
}

async fn send(process: &Process, ask: &Ask) -> Reply {
    let client = Client::new(process.router.clone(), Some(&ask.credential));
    let asking = client.ask(ask.method.clone(), &ask.path);
    let asking = if ask.method == Method::POST { asking.key(&unique_name()) } else { asking };
    asking.json(&ask.body).await
}
