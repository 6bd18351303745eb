//! Who may do what: every command, asked by every role, against the table of roles and permissions.

use api_conventions::authentication::{Presented, SignedIn};
use command_api::access_reviews::{
    AttestAccessReviewLine, AttestAccessReviewLineRequest, AttestAccessReviewLines,
    AttestAccessReviewLinesRequest, AttestationRequest, CancelAccessReview,
    CancelAccessReviewRequest, CloseAccessReview, CloseAccessReviewRequest, OpenAccessReview,
    OpenAccessReviewRequest,
};
use command_api::api_keys::{
    CreateApiKey, CreateApiKeyRequest, RenameApiKey, RenameApiKeyRequest, RevokeApiKey,
    RevokeApiKeyRequest, RotateApiKey, RotateApiKeyRequest,
};
use command_api::budgets::{
    ChangeBudget, ChangeBudgetRequest, RemoveBudget, SetBudget, SetBudgetRequest,
};
use command_api::credits::{
    ChangeCreditPolicy, ChangeCreditPolicyRequest, GrantCredits, GrantCreditsRequest,
    PurchaseCredits, PurchaseCreditsRequest, RefundCredits, RefundCreditsRequest, TransferCredits,
    TransferCreditsRequest,
};
use command_api::invites::{RevokeInvite, SendInvite, SendInviteRequest};
use command_api::members::{
    AddMember, AddMemberRequest, ChangeMemberRole, ChangeMemberRoleRequest, ReinstateMember,
    RemoveMember, RemoveMemberRequest, RenameMember, RenameMemberRequest, SuspendMember,
    SuspendMemberRequest,
};
use command_api::organizations::{
    ArchiveOrganization, CreateOrganization, ReplaceSecurity, UpdateOrganization,
    UpdateOrganizationRequest,
};
use command_api::project_members::{
    AssignProjectMember, AssignProjectMemberRequest, RemoveProjectMember,
};
use command_api::projects::{
    ArchiveProject, CreateProject, CreateProjectRequest, UpdateProject, UpdateProjectRequest,
};
use command_api::service_accounts::{
    CreateServiceAccount, CreateServiceAccountRequest, DisableServiceAccount,
    DisableServiceAccountRequest, RemoveServiceAccount, UpdateServiceAccount,
    UpdateServiceAccountRequest,
};
use command_api::webhooks::{
    ChangeWebhook, ChangeWebhookRequest, CreateWebhook, CreateWebhookRequest, DisableWebhook,
    EnableWebhook, RemoveWebhook, ReplayWebhook, ReplayWebhookRequest, RotateWebhookSecret,
    TestWebhook,
};
use command_api::{Command, CommandContext, ExecuteError, Executor, Refusal};
use domain::organization::{Authority, OrganizationError};
use domain::project::ProjectError;
use embedded::testing::unique_name;
use event_schemas::permission::{organization_role_allows, project_role_allows};
use event_schemas::{
    AccessReviewId, ApiKeyId, BudgetAction, BudgetId, BudgetPeriod, BudgetScope, CreditPolicy,
    Currency, IdentityProvider, InviteId, LotId, MemberId, OrganizationId, OrganizationRole,
    Permission, ProjectId, ProjectRole, ReviewDecision, ReviewLineId, ReviewScope,
    SecuritySettings, ServiceAccountId, WebhookId,
};

use crate::support::{App, unlimited};

/// What is asked, of a stage's things.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verb {
    UpdateOrganization,
    ArchiveOrganization,
    SendInvite,
    RevokeInvite,
    AddMember,
    ChangeMemberRole,
    RenameMember,
    SuspendMember,
    ReinstateMember,
    RemoveMember,
    CreateProject,
    UpdateProject,
    ArchiveProject,
    AssignProjectMember,
    RemoveProjectMember,
    CreateServiceAccount,
    UpdateServiceAccount,
    DisableServiceAccount,
    RemoveServiceAccount,
    CreateOwnKey,
    CreateAnothersKey,
    CreateAccountsKey,
    RenameKey,
    RotateKey,
    RevokeKey,
    PurchaseCredits,
    GrantCredits,
    RefundCredits,
    TransferCredits,
    ChangeCreditPolicy,
    SetBudget,
    SetBudgetOfAll,
    ChangeBudget,
    RemoveBudget,
    CreateWebhook,
    ChangeWebhook,
    RotateWebhookSecret,
    EnableWebhook,
    DisableWebhook,
    ReplayWebhook,
    TestWebhook,
    RemoveWebhook,
    OpenAccessReview,
    AttestLine,
    AttestLines,
    CloseAccessReview,
    CancelAccessReview,
}

