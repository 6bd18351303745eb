//! Who may do what, and since when: organizations, members, invites, projects and their members,
//! groups, custom roles, service accounts and API keys, each as of any time and any position; and where
//! their streams stand.

mod erase;
mod facts;
mod groups;
mod register;
mod rows;
mod sequences;

use sqlx::PgConnection;

use crate::feed::FeedPage;
use crate::projection::{Projection, ProjectionError};
use facts::Facts;
use register::Register;
use sequences::Sequences;

/// The access register.
#[derive(Debug, Clone, Copy)]
pub struct AccessRegister;

impl Projection for AccessRegister {
    const NAME: &'static str = "access_register";
    const VERSION: i32 = 5;
    const VIEWS: &'static [&'static str] = &[
        "api_keys",
        "group_members",
        "groups",
        "invites",
        "members",
        "organizations",
        "project_groups",
        "project_members",
        "projects",
        "role_grants",
        "roles",
        "sequences",
        "service_accounts",
    ];

    fn tables() -> &'static str {
        include_str!("tables.sql")
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let facts = Facts::of(&page.events)?;
        if let Some(earliest) = facts.earliest() {
            let mut register = Register::load(tx, &facts.touched(), earliest).await?;
            for fact in &facts.access {
                register.apply(fact);
            }
            register.write(tx).await?;
        }
        // Last: whatever the page says of somebody who is erased on it, nothing of it stays.
        erase::remember(tx, &facts.external_actors).await?;
        for person in &facts.erased {
            erase::erase(tx, *person).await?;
        }
        Sequences::of(page)?.write(tx).await?;
        Ok(())
    }
}
