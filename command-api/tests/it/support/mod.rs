//! What the tests share: an application, its clients, and what they make in it.

mod app;
mod client;
mod owners;

pub(crate) use app::{App, ISSUER, Process, by_member, by_operator, unlimited};
pub(crate) use client::{Asking, Client, Reply};
use owners::Owners;