use Verb as V;

/// Every verb with the permission that it needs, and whether a role in the project can give it.
const VERBS: &[(Verb, Permission, bool)] = &[
    (V::UpdateOrganization, Permission::OrganizationUpdate, false),
    (V::ArchiveOrganization, Permission::OrganizationArchive, false),
    (V::SendInvite, Permission::MembersInvite, false),
    (V::RevokeInvite, Permission::MembersInvite, false),
    (V::AddMember, Permission::MembersUpdate, false),
    (V::ChangeMemberRole, Permission::MembersUpdate, false),
    (V::RenameMember, Permission::MembersUpdate, false),
    (V::SuspendMember, Permission::MembersUpdate, false),
    (V::ReinstateMember, Permission::MembersUpdate, false),
    (V::RemoveMember, Permission::MembersRemove, false),
    (V::CreateProject, Permission::ProjectsCreate, false),
    (V::UpdateProject, Permission::ProjectsUpdate, true),
    (V::ArchiveProject, Permission::ProjectsArchive, true),
    (V::AssignProjectMember, Permission::ProjectMembersUpdate, true),
    (V::RemoveProjectMember, Permission::ProjectMembersUpdate, true),
    (V::CreateServiceAccount, Permission::ServiceAccountsUpdate, true),
    (V::UpdateServiceAccount, Permission::ServiceAccountsUpdate, true),
    (V::DisableServiceAccount, Permission::ServiceAccountsUpdate, true),
    (V::RemoveServiceAccount, Permission::ServiceAccountsUpdate, true),
    (V::CreateOwnKey, Permission::ApiKeysOwn, true),
    (V::CreateAnothersKey, Permission::ApiKeysUpdate, true),
    (V::CreateAccountsKey, Permission::ApiKeysUpdate, true),
    (V::RenameKey, Permission::ApiKeysUpdate, true),
    (V::RotateKey, Permission::ApiKeysUpdate, true),
    (V::RevokeKey, Permission::ApiKeysUpdate, true),
    (V::PurchaseCredits, Permission::CreditsUpdate, false),
    (V::GrantCredits, Permission::CreditsUpdate, false),
    (V::RefundCredits, Permission::CreditsUpdate, false),
    (V::TransferCredits, Permission::CreditsUpdate, false),
    (V::ChangeCreditPolicy, Permission::CreditsUpdate, false),
    (V::SetBudget, Permission::BudgetsUpdate, true),
    (V::SetBudgetOfAll, Permission::BudgetsUpdate, false),
    (V::ChangeBudget, Permission::BudgetsUpdate, false),
    (V::RemoveBudget, Permission::BudgetsUpdate, false),
    (V::CreateWebhook, Permission::WebhooksUpdate, false),
    (V::ChangeWebhook, Permission::WebhooksUpdate, false),
    (V::RotateWebhookSecret, Permission::WebhooksUpdate, false),
    (V::EnableWebhook, Permission::WebhooksUpdate, false),
    (V::DisableWebhook, Permission::WebhooksUpdate, false),
    (V::ReplayWebhook, Permission::WebhooksUpdate, false),
    (V::TestWebhook, Permission::WebhooksUpdate, false),
    (V::RemoveWebhook, Permission::WebhooksUpdate, false),
    (V::OpenAccessReview, Permission::AccessReviewsUpdate, false),
    (V::AttestLine, Permission::AccessReviewsUpdate, false),
    (V::AttestLines, Permission::AccessReviewsUpdate, false),
    (V::CloseAccessReview, Permission::AccessReviewsUpdate, false),
    (V::CancelAccessReview, Permission::AccessReviewsUpdate, false),
];

