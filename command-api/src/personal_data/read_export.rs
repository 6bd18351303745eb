//! Read all that is known of a member.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::Organization;
use domain::person::{Person, PersonCommand};
use event_log::{EventLog, read};
use event_schemas::{ExportId, MemberId, OrganizationId, Permission, PersonId};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out_showing};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Secret, Session};
use crate::parameters::{ExportPath, PostHeaders, Refusals};
use crate::refusal::{ExecuteError, Refusal};
use crate::routes::CommandApi;

/// The most events of one export.
const EVENTS_MAX: i64 = 10_000;

/// Read all that is known of a member.
#[derive(Debug, Clone, Serialize)]
pub struct ReadPersonalDataExport {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The export that was granted.
    pub export_id: ExportId,
}

/// All that is known of a member. What is personal is never kept with the idempotency key, so the answer
/// to a request that is sent again has none of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonalData {
    /// The member.
    member_id: MemberId,
    /// The person.
    person_id: Option<PersonId>,
    /// Everything in the log that says something of them or that they did, in its order: what
    /// happened, when, and what was said. At most 10,000 entries.
    events: Vec<Value>,
}

impl Command for ReadPersonalDataExport {
    const NAME: &'static str = "personal_data.read_export";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::PersonalDataExport).await?;
        session.in_own_hands(self.organization_id).await?;
        let organization = session.read::<Organization>(self.organization_id).await?;
        let person_id = organization.person_of(self.member_id)?;
        let by = session.asking_member(self.organization_id).await?;
        let now = session.now();
        let export = PersonCommand::Export { export_id: self.export_id, by, now };
        session.execute::<Person>(person_id, export).await?;
        let log = session.log().clone();
        let document = self.known(&log, person_id).await?;
        session.reveal(Secret::new(document));
        Ok(Done {})
    }
}

impl ReadPersonalDataExport {
    async fn known(&self, log: &EventLog, person_id: PersonId) -> Result<String, ExecuteError> {
        let (organization_id, member_id) = (self.organization_id, self.member_id);
        let mut events =
            read::events_about(log.pool(), organization_id, person_id, member_id, EVENTS_MAX)
                .await?;
        log.vault().unseal(&mut events).await.map_err(ExecuteError::Vault)?;
        let entries: Vec<Value> = events
            .into_iter()
            .map(|event| {
                json!({
                    "position": event.position,
                    "type": event.event_type,
                    "occurred_at": event.occurred_at,
                    "payload": without_hashes(event.payload),
                    "metadata": event.metadata,
                })
            })
            .collect();
        Ok(json!({ "person_id": person_id, "events": entries }).to_string())
    }
}

/// What tells secrets apart says nothing of the person.
fn without_hashes(mut payload: Value) -> Value {
    if let Some(fields) = payload.as_object_mut() {
        fields.retain(|name, _| !name.ends_with("_hash"));
    }
    payload
}

/// Reads all that is known of a member: the one to whom the export was granted alone can, while it lasts.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/members/{member_id}/personal-data/exports/{export_id}/read",
    tag = "members",
    params(ExportPath, PostHeaders),
    responses((status = 200, description = "What is known.", body = Answered<PersonalData>), Refusals)
)]
pub(crate) async fn read_personal_data_export(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ExportPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let ExportPath { organization_id, member_id, export_id } = path;
    let command = ReadPersonalDataExport { organization_id, member_id, export_id };
    carry_out_showing(&api, asked, command, |_, secrets| {
        let text = secrets.first().map_or("{}", Secret::reveal);
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        PersonalData {
            member_id,
            person_id: document["person_id"].as_str().and_then(|id| id.parse().ok()),
            events: document["events"].as_array().cloned().unwrap_or_default(),
        }
    })
    .await
}
