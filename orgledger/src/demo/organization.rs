//! Acme's people, projects, service accounts, keys and credits. People are called by what they do.

use std::collections::HashMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use command_api::Secret;
use command_api::api_keys::{
    CreateApiKey, CreateApiKeyRequest, RevokeApiKey, RevokeApiKeyRequest, RotateApiKey,
    RotateApiKeyRequest,
};
use command_api::credits::{
    GrantCredits, GrantCreditsRequest, PurchaseCredits, PurchaseCreditsRequest,
};
use command_api::invites::{
    AcceptInvite, AcceptInviteRequest, InviteProject, SendInvite, SendInviteRequest,
};
use command_api::members::{AddMember, AddMemberRequest, RemoveMember, RemoveMemberRequest};
use command_api::organizations::{CreateOrganization, FirstOwner};
use command_api::project_members::{AssignProjectMember, AssignProjectMemberRequest};
use command_api::projects::{CreateProject, CreateProjectRequest};
use command_api::service_accounts::{CreateServiceAccount, CreateServiceAccountRequest};
use event_schemas::{
    ApiKeyId, Currency, Environment, MemberId, OrganizationId, OrganizationRole, ProjectId,
    ProjectRole,
};

use super::{ORGANIZATION, Story};

/// What was set up, by name.
pub(super) struct Acme {
    pub(super) organization_id: OrganizationId,
    pub(super) projects: HashMap<&'static str, ProjectId>,
    pub(super) members: HashMap<&'static str, MemberId>,
    pub(super) keys: HashMap<&'static str, ApiKeyId>,
}

const PROJECTS: [(&str, Environment); 5] = [
    ("Product-Prod", Environment::Production),
    ("Product-Dev", Environment::Development),
    ("Analytics-Prod", Environment::Production),
    ("Analytics-Dev", Environment::Development),
    ("Research", Environment::Staging),
];

/// Whom the organization begins with: its owner.
const FOUNDER: &str = "founder";

const MEMBERS: [(&str, OrganizationRole); 8] = [
    ("platform-lead", OrganizationRole::Admin),
    ("product-engineer", OrganizationRole::Member),
    ("search-engineer", OrganizationRole::Member),
    ("data-analyst", OrganizationRole::Member),
    ("researcher", OrganizationRole::Member),
    ("finance", OrganizationRole::Billing),
    ("security-reviewer", OrganizationRole::Reader),
    ("former-engineer", OrganizationRole::Member),
];

const ASSIGNMENTS: [(&str, &str, ProjectRole); 12] = [
    ("Product-Prod", "platform-lead", ProjectRole::Owner),
    ("Product-Prod", "product-engineer", ProjectRole::Member),
    ("Product-Prod", "search-engineer", ProjectRole::Member),
    ("Product-Prod", "former-engineer", ProjectRole::Member),
    ("Product-Dev", "product-engineer", ProjectRole::Owner),
    ("Product-Dev", "search-engineer", ProjectRole::Member),
    ("Product-Dev", "former-engineer", ProjectRole::Member),
    ("Analytics-Prod", "data-analyst", ProjectRole::Owner),
    ("Analytics-Prod", "security-reviewer", ProjectRole::Reader),
    ("Analytics-Dev", "data-analyst", ProjectRole::Owner),
    ("Research", "researcher", ProjectRole::Owner),
    ("Research", "platform-lead", ProjectRole::Reader),
];

/// Project, key `{environment}-{team}-{purpose}`, what it is for, by when it is rotated.
const SERVICE_ACCOUNTS: [(&str, &str, &str, &str); 6] = [
    ("Product-Prod", "production-product-chat", "Chat in the product", "2026-01-15"),
    ("Product-Prod", "production-product-search", "Answers over the help centre", "2026-01-15"),
    ("Product-Dev", "development-product-evals", "Nightly evaluation of prompts", "2025-12-01"),
    ("Analytics-Prod", "production-analytics-summarization", "Summaries of tickets", "2025-11-15"),
    ("Analytics-Dev", "development-analytics-reports", "Drafts of reports", "2025-12-01"),
    ("Research", "staging-research-experiments", "Comparing models", "2025-10-31"),
];

/// Sets the organization up; the secret is its owner's first credential.
pub(super) async fn set_up(story: &Story<'_>) -> anyhow::Result<(Acme, Secret)> {
    let owner = FirstOwner { login: FOUNDER.to_owned(), email: Some(address_of(FOUNDER)) };
    let create = CreateOrganization {
        name: ORGANIZATION.to_owned(),
        seat_limit: Some(25),
        owner: Some(owner),
    };
    let created = story.on("2025-09-01", &create).await?;
    let owner_credential = created.secrets.into_iter().next().context("the owner got no secret")?;
    let organization_id = created.outcome.organization_id;
    let mut acme = Acme {
        organization_id,
        projects: HashMap::new(),
        members: HashMap::new(),
        keys: HashMap::new(),
    };
    for (name, environment) in PROJECTS {
        let request =
            CreateProjectRequest { name: name.to_owned(), environment: Some(environment) };
        let created = story.on("2025-09-01", &CreateProject { organization_id, request }).await?;
        acme.projects.insert(name, created.outcome.project_id);
    }
    for (login, role) in MEMBERS {
        let request = AddMemberRequest {
            login: login.to_owned(),
            email: Some(address_of(login)),
            role: Some(role),
        };
        let added = story.on("2025-09-02", &AddMember { organization_id, request }).await?;
        acme.members.insert(login, added.outcome.member_id);
    }
    for (project, login, role) in ASSIGNMENTS {
        let request =
            AssignProjectMemberRequest { member_id: acme.members[login], role: Some(role) };
        let project_id = acme.projects[project];
        let assign = AssignProjectMember { organization_id, project_id, request };
        story.on("2025-09-03", &assign).await?;
    }
    service_accounts(story, &mut acme).await?;
    credits(story, organization_id).await?;
    invites(story, &acme).await?;
    Ok((acme, owner_credential))
}