/// Who asks.
#[derive(Debug, Clone, Copy)]
enum Role {
    /// A member with that role, in no project.
    Organization(OrganizationRole),
    /// A plain member with that role in the project.
    Project(ProjectRole),
    /// A member of the organization who was suspended, an admin.
    Suspended,
    /// An owner of another organization.
    Foreign,
}

/// An organization in which everything can be asked once.
struct Stage {
    organization_id: OrganizationId,
    project_id: ProjectId,
    member_id: MemberId,
    service_account_id: ServiceAccountId,
    api_key_id: ApiKeyId,
    invite_id: InviteId,
    access_review_id: AccessReviewId,
    lot_id: LotId,
    /// Set from above, on the project.
    budget_id: BudgetId,
    webhook_id: WebhookId,
    /// An organization that knows who asks, as an owner.
    elsewhere: OrganizationId,
    asking: MemberId,
    /// As whom they sign in, where they may.
    signed_in: Option<SignedIn>,
}

/// Who vouches for everybody here.
const ISSUER: &str = "https://issuer.example.com";

/// What happens before the test asks anything: nothing limits who does it.
async fn done<C: Command>(executor: &Executor, command: &C) -> C::Outcome {
    let context = CommandContext { authority: Authority::System, ..unlimited(None) };
    executor.execute(&context, command).await.expect("nothing limits it").outcome
}

async fn add(
    executor: &Executor,
    organization_id: OrganizationId,
    role: OrganizationRole,
) -> MemberId {
    add_as(executor, organization_id, role, &unique_name()).await
}

async fn add_as(
    executor: &Executor,
    organization_id: OrganizationId,
    role: OrganizationRole,
    login: &str,
) -> MemberId {
    let (login, email) = (login.to_owned(), Some(address(login)));
    let request = AddMemberRequest { login, email, role: Some(role) };
    done(executor, &AddMember { organization_id, request }).await.member_id
}

fn address(login: &str) -> String {
    format!("{login}@example.com")
}

/// An organization whose people sign in.
async fn organization(executor: &Executor) -> OrganizationId {
    let create = CreateOrganization { name: unique_name(), seat_limit: None, owner: None };
    let organization_id = done(executor, &create).await.organization_id;
    let (issuer, email_domains) = (ISSUER.to_owned(), vec!["example.com".to_owned()]);
    let identity_provider = Some(IdentityProvider { issuer, email_domains });
    let security = SecuritySettings { identity_provider, approvals: Vec::new() };
    let replace = ReplaceSecurity { organization_id, security, issuer: None };
    done(executor, &replace).await;
    organization_id
}

/// Some credits to take out again.
async fn bought(executor: &Executor, organization_id: OrganizationId) -> LotId {
    let request = PurchaseCreditsRequest {
        amount: "1".parse().expect("an amount"),
        currency: usd(),
        expires_at: None,
        priority: None,
        reference: None,
    };
    done(executor, &PurchaseCredits { organization_id, request }).await.lot_id
}

