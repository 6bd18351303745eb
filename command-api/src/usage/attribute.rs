//! Whose usage it is. What is asked of the states is asked once for each project, key and owner that
//! a batch names, however many of its records name them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::api_key::ApiKey;
use domain::project::Project;
use domain::usage::UsageRecord;
use event_log::usage::NewUsage;
use event_schemas::{
    ApiKeyId, KeyOwner, MemberId, OrganizationId, Permission, ProjectId, ServiceAccountId,
};

use super::RecordFate;
use crate::execute::Session;
use crate::refusal::{ExecuteError, Refusal};

/// The records that can be recorded as far as is known, and the fates of the others.
pub(super) struct Checked {
    /// In the order sent.
    pub(super) usage: Vec<NewUsage>,
    /// Of each, its place in the order sent.
    pub(super) places: Vec<usize>,
    /// Of all that were sent.
    pub(super) fates: Vec<Option<RecordFate>>,
}

/// What a record says of whose it is.
#[allow(clippy::struct_field_names)] // The names are those of records.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Named {
    project_id: ProjectId,
    api_key_id: Option<ApiKeyId>,
    member_id: Option<MemberId>,
    service_account_id: Option<ServiceAccountId>,
}

impl Checked {
    /// Checks each record by itself.
    pub(super) fn of(records: Vec<UsageRecord>, now: DateTime<Utc>) -> Self {
        let mut checked = Self {
            usage: Vec::with_capacity(records.len()),
            places: Vec::with_capacity(records.len()),
            fates: vec![None; records.len()],
        };
        for (place, record) in records.into_iter().enumerate() {
            match record.check(now) {
                Ok(()) => {
                    checked.usage.push(new_usage(record));
                    checked.places.push(place);
                }
                Err(error) => {
                    checked.fates[place] = Some(RecordFate::refused(&Refusal::Usage(error)));
                }
            }
        }
        checked
    }

    /// Keeps what is good; what is not gets its fate.
    pub(super) fn keep(
        &mut self,
        mut is_good: impl FnMut(&mut NewUsage) -> Result<(), RecordFate>,
    ) {
        let mut places = std::mem::take(&mut self.places).into_iter();
        let (kept, fates) = (&mut self.places, &mut self.fates);
        self.usage.retain_mut(|usage| {
            // One place for each record.
            let Some(place) = places.next() else { return false };
            match is_good(usage) {
                Ok(()) => {
                    kept.push(place);
                    true
                }
                Err(fate) => {
                    fates[place] = Some(fate);
                    false
                }
            }
        });
    }
}

/// Finds out whose each record is. What is refused by states that were brought up to the log gets its
/// fate; where they were not, nothing does, and the answer is that it has to be asked again.
pub(super) async fn attribute_all(
    session: &mut Session<'_>,
    organization_id: OrganizationId,
    checked: &mut Checked,
    up_to_date: bool,
) -> Result<bool, ExecuteError> {
    let mut owners: HashMap<Named, Result<Option<KeyOwner>, RecordFate>> = HashMap::new();
    let mut last: Option<Named> = None;
    let mut any_refused = false;
    for usage in &checked.usage {
        let named = Named::by(usage);
        // Records of one key tend to come together.
        if last == Some(named) || owners.contains_key(&named) {
            continue;
        }
        let owner = match owner(session, organization_id, &named).await {
            Ok(owner) => Ok(owner),
            Err(Refusal::Failed(error)) => return Err(*error),
            Err(refusal) => Err(RecordFate::refused(&refusal)),
        };
        any_refused |= owner.is_err();
        owners.insert(named, owner);
        last = Some(named);
    }
    if any_refused && !up_to_date {
        return Ok(false);
    }
    checked.keep(|usage| {
        let owner = owners.get(&Named::by(usage)).cloned().unwrap_or(Ok(None))?;
        (usage.member_id, usage.service_account_id) = match owner {
            Some(KeyOwner::Member { member_id }) => (Some(member_id), None),
            Some(KeyOwner::ServiceAccount { service_account_id }) => {
                (None, Some(service_account_id))
            }
            None => (None, None),
        };
        Ok(())
    });
    Ok(true)
}

impl Named {
    fn by(usage: &NewUsage) -> Self {
        let has_key = usage.api_key_id.is_some();
        Self {
            project_id: usage.project_id,
            api_key_id: usage.api_key_id,
            // Where a key is named it says whose it is, whoever else is named.
            member_id: usage.member_id.filter(|_| !has_key),
            service_account_id: usage.service_account_id.filter(|_| !has_key),
        }
    }
}

fn new_usage(record: UsageRecord) -> NewUsage {
    NewUsage {
        project_id: record.project_id,
        api_key_id: record.api_key_id,
        member_id: record.member_id,
        service_account_id: record.service_account_id,
        end_user: record.end_user,
        feature: record.feature,
        provider: record.provider,
        model: record.model,
        request_id: record.request_id,
        occurred_at: record.occurred_at,
        input_tokens: record.input_tokens,
        cached_input_tokens: record.cached_input_tokens,
        cache_write_tokens: record.cache_write_tokens,
        output_tokens: record.output_tokens,
        reasoning_tokens: record.reasoning_tokens,
        units: record.units,
        service_tier: record.service_tier,
        error_type: record.error_type,
        duration_ms: record.duration_ms,
        price: None,
        tags: record.tags,
    }
}

/// Whose usage it is: the key's owner, else the member or service account that the record names.
async fn owner(
    session: &mut Session<'_>,
    organization_id: OrganizationId,
    named: &Named,
) -> Result<Option<KeyOwner>, Refusal> {
    let project_id = named.project_id;
    session.permit_in(organization_id, project_id, Permission::UsageRecord).await?;
    session.read::<Project>(project_id).await?.open(organization_id)?;
    if let Some(api_key_id) = named.api_key_id {
        let of_project = session.own_api_key(organization_id, api_key_id).await?;
        // An admin key is good for any project.
        if of_project.is_some_and(|of_project| of_project != project_id) {
            let why = "the key belongs to another project";
            return Err(Refusal::Invalid { field: "api_key_id", why });
        }
        return Ok(session.read::<ApiKey>(api_key_id).await?.owner());
    }
    match (named.member_id, named.service_account_id) {
        (None, None) => Ok(None),
        (Some(member_id), None) => {
            session.active_member(organization_id, member_id).await?;
            Ok(Some(KeyOwner::Member { member_id }))
        }
        (None, Some(service_account_id)) => {
            let account =
                session.active_service_account(organization_id, service_account_id).await?;
            if account.project_id() != project_id {
                let why = "the service account belongs to another project";
                return Err(Refusal::Invalid { field: "service_account_id", why });
            }
            Ok(Some(KeyOwner::ServiceAccount { service_account_id }))
        }
        (Some(_), Some(_)) => Err(Refusal::Invalid {
            field: "member_id",
            why: "usage is a member's or a service account's, not both",
        }),
    }
}