fn address_of(login: &str) -> String {
    format!("{login}@acme.example")
}

async fn service_accounts(story: &Story<'_>, acme: &mut Acme) -> anyhow::Result<()> {
    let organization_id = acme.organization_id;
    for (project, name, purpose, rotation_due) in SERVICE_ACCOUNTS {
        let project_id = acme.projects[project];
        let request = CreateServiceAccountRequest {
            project_id,
            name: name.to_owned(),
            purpose: Some(purpose.to_owned()),
        };
        let create = CreateServiceAccount { organization_id, request };
        let account = story.on("2025-09-04", &create).await?.outcome.service_account_id;
        let request = CreateApiKeyRequest {
            project_id: Some(project_id),
            service_account_id: Some(account),
            name: name.to_owned(),
            rotation_due_at: Some(midnight(rotation_due)?),
            ..CreateApiKeyRequest::default()
        };
        let created = story.on("2025-09-04", &CreateApiKey { organization_id, request }).await?;
        acme.keys.insert(name, created.outcome.api_key_id);
    }
    for (login, name) in [
        ("former-engineer", "development-product-playground"),
        ("researcher", "staging-research-notebook"),
    ] {
        let project = if login == "researcher" { "Research" } else { "Product-Dev" };
        let request = CreateApiKeyRequest {
            project_id: Some(acme.projects[project]),
            member_id: Some(acme.members[login]),
            name: name.to_owned(),
            expires_at: Some(midnight("2030-09-04")?),
            ..CreateApiKeyRequest::default()
        };
        let created = story.on("2025-09-05", &CreateApiKey { organization_id, request }).await?;
        acme.keys.insert(name, created.outcome.api_key_id);
    }
    Ok(())
}

async fn credits(story: &Story<'_>, organization_id: OrganizationId) -> anyhow::Result<()> {
    for (day, amount, reference) in
        [("2025-09-15", "60", "INV-2025-0915"), ("2025-10-20", "40", "INV-2025-1020")]
    {
        let request = PurchaseCreditsRequest {
            amount: amount.parse()?,
            currency: Currency::USD,
            expires_at: Some(midnight("2036-12-31")?),
            priority: None,
            reference: Some(reference.to_owned()),
        };
        story.on(day, &PurchaseCredits { organization_id, request }).await?;
    }
    let request = GrantCreditsRequest {
        amount: "10".parse()?,
        currency: Currency::USD,
        // Drawn before what was bought, and not over while anybody looks at the demonstration.
        expires_at: Some(midnight("2036-06-30")?),
        priority: None,
        reason: Some("welcome credits".to_owned()),
    };
    story.on("2025-09-15", &GrantCredits { organization_id, request }).await?;
    Ok(())
}

/// A contractor who sees one project, and an invite that is still open.
async fn invites(story: &Story<'_>, acme: &Acme) -> anyhow::Result<()> {
    let organization_id = acme.organization_id;
    let invite = |email: &str, project: &str, until: DateTime<Utc>| SendInvite {
        organization_id,
        request: SendInviteRequest {
            email: email.to_owned(),
            role: Some(OrganizationRole::Member),
            projects: vec![InviteProject {
                project_id: acme.projects[project],
                role: ProjectRole::Member,
            }],
            expires_at: Some(until),
        },
    };
    let send = invite("contractor@agency.example", "Research", midnight("2025-09-24")?);
    let sent = story.on("2025-09-10", &send).await?.outcome;
    let accept = AcceptInvite {
        organization_id,
        invite_id: sent.invite_id,
        request: AcceptInviteRequest { login: "contractor".to_owned() },
    };
    story.on("2025-09-11", &accept).await?;
    let open = invite("new-analyst@acme.example", "Analytics-Dev", midnight("2125-01-01")?);
    story.on("2025-10-28", &open).await?;
    Ok(())
}

pub(super) async fn after_the_month(story: &Story<'_>, acme: &Acme) -> anyhow::Result<()> {
    let organization_id = acme.organization_id;
    let rotate = RotateApiKey {
        organization_id,
        api_key_id: acme.keys["production-product-chat"],
        request: RotateApiKeyRequest {
            grace_seconds: 86_400,
            rotation_due_at: Some(midnight("2026-02-01")?),
        },
    };
    story.on("2025-11-01", &rotate).await?;
    let revoke = RevokeApiKey {
        organization_id,
        api_key_id: acme.keys["staging-research-notebook"],
        request: RevokeApiKeyRequest { reason: Some("found in a shared notebook".to_owned()) },
    };
    story.on("2025-11-03", &revoke).await?;
    let leave = RemoveMember {
        organization_id,
        member_id: acme.members["former-engineer"],
        request: RemoveMemberRequest { reason: Some("left the company".to_owned()) },
    };
    story.on("2025-11-05", &leave).await?;
    Ok(())
}

fn midnight(day: &str) -> anyhow::Result<DateTime<Utc>> {
    let day: chrono::NaiveDate = day.parse()?;
    Ok(day.and_time(chrono::NaiveTime::MIN).and_utc())
}