impl Stage {
    async fn new(executor: &Executor, role: Role) -> Self {
        let organization_id = organization(executor).await;
        let elsewhere = organization(executor).await;
        let login = unique_name();
        let request = CreateProjectRequest { name: unique_name(), environment: None };
        let project = CreateProject { organization_id, request };
        let project_id = done(executor, &project).await.project_id;
        add(executor, organization_id, OrganizationRole::Owner).await;
        let member_id = add(executor, organization_id, OrganizationRole::Member).await;
        let assign = |member_id, role| AssignProjectMember {
            organization_id,
            project_id,
            request: AssignProjectMemberRequest { member_id, role: Some(role) },
        };
        done(executor, &assign(member_id, ProjectRole::Member)).await;
        let request =
            CreateServiceAccountRequest { project_id, name: unique_name(), purpose: None };
        let account = CreateServiceAccount { organization_id, request };
        let service_account_id = done(executor, &account).await.service_account_id;
        let request = SendInviteRequest {
            email: format!("{}@example.com", unique_name()),
            role: Some(OrganizationRole::Member),
            projects: Vec::new(),
            expires_at: None,
        };
        let invite_id = done(executor, &SendInvite { organization_id, request }).await.invite_id;
        let asking = match role {
            Role::Organization(role) => add_as(executor, organization_id, role, &login).await,
            Role::Project(role) => {
                let member = OrganizationRole::Member;
                let asking = add_as(executor, organization_id, member, &login).await;
                done(executor, &assign(asking, role)).await;
                asking
            }
            Role::Suspended => {
                let asking = add(executor, organization_id, OrganizationRole::Admin).await;
                let request = SuspendMemberRequest { reason: None };
                let suspend = SuspendMember { organization_id, member_id: asking, request };
                done(executor, &suspend).await;
                asking
            }
            Role::Foreign => add_as(executor, elsewhere, OrganizationRole::Owner, &login).await,
        };
        let signed_in = match role {
            Role::Organization(_) | Role::Project(_) => {
                add_as(executor, elsewhere, OrganizationRole::Owner, &login).await;
                Some(SignedIn {
                    issuer: ISSUER.into(),
                    email: address(&login).into(),
                    organization_id,
                    member_id: asking,
                    expires_at: event_log::clock::now() + chrono::TimeDelta::days(1),
                })
            }
            Role::Suspended | Role::Foreign => None,
        };
        let mut stage = Self {
            organization_id,
            project_id,
            member_id,
            service_account_id,
            api_key_id: ApiKeyId::from(uuid::Uuid::nil()),
            invite_id,
            access_review_id: AccessReviewId::from(uuid::Uuid::nil()),
            lot_id: bought(executor, organization_id).await,
            budget_id: BudgetId::from(uuid::Uuid::nil()),
            webhook_id: WebhookId::from(uuid::Uuid::nil()),
            elsewhere,
            asking,
            signed_in,
        };
        let key = stage.create_key(Some(member_id), None);
        stage.api_key_id = done(executor, &key).await.api_key_id;
        stage.budget_id = done(executor, &stage.set_budget(project_id)).await.budget_id;
        stage.webhook_id = done(executor, &stage.create_webhook()).await.webhook_id;
        stage.access_review_id = done(executor, &stage.open_review()).await.access_review_id;
        stage
    }

    fn set_budget(&self, project_id: impl Into<Option<ProjectId>>) -> SetBudget {
        let scope = match project_id.into() {
            Some(project_id) => BudgetScope::Project { project_id },
            None => BudgetScope::Organization {},
        };
        let request = SetBudgetRequest {
            name: unique_name(),
            scope,
            currency: usd(),
            period: BudgetPeriod::Monthly,
            amount: "5".parse().expect("an amount"),
            thresholds: vec![80],
            action: BudgetAction::Alert,
        };
        SetBudget { organization_id: self.organization_id, request }
    }

    fn create_webhook(&self) -> CreateWebhook {
        let request = CreateWebhookRequest {
            url: "https://alerts.example.com/in".to_owned(),
            description: None,
            event_types: vec!["budget.*".to_owned()],
        };
        CreateWebhook { organization_id: self.organization_id, request }
    }

    /// A review of the one API key.
    fn open_review(&self) -> OpenAccessReview {
        let request = OpenAccessReviewRequest {
            title: "Keys".to_owned(),
            scope: ReviewScope::ApiKeys {},
            due_at: event_log::clock::now() + chrono::TimeDelta::days(1),
        };
        OpenAccessReview { organization_id: self.organization_id, request }
    }

    /// Its one line, as the log has it.
    async fn line(&self, executor: &Executor) -> ReviewLineId {
        let line: String = sqlx::query_scalar(
            "select payload -> 'lines' -> 0 ->> 'line_id' from log.events
             where aggregate_id = $1 and event_type = 'access_review.opened'",
        )
        .bind(self.access_review_id.to_string())
        .fetch_one(executor.log().pool())
        .await
        .expect("it is there");
        line.parse().expect("an id")
    }

    fn create_key(
        &self,
        member_id: Option<MemberId>,
        service_account_id: Option<ServiceAccountId>,
    ) -> CreateApiKey {
        CreateApiKey {
            organization_id: self.organization_id,
            request: CreateApiKeyRequest {
                project_id: Some(self.project_id),
                member_id,
                service_account_id,
                name: unique_name(),
                expires_at: None,
                rotation_due_at: None,
                rotation_days: None,
                scopes: None,
            },
        }
    }

