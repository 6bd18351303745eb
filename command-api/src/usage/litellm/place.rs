//! Whose an event's usage is, in our words.

use std::collections::HashMap;

use api_conventions::Problem;
use domain::organization::{Authority, Organization};
use domain::usage::UsageRecord;
use event_schemas::{MemberId, OrganizationId, ProjectId};

use super::event::Event;
use crate::execute::{CommandContext, Executor, Session};
use crate::refusal::Refusal;
use crate::usage::RecordFate;
use crate::usage::record_text::invalid;

/// The records that have a project, and the fates of those without.
pub(super) async fn place(
    executor: &Executor,
    context: &CommandContext,
    organization_id: OrganizationId,
    events: Vec<Event>,
) -> Result<(Vec<UsageRecord>, Vec<Option<RecordFate>>), Problem> {
    // What is found here is checked again when it is recorded, on states that the write names.
    let session = executor.reading(context.authority, true).named(&context.metadata.actor.id);
    let mut finding = Finding {
        session,
        organization_id,
        own: own_project(context),
        projects: HashMap::new(),
        members: HashMap::new(),
    };
    let mut records = Vec::with_capacity(events.len());
    let mut fates = Vec::with_capacity(events.len());
    for event in events {
        let project = finding.project(&event.projects).await.map_err(Refusal::into_error)?;
        match project {
            Ok(project_id) => {
                let member = finding.member(&event.users).await.map_err(Refusal::into_error)?;
                records.push(record(event, project_id, member));
                fates.push(None);
            }
            Err(fate) => fates.push(Some(fate)),
        }
    }
    Ok((records, fates))
}

/// The project of a project's key.
fn own_project(context: &CommandContext) -> Option<ProjectId> {
    match context.authority {
        Authority::ApiKey { project_id, .. } => project_id,
        Authority::Member(_)
        | Authority::Invited(_)
        | Authority::Operator
        | Authority::System
        | Authority::Nobody => None,
    }
}

struct Finding<'a> {
    session: Session<'a>,
    organization_id: OrganizationId,
    own: Option<ProjectId>,
    /// What names were found to be.
    projects: HashMap<String, Option<ProjectId>>,
    members: HashMap<String, Option<MemberId>>,
}

impl Finding<'_> {
    /// The project that the credential opens, else the one that LiteLLM names.
    async fn project(
        &mut self,
        names: &[String],
    ) -> Result<Result<ProjectId, RecordFate>, Refusal> {
        if let Some(own) = self.own {
            return Ok(Ok(own));
        }
        for name in names {
            if let Some(project_id) = self.project_called(name).await? {
                return Ok(Ok(project_id));
            }
        }
        let why = match names.first() {
            Some(name) => format!("no project of the organization has the name or id '{name}'"),
            None => "it names neither project nor team; use an API key of a project, or give \
                     LiteLLM's keys a team"
                .to_owned(),
        };
        Ok(Err(invalid(Some("metadata.user_api_key_team_id"), &why)))
    }

    async fn project_called(&mut self, name: &str) -> Result<Option<ProjectId>, Refusal> {
        if let Some(known) = self.projects.get(name) {
            return Ok(*known);
        }
        let found = match name.parse() {
            Ok(id) => Some(id),
            Err(_) => self.session.project_named(self.organization_id, name).await?,
        };
        self.projects.insert(name.to_owned(), found);
        Ok(found)
    }

    /// The member whose id or login is that of LiteLLM's user.
    async fn member(&mut self, names: &[String]) -> Result<Option<MemberId>, Refusal> {
        for name in names {
            let known = match self.members.get(name) {
                Some(known) => *known,
                None => {
                    let organization =
                        self.session.read::<Organization>(self.organization_id).await?;
                    let id = name.parse().ok().filter(|id| organization.member(*id).is_ok());
                    let by_login = organization.member_by_login(name);
                    let login = by_login.filter(|id| organization.member(*id).is_ok());
                    let found = id.or(login);
                    self.members.insert(name.clone(), found);
                    found
                }
            };
            if known.is_some() {
                return Ok(known);
            }
        }
        Ok(None)
    }
}

fn record(event: Event, project_id: ProjectId, member_id: Option<MemberId>) -> UsageRecord {
    let tokens = event.used.tokens;
    UsageRecord {
        project_id,
        api_key_id: None,
        member_id,
        service_account_id: None,
        end_user: event.end_user,
        feature: event.feature,
        provider: event.provider,
        model: event.model,
        request_id: event.request_id,
        occurred_at: event.occurred_at,
        input_tokens: tokens.input,
        cached_input_tokens: tokens.cached_input,
        cache_write_tokens: tokens.cache_write,
        output_tokens: tokens.output,
        reasoning_tokens: tokens.reasoning,
        units: event.used.units,
        service_tier: event.service_tier,
        error_type: event.error_type,
        duration_ms: event.duration_ms,
        tags: event.tags,
    }
}
