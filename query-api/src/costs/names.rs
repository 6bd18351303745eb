//! The names of what usage is grouped by. What was closed since is still called what it last was.

use std::collections::HashMap;

use event_schemas::OrganizationId;
use uuid::Uuid;

use super::dimension::NamedBy;
use crate::error::QueryError;
use crate::snapshot::Snapshot;

/// The latest known name of each id.
pub(crate) async fn latest(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    named_by: NamedBy,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, String>, QueryError> {
    let NamedBy { view, id, name } = named_by;
    let statement = format!(
        "select distinct on ({id}) {id}, {name} from {view}
         where organization_id = $1 and {id} = any($2)
         order by {id}, (known_to is null) desc, valid_from desc, known_from desc"
    );
    let rows: Vec<(Uuid, String)> = sqlx::query_as(&statement)
        .bind(organization_id.0)
        .bind(ids)
        .fetch_all(snapshot.connection())
        .await?;
    Ok(rows.into_iter().collect())
}
