//! Things that happen, in an order that makes sense, some of them recorded late.

use chrono::{DateTime, Duration, Utc};
use event_log::NewEvent;
use event_schemas::{
    AccessReviewEvent, Actor, ApiKeyEvent, ApprovalEvent, BudgetEvent, CreditAccountEvent,
    CreditAccountId, Currency, Environment, KeyOwner, OrganizationEvent, OrganizationId,
    OrganizationRole, OrganizationSettings, PriceListEvent, ProjectEvent, ProjectGrant,
    ProjectRole, RefusalEvent, SecuritySettings, SensitiveAction, ServiceAccountEvent, StreamEvent,
    WebhookEvent,
};
use uuid::Uuid;

use super::metadata;
use super::random::Random;

mod budgets;
mod credits;
mod oversight;
mod prices;
mod reviews;
mod shared;

use budgets::Budgets;
use credits::Credits;
use oversight::Oversight;
use reviews::Reviews;
use shared::Shared;

/// An event of any stream.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Organization(OrganizationEvent),
    Project(Uuid, ProjectEvent),
    ServiceAccount(Uuid, ServiceAccountEvent),
    ApiKey(Uuid, ApiKeyEvent),
    Credits(Currency, CreditAccountEvent),
    Budget(Uuid, BudgetEvent),
    Approval(Uuid, ApprovalEvent),
    Webhook(Uuid, WebhookEvent),
    AccessReview(Uuid, AccessReviewEvent),
    /// Of an actor.
    Refusal(String, RefusalEvent),
    /// Of an organization, or of all.
    Prices(PriceListEvent),
}

/// An event, when it happened, and in which organization.
#[derive(Debug, Clone)]
pub(crate) struct Happening {
    pub(crate) organization_id: OrganizationId,
    pub(crate) actor: Actor,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) event: Event,
}

impl Happening {
    pub(crate) fn to_event(&self) -> NewEvent {
        match &self.event {
            Event::Organization(event) => self.on(&self.organization_id.to_string(), event),
            Event::Project(id, event) => self.on(&id.to_string(), event),
            Event::ServiceAccount(id, event) => self.on(&id.to_string(), event),
            Event::ApiKey(id, event) => self.on(&id.to_string(), event),
            Event::Budget(id, event) => self.on(&id.to_string(), event),
            Event::Approval(id, event) => self.on(&id.to_string(), event),
            Event::Webhook(id, event) => self.on(&id.to_string(), event),
            Event::AccessReview(id, event) => self.on(&id.to_string(), event),
            Event::Refusal(actor, event) => self.on(actor, event),
            Event::Prices(event) => {
                let PriceListEvent::Published { price_list_id, organization_id, .. } = event;
                let (id, at) = (price_list_id.0.as_str(), self.occurred_at);
                NewEvent::new(event, id.into(), *organization_id, metadata(&self.actor), at)
                    .unwrap()
            }
            Event::Credits(currency, event) => {
                self.on(&CreditAccountId::of(self.organization_id, *currency).to_string(), event)
            }
        }
    }

    fn on<E: StreamEvent>(&self, id: &str, event: &E) -> NewEvent {
        let metadata = metadata(&self.actor);
        let organization_id = Some(self.organization_id);
        NewEvent::new(event, id.into(), organization_id, metadata, self.occurred_at).unwrap()
    }
}

/// The beginning of every history.
pub(crate) fn beginning() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// The `n`th minute of a history.
pub(crate) fn minute(n: i64) -> DateTime<Utc> {
    beginning() + Duration::minutes(n)
}

/// Makes up a history. What is refused at the edge does not happen in it; almost everything else
/// does, and every fifth event is recorded long after it happened.
pub(crate) struct Story {
    random: Random,
    minutes: i64,
    /// Minutes from one thing to the next.
    pace: i64,
    organizations: Vec<Uuid>,
    members: Vec<(Uuid, Uuid)>,
    projects: Vec<(Uuid, Uuid)>,
    project_members: Vec<(Uuid, Uuid, Uuid)>,
    accounts: Vec<(Uuid, Uuid, Uuid)>,
    keys: Vec<(Uuid, Uuid)>,
    invites: Vec<(Uuid, Uuid)>,
    shared: Shared,
    oversight: Oversight,
    reviews: Reviews,
    credits: Credits,
    budgets: Budgets,
}

