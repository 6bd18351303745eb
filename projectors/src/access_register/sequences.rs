//! Where each stream stands: the version of the thing that it is the history of, which a command can
//! name in `If-Match`.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::events::{self, Stream};
use crate::feed::FeedPage;
use crate::projection::ProjectionError;

/// The last sequence on a page of each stream that a version is answered of, with the organization.
pub(super) struct Sequences<'a>(BTreeMap<(&'a str, Uuid), (Uuid, i64)>);

impl<'a> Sequences<'a> {
    pub(super) fn of(page: &'a FeedPage) -> Result<Self, ProjectionError> {
        let mut last = BTreeMap::new();
        for recorded in &page.events {
            match Stream::of(recorded)? {
                Stream::Organization
                | Stream::Project
                | Stream::ServiceAccount
                | Stream::ApiKey
                | Stream::Budget
                | Stream::Webhook => {}
                Stream::CreditAccount
                | Stream::PriceList
                | Stream::Name
                | Stream::SigningKey
                | Stream::Approval
                | Stream::AccessReview
                | Stream::Person
                | Stream::Usage
                | Stream::UsageMonth
                | Stream::Refusal => continue,
            }
            let stream = (recorded.aggregate_type.as_str(), events::stream_id(recorded)?);
            last.insert(stream, (events::organization(recorded)?.0, recorded.sequence));
        }
        Ok(Self(last))
    }

    pub(super) async fn write(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (types, ids): (Vec<&str>, Vec<Uuid>) = self.0.keys().copied().unzip();
        let (organizations, sequences): (Vec<Uuid>, Vec<i64>) = self.0.values().copied().unzip();
        sqlx::query(
            "insert into sequences (stream_type, stream_id, organization_id, sequence)
             select * from unnest($1::text[], $2::uuid[], $3::uuid[], $4::bigint[])
             on conflict (stream_type, stream_id) do update set sequence = excluded.sequence",
        )
        .bind(types)
        .bind(ids)
        .bind(organizations)
        .bind(sequences)
        .execute(tx)
        .await?;
        Ok(())
    }
}
