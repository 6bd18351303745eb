//! An owner in each organization of the tests: what needs no credential in particular is asked with
//! theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use command_api::Executor;
use command_api::api_keys::{CreateApiKey, CreateApiKeyRequest};
use command_api::members::{AddMember, AddMemberRequest};
use event_schemas::{OrganizationId, OrganizationRole};

use super::unlimited;

/// The owners, by the organization that they are of, with a key each.
#[derive(Clone, Default)]
pub(crate) struct Owners(Arc<Mutex<BTreeMap<OrganizationId, String>>>);

impl Owners {
    /// The key of the owner of the organization that a path is in.
    pub(crate) fn of(&self, path: &str) -> Option<String> {
        let organization_id = path.split('/').nth(3)?.parse().ok()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&organization_id).cloned()
    }

    /// Brings an owner in.
    pub(crate) async fn bring_in(&self, executor: &Executor, organization_id: OrganizationId) {
        let context = unlimited(None);
        let role = Some(OrganizationRole::Owner);
        let request =
            AddMemberRequest { login: "owner-of-the-tests".to_owned(), email: None, role };
        let add = AddMember { organization_id, request };
        let added = executor.execute(&context, &add).await.expect("an owner is added");
        let request = CreateApiKeyRequest {
            member_id: Some(added.outcome.member_id),
            name: "owner-of-the-tests".to_owned(),
            ..CreateApiKeyRequest::default()
        };
        let create = CreateApiKey { organization_id, request };
        let created = executor.execute(&context, &create).await.expect("a key is made");
        let key = created.secrets.first().expect("a secret").reveal().to_owned();
        self.are(organization_id, key);
    }

    /// Says with which key is asked in an organization.
    pub(crate) fn are(&self, organization_id: OrganizationId, key: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(organization_id, key);
    }
}