impl Story {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            minutes: 0,
            pace: 1,
            organizations: vec![],
            members: vec![],
            projects: vec![],
            project_members: vec![],
            accounts: vec![],
            keys: vec![],
            invites: vec![],
            shared: Shared::default(),
            oversight: Oversight::default(),
            reviews: Reviews::default(),
            credits: Credits::default(),
            budgets: Budgets::default(),
        }
    }

    /// The same with so many minutes from one thing to the next.
    pub(crate) fn with_pace(self, pace: i64) -> Self {
        Self { pace, ..self }
    }

    /// The next `count` things that happen.
    pub(crate) fn tell(&mut self, count: usize) -> Vec<Happening> {
        let mut happenings = Vec::with_capacity(count);
        while happenings.len() < count {
            self.minutes += self.pace;
            if let Some((organization_id, event)) = self.anything() {
                let late = if self.random.one_in(5) { self.random.below(200) } else { 0 };
                let external = Actor::external(&format!("actor{}", self.random.below(5)));
                // Every third thing is done by whoever came last.
                let member = self.members.last().filter(|_| self.minutes % 3 == 0);
                let actor = member.map_or(external, |(member, _)| Actor::member((*member).into()));
                happenings.push(Happening {
                    organization_id: OrganizationId(organization_id),
                    actor,
                    occurred_at: minute(self.minutes - self.pace * i64::try_from(late).unwrap()),
                    event,
                });
            }
        }
        happenings
    }

    fn anything(&mut self) -> Option<(Uuid, Event)> {
        if self.organizations.is_empty() {
            return Some(self.organization());
        }
        match self.random.below(74) {
            0 => Some(self.organization()),
            1 => self.organization_changes(),
            2..=5 => self.invite(),
            6..=12 => self.member_joins(),
            13..=19 => self.member_changes(),
            20..=22 => self.project(),
            23 => self.project_changes(),
            24..=28 => self.project_member(),
            29..=30 => self.service_account(),
            31..=34 => self.key(),
            35..=37 => self.key_changes(),
            38..=43 => self.group(),
            44..=51 => self.custom_role(),
            52..=57 => self.overseen(),
            58..=59 => self.review(),
            60..=61 => self.prices(),
            62..=67 => self.budget(),
            _ => self.credits(),
        }
    }

    fn organization(&mut self) -> (Uuid, Event) {
        let id = self.random.uuid();
        self.organizations.push(id);
        let name = format!("organization {}", self.minutes);
        let organization_id = id.into();
        (
            id,
            Event::Organization(OrganizationEvent::Created {
                organization_id,
                name,
                seat_limit: None,
            }),
        )
    }

    fn organization_changes(&mut self) -> Option<(Uuid, Event)> {
        let id = self.random.pick(&self.organizations)?;
        if self.organizations.len() > 3 && self.random.one_in(4) {
            self.organizations.retain(|other| *other != id);
            self.members.retain(|(_, of)| *of != id);
            self.projects.retain(|(_, of)| *of != id);
            self.project_members.retain(|(_, _, of)| *of != id);
            self.accounts.retain(|(_, _, of)| *of != id);
            self.keys.retain(|(_, of)| *of != id);
            self.invites.retain(|(_, of)| *of != id);
            self.shared.organization_archived(id);
            self.oversight.organization_archived(id);
            self.reviews.organization_archived(id);
            return Some((id, Event::Organization(OrganizationEvent::Archived {})));
        }
        if self.random.one_in(2) {
            return Some((id, Event::Organization(self.settled())));
        }
        let (name, seat_limit) = match self.random.below(3) {
            0 => (Some(format!("renamed {}", self.minutes)), None),
            1 => (None, Some(u32::try_from(self.minutes).unwrap())),
            _ => (None, None),
        };
        Some((id, Event::Organization(OrganizationEvent::Updated { name, seat_limit })))
    }

    fn invite(&mut self) -> Option<(Uuid, Event)> {
        if let Some((invite, of)) = self.random.pick(&self.invites)
            && self.random.one_in(2)
        {
            let invite_id = invite.into();
            if self.random.one_in(4) {
                let event = OrganizationEvent::InviteResent {
                    invite_id,
                    expires_at: minute(self.minutes + 20_000),
                    token_hash: "22".to_owned(),
                    resent_by: None,
                };
                return Some((of, Event::Organization(event)));
            }
            self.invites.retain(|(other, _)| *other != invite);
            let event = match self.random.below(3) {
                0 => OrganizationEvent::InviteAccepted {
                    invite_id,
                    member_id: self.random.uuid().into(),
                },
                1 => OrganizationEvent::InviteRevoked { invite_id },
                _ => OrganizationEvent::InviteExpired { invite_id },
            };
            return Some((of, Event::Organization(event)));
        }
        let of = self.random.pick(&self.organizations)?;
        let invite = self.random.uuid();
        self.invites.push((invite, of));
        let grant = |(project, _): &(Uuid, Uuid)| ProjectGrant {
            project_id: (*project).into(),
            role: ProjectRole::Member,
        };
        let event = OrganizationEvent::InviteSent {
            invite_id: invite.into(),
            person_id: self.random.uuid().into(),
            email: format!("guest{}@example.com", self.minutes),
            role: OrganizationRole::Member,
            projects: self.projects.iter().filter(|(_, o)| *o == of).take(2).map(grant).collect(),
            expires_at: minute(self.minutes + 10_000),
            token_hash: None,
            invited_by: None,
        };
        Some((of, Event::Organization(event)))
    }

    fn member_joins(&mut self) -> Option<(Uuid, Event)> {
        let of = self.random.pick(&self.organizations)?;
        let member = self.random.uuid();
        self.members.push((member, of));
        let event = OrganizationEvent::MemberAdded {
            member_id: member.into(),
            person_id: member.into(),
            login: format!("login{}", self.minutes),
            email: self.random.one_in(2).then(|| format!("m{}@example.com", self.minutes)),
            role: self.random.pick(OrganizationRole::ALL)?,
        };
        Some((of, Event::Organization(event)))
    }

    fn member_changes(&mut self) -> Option<(Uuid, Event)> {
        let (member, of) = self.random.pick(&self.members)?;
        let member_id = member.into();
        let event = match self.random.below(6) {
            0 => OrganizationEvent::MemberRenamed {
                member_id,
                person_id: member.into(),
                login: format!("renamed{}", self.minutes),
            },
            1 => OrganizationEvent::MemberSuspended { member_id, reason: None },
            2 => OrganizationEvent::MemberReinstated { member_id },
            3 => {
                self.members.retain(|(other, _)| *other != member);
                self.project_members.retain(|(_, other, _)| *other != member);
                self.shared.member_removed(member);
                OrganizationEvent::MemberRemoved { member_id, reason: None }
            }
            _ => OrganizationEvent::MemberRoleChanged {
                member_id,
                role: self.random.pick(OrganizationRole::ALL)?,
                previous_role: OrganizationRole::Reader,
            },
        };
        Some((of, Event::Organization(event)))
    }

    /// What an organization settles for itself.
    fn settled(&mut self) -> OrganizationEvent {
        if self.random.one_in(2) {
            let admins_max = u32::try_from(self.minutes).ok();
            let settings = OrganizationSettings { admins_max, ..OrganizationSettings::default() };
            return OrganizationEvent::SettingsChanged { settings };
        }
        let approvals = SensitiveAction::ALL[..=usize::from(self.random.one_in(2))].to_vec();
        let security = SecuritySettings { identity_provider: None, approvals };
        OrganizationEvent::SecurityChanged { security }
    }

    fn project(&mut self) -> Option<(Uuid, Event)> {
        let of = self.random.pick(&self.organizations)?;
        let project = self.random.uuid();
        self.projects.push((project, of));
        let event = ProjectEvent::Created {
            project_id: project.into(),
            organization_id: of.into(),
            name: format!("project {}", self.minutes),
            environment: self.random.pick(Environment::ALL),
        };
        Some((of, Event::Project(project, event)))
    }

    fn project_changes(&mut self) -> Option<(Uuid, Event)> {
        let (project, of) = self.random.pick(&self.projects)?;
        if self.random.one_in(2) {
            self.projects.retain(|(other, _)| *other != project);
            self.project_members.retain(|(other, _, _)| *other != project);
            self.accounts.retain(|(_, other, _)| *other != project);
            self.shared.project_archived(project);
            return Some((of, Event::Project(project, ProjectEvent::Archived {})));
        }
        let name = Some(format!("project renamed {}", self.minutes));
        let event = ProjectEvent::Updated { name, environment: None };
        Some((of, Event::Project(project, event)))
    }

    fn project_member(&mut self) -> Option<(Uuid, Event)> {
        let role = self.random.pick(ProjectRole::ALL)?;
        if let Some((project, member, of)) = self.random.pick(&self.project_members)
            && self.random.one_in(2)
        {
            let member_id = member.into();
            let event = if self.random.one_in(2) {
                self.project_members.retain(|(p, m, _)| (*p, *m) != (project, member));
                ProjectEvent::MemberRemoved { member_id }
            } else {
                let previous_role = ProjectRole::Reader;
                ProjectEvent::MemberRoleChanged { member_id, role, previous_role }
            };
            return Some((of, Event::Project(project, event)));
        }
        let (project, of) = self.random.pick(&self.projects)?;
        let here: Vec<Uuid> =
            self.members.iter().filter(|(_, o)| *o == of).map(|(member, _)| *member).collect();
        let member = self.random.pick(&here)?;
        if self.project_members.contains(&(project, member, of)) {
            return None;
        }
        self.project_members.push((project, member, of));
        let event = ProjectEvent::MemberAssigned { member_id: member.into(), role };
        Some((of, Event::Project(project, event)))
    }

    fn service_account(&mut self) -> Option<(Uuid, Event)> {
        if let Some((account, _, of)) = self.random.pick(&self.accounts)
            && self.random.one_in(3)
        {
            let event = if self.random.one_in(3) {
                let (name, purpose) = (format!("renamed {}", self.minutes), String::new());
                ServiceAccountEvent::Updated { name: Some(name), purpose: Some(purpose) }
            } else if self.random.one_in(2) {
                self.accounts.retain(|(other, _, _)| *other != account);
                ServiceAccountEvent::Removed {}
            } else {
                ServiceAccountEvent::Disabled { reason: None }
            };
            return Some((of, Event::ServiceAccount(account, event)));
        }
        let (project, of) = self.random.pick(&self.projects)?;
        let account = self.random.uuid();
        self.accounts.push((account, project, of));
        let event = ServiceAccountEvent::Created {
            service_account_id: account.into(),
            organization_id: of.into(),
            project_id: project.into(),
            name: format!("account {}", self.minutes),
            purpose: None,
        };
        Some((of, Event::ServiceAccount(account, event)))
    }

    fn key(&mut self) -> Option<(Uuid, Event)> {
        let (project, of, owner) = match self.random.pick(&self.accounts) {
            Some((account, project, of)) if self.random.one_in(2) => {
                (project, of, KeyOwner::ServiceAccount { service_account_id: account.into() })
            }
            Some(_) | None => {
                let (project, member, of) = self.random.pick(&self.project_members)?;
                (project, of, KeyOwner::Member { member_id: member.into() })
            }
        };
        let key = self.random.uuid();
        self.keys.push((key, of));
        let event = ApiKeyEvent::Created {
            api_key_id: key.into(),
            organization_id: of.into(),
            // Every third is an admin key.
            project_id: (!self.random.one_in(3)).then(|| project.into()),
            owner,
            name: format!("key {}", self.minutes),
            secret_hash: "00".to_owned(),
            redacted: "olk_…".to_owned(),
            expires_at: None,
            rotation_due_at: Some(minute(self.minutes + 5)),
            rotation_days: Some(30),
            scopes: None,
        };
        Some((of, Event::ApiKey(key, event)))
    }

    /// Also of keys whose owner is gone by now.
    fn key_changes(&mut self) -> Option<(Uuid, Event)> {
        let (key, of) = self.random.pick(&self.keys)?;
        let event = match self.random.below(4) {
            0 => ApiKeyEvent::Renamed { name: format!("key renamed {}", self.minutes) },
            1 => ApiKeyEvent::Rotated {
                secret_hash: "11".to_owned(),
                redacted: format!("olk_{}…", self.minutes),
                previous_valid_until: minute(self.minutes),
                rotation_due_at: None,
            },
            2 => ApiKeyEvent::Revoked { reason: None },
            _ => ApiKeyEvent::Expired {},
        };
        Some((of, Event::ApiKey(key, event)))
    }
}