    /// Asks; an answer without an error means that it was allowed.
    #[allow(clippy::too_many_lines)] // A list of commands.
    async fn ask(&self, executor: &Executor, verb: Verb) -> Result<(), ExecuteError> {
        let authority = Authority::Member(self.asking);
        let context = CommandContext { authority, ..unlimited(None) };
        macro_rules! ask {
            ($command:expr) => {
                executor.execute(&context, &$command).await.map(|_| ())
            };
        }
        let organization_id = self.organization_id;
        let (project_id, member_id) = (self.project_id, self.member_id);
        let (service_account_id, api_key_id) = (self.service_account_id, self.api_key_id);
        let (access_review_id, webhook_id) = (self.access_review_id, self.webhook_id);
        match verb {
            V::UpdateOrganization => {
                let request =
                    UpdateOrganizationRequest { name: Some(unique_name()), seat_limit: None };
                ask!(UpdateOrganization { organization_id, request })
            }
            V::ArchiveOrganization => ask!(ArchiveOrganization { organization_id }),
            V::SendInvite => {
                let request = SendInviteRequest {
                    email: format!("{}@example.com", unique_name()),
                    role: Some(OrganizationRole::Member),
                    projects: Vec::new(),
                    expires_at: None,
                };
                ask!(SendInvite { organization_id, request })
            }
            V::RevokeInvite => ask!(RevokeInvite { organization_id, invite_id: self.invite_id }),
            V::AddMember => {
                let role = OrganizationRole::Reader;
                let request =
                    AddMemberRequest { login: unique_name(), email: None, role: Some(role) };
                ask!(AddMember { organization_id, request })
            }
            V::ChangeMemberRole => {
                let request = ChangeMemberRoleRequest { role: OrganizationRole::Reader };
                ask!(ChangeMemberRole { organization_id, member_id, request })
            }
            V::RenameMember => {
                let request = RenameMemberRequest { login: unique_name() };
                ask!(RenameMember { organization_id, member_id, request })
            }
            V::SuspendMember => {
                let request = SuspendMemberRequest { reason: None };
                ask!(SuspendMember { organization_id, member_id, request })
            }
            V::ReinstateMember => ask!(ReinstateMember { organization_id, member_id }),
            V::RemoveMember => {
                let request = RemoveMemberRequest { reason: None };
                ask!(RemoveMember { organization_id, member_id, request })
            }
            V::CreateProject => {
                let request = CreateProjectRequest { name: unique_name(), environment: None };
                ask!(CreateProject { organization_id, request })
            }
            V::UpdateProject => {
                let request = UpdateProjectRequest { name: Some(unique_name()), environment: None };
                ask!(UpdateProject { organization_id, project_id, request })
            }
            V::ArchiveProject => ask!(ArchiveProject { organization_id, project_id }),
            V::AssignProjectMember => {
                let request =
                    AssignProjectMemberRequest { member_id, role: Some(ProjectRole::Reader) };
                ask!(AssignProjectMember { organization_id, project_id, request })
            }
            V::RemoveProjectMember => {
                ask!(RemoveProjectMember { organization_id, project_id, member_id })
            }
            V::CreateServiceAccount => {
                let request =
                    CreateServiceAccountRequest { project_id, name: unique_name(), purpose: None };
                ask!(CreateServiceAccount { organization_id, request })
            }
            V::UpdateServiceAccount => {
                let request =
                    UpdateServiceAccountRequest { name: Some(unique_name()), purpose: None };
                ask!(UpdateServiceAccount { organization_id, service_account_id, request })
            }
            V::DisableServiceAccount => {
                let request = DisableServiceAccountRequest { reason: None };
                ask!(DisableServiceAccount { organization_id, service_account_id, request })
            }
            V::RemoveServiceAccount => {
                ask!(RemoveServiceAccount { organization_id, service_account_id })
            }
            V::CreateOwnKey => ask!(self.create_key(Some(self.asking), None)),
            V::CreateAnothersKey => ask!(self.create_key(Some(member_id), None)),
            V::CreateAccountsKey => ask!(self.create_key(None, Some(service_account_id))),
            V::RenameKey => {
                let request = RenameApiKeyRequest { name: unique_name() };
                ask!(RenameApiKey { organization_id, api_key_id, request })
            }
            V::RotateKey => {
                let request = RotateApiKeyRequest { grace_seconds: 0, rotation_due_at: None };
                ask!(RotateApiKey { organization_id, api_key_id, request })
            }
            V::RevokeKey => {
                let request = RevokeApiKeyRequest { reason: None };
                ask!(RevokeApiKey { organization_id, api_key_id, request })
            }
            V::PurchaseCredits => {
                let request = PurchaseCreditsRequest {
                    amount: "1".parse().expect("an amount"),
                    currency: usd(),
                    expires_at: None,
                    priority: None,
                    reference: None,
                };
                ask!(PurchaseCredits { organization_id, request })
            }
            V::GrantCredits => {
                let request = GrantCreditsRequest {
                    amount: "1".parse().expect("an amount"),
                    currency: usd(),
                    expires_at: None,
                    priority: None,
                    reason: None,
                };
                ask!(GrantCredits { organization_id, request })
            }
            V::RefundCredits => {
                let (lot_id, currency) = (self.lot_id, usd());
                let request =
                    RefundCreditsRequest { lot_id, currency, amount: None, reference: None };
                ask!(RefundCredits { organization_id, request })
            }
            V::TransferCredits => {
                // Beyond their own organization they count as who they sign in as.
                let presented = self.signed_in.clone().map(Presented::SignedIn);
                let context = CommandContext { presented, ..context };
                let (lot_id, currency) = (self.lot_id, usd());
                let to_organization_id = self.elsewhere;
                let request = TransferCreditsRequest {
                    lot_id,
                    currency,
                    amount: None,
                    to_organization_id,
                    reason: None,
                };
                let transfer = TransferCredits { organization_id, request };
                executor.execute(&context, &transfer).await.map(|_| ())
            }
            V::ChangeCreditPolicy => {
                let policy = CreditPolicy::Block;
                let request = ChangeCreditPolicyRequest { currency: usd(), policy };
                ask!(ChangeCreditPolicy { organization_id, request })
            }
            V::SetBudget => ask!(self.set_budget(project_id)),
            V::SetBudgetOfAll => ask!(self.set_budget(None)),
            V::ChangeBudget => {
                let request = ChangeBudgetRequest {
                    name: None,
                    amount: Some("7".parse().expect("an amount")),
                    thresholds: None,
                    action: None,
                };
                ask!(ChangeBudget { organization_id, budget_id: self.budget_id, request })
            }
            V::RemoveBudget => {
                ask!(RemoveBudget { organization_id, budget_id: self.budget_id })
            }
            V::CreateWebhook => ask!(self.create_webhook()),
            V::ChangeWebhook => {
                let event_types = Some(vec!["member.added".to_owned()]);
                let request = ChangeWebhookRequest { url: None, description: None, event_types };
                ask!(ChangeWebhook { organization_id, webhook_id, request })
            }
            V::RotateWebhookSecret => ask!(RotateWebhookSecret { organization_id, webhook_id }),
            V::EnableWebhook => ask!(EnableWebhook { organization_id, webhook_id }),
            V::DisableWebhook => ask!(DisableWebhook { organization_id, webhook_id }),
            V::TestWebhook => ask!(TestWebhook { organization_id, webhook_id }),
            V::ReplayWebhook => {
                let request = ReplayWebhookRequest { after_position: Some(0), position: None };
                ask!(ReplayWebhook { organization_id, webhook_id, request })
            }
            V::RemoveWebhook => ask!(RemoveWebhook { organization_id, webhook_id }),
            V::OpenAccessReview => ask!(self.open_review()),
            V::AttestLine => {
                let decision = ReviewDecision::Revoke;
                let reason = Some("because".to_owned());
                let request = AttestAccessReviewLineRequest { decision, reason };
                let line_id = self.line(executor).await;
                ask!(AttestAccessReviewLine { organization_id, access_review_id, line_id, request })
            }
            V::AttestLines => {
                let line_id = self.line(executor).await;
                let said =
                    AttestationRequest { line_id, decision: ReviewDecision::Keep, reason: None };
                let request = AttestAccessReviewLinesRequest { attestations: vec![said] };
                ask!(AttestAccessReviewLines { organization_id, access_review_id, request })
            }
            V::CloseAccessReview => {
                let request = CloseAccessReviewRequest { revoke_unattested: true };
                ask!(CloseAccessReview { organization_id, access_review_id, request })
            }
            V::CancelAccessReview => {
                let request = CancelAccessReviewRequest { reason: None };
                ask!(CancelAccessReview { organization_id, access_review_id, request })
            }
        }
    }
}

fn usd() -> Currency {
    "USD".parse().expect("a currency")
}

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Needs(Permission),
    NoSuchOrganization,
    NoSuchProject,
}

fn expected(role: Role, verb: Verb, permission: Permission, in_projects: bool) -> Answer {
    let (organization_role, project_role) = match role {
        Role::Organization(role) => (role, None),
        Role::Project(role) => (OrganizationRole::Member, Some(role)),
        Role::Suspended | Role::Foreign => return Answer::NoSuchOrganization,
    };
    let may = |permission| {
        organization_role_allows(organization_role, permission)
            || in_projects && project_role.is_some_and(|r| project_role_allows(r, permission))
    };
    // A key of one's own can be had by whoever may have anybody's.
    let own = verb == V::CreateOwnKey && may(Permission::ApiKeysUpdate);
    if may(permission) || own {
        Answer::Done
    } else if in_projects && !may(Permission::ProjectsRead) {
        Answer::NoSuchProject
    } else {
        Answer::Needs(permission)
    }
}

fn answer(result: Result<(), ExecuteError>) -> Answer {
    match result {
        Ok(()) => Answer::Done,
        Err(ExecuteError::Refused(refusal)) => match refusal {
            Refusal::NotPermitted { permission } => Answer::Needs(permission),
            Refusal::Organization(OrganizationError::NotFound) => Answer::NoSuchOrganization,
            Refusal::Project(ProjectError::NotFound) => Answer::NoSuchProject,
            other => panic!("{other:?}"),
        },
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn every_role_may_do_what_the_table_says_and_nothing_else() {
    let app = App::new().await;
    let executor = app.executor();
    let roles = OrganizationRole::ALL
        .iter()
        .map(|role| Role::Organization(*role))
        .chain(ProjectRole::ALL.iter().map(|role| Role::Project(*role)))
        .chain([Role::Suspended, Role::Foreign]);
    for role in roles {
        let mut stage = Stage::new(executor, role).await;
        for (verb, permission, in_projects) in VERBS.iter().copied() {
            let before = app.head().await;
            let answered = answer(stage.ask(executor, verb).await);
            assert_eq!(
                answered,
                expected(role, verb, permission, in_projects),
                "{verb:?} by {role:?}"
            );
            if answered == Answer::Done {
                stage = Stage::new(executor, role).await;
            } else {
                assert_eq!(app.head().await, before, "{verb:?} by {role:?} changed something");
            }
        }
    }
}

#[tokio::test]
async fn a_member_changes_their_own_keys_and_leaves_by_themselves() {
    let app = App::new().await;
    let executor = app.executor();
    let stage = Stage::new(executor, Role::Project(ProjectRole::Reader)).await;
    // The key's owner, a member of the project.
    let owner = Stage { asking: stage.member_id, ..stage };
    for verb in [V::RenameKey, V::RotateKey, V::RevokeKey] {
        owner.ask(executor, verb).await.expect("it is their own");
    }
    owner.ask(executor, V::RemoveMember).await.expect("anybody may leave");
    let answered = answer(owner.ask(executor, V::CreateOwnKey).await);
    assert_eq!(answered, Answer::NoSuchOrganization, "and is out at once");
}

#[tokio::test]
async fn what_is_the_operators_alone_no_member_may() {
    let app = App::new().await;
    let stage = Stage::new(app.executor(), Role::Organization(OrganizationRole::Owner)).await;
    let authority = Authority::Member(stage.asking);
    let context = CommandContext { authority, ..unlimited(None) };
    let create = CreateOrganization { name: unique_name(), seat_limit: None, owner: None };
    let refused = app.executor().execute(&context, &create).await;
    assert!(matches!(refused, Err(ExecuteError::Refused(Refusal::OperatorOnly))), "{refused:?}");
}
