//! What an organization settles for itself, and who vouches for its people.

use std::collections::BTreeSet;

use event_schemas::{
    IdentityProvider, OrganizationEvent, OrganizationRole, OrganizationSettings, Permission,
    ProjectRole, SecuritySettings, SensitiveAction,
};

use super::roster::Roster;
use super::{Authority, Decision, Organization, OrganizationError, OrganizationError as Refused};
use crate::text::{self, fold};

/// The most domains of a setting.
const DOMAINS_MAX: usize = 100;

/// The longest time that a setting names, in days.
const DAYS_MAX: u32 = 3_650;

/// Whether an action needs a second person. Where anything does, so do changing that, making owners,
/// who can approve, and closing the organization: else one person would come around the rest.
pub fn needs_approval(security: &SecuritySettings, action: SensitiveAction) -> bool {
    let always = match action {
        SensitiveAction::GrantOwner
        | SensitiveAction::UpdateSecurity
        | SensitiveAction::ArchiveOrganization => true,
        SensitiveAction::ExportPersonalData | SensitiveAction::ErasePersonalData => false,
    };
    security.approvals.contains(&action) || (always && !security.approvals.is_empty())
}

impl Roster {
    pub(super) fn change_settings(
        &self,
        by: Authority,
        settings: OrganizationSettings,
    ) -> Decision {
        let reach = self.reach(by, Permission::SettingsUpdate)?;
        let settings = checked(settings)?;
        if settings == self.settings {
            return Ok(vec![]);
        }
        // What others become without being named it is given too.
        if settings.default_role != self.settings.default_role {
            reach.covers(settings.default_role.permissions())?;
        }
        Ok(vec![OrganizationEvent::SettingsChanged { settings }])
    }

    pub(super) fn change_security(
        &self,
        by: Authority,
        mut security: SecuritySettings,
    ) -> Decision {
        self.reach(by, Permission::SecurityUpdate)?;
        if let Some(provider) = &mut security.identity_provider {
            let field = "identity_provider.email_domains";
            provider.email_domains = domains(field, &provider.email_domains)?;
            if provider.email_domains.is_empty() {
                let why = "it must name the domains that the issuer may vouch for";
                return Err(Refused::Setting { field, why });
            }
        }
        let owners = self
            .members()
            .filter(|member| member.is_acting_owner() && !self.was_taken_in(member.member_id))
            .count();
        if !security.approvals.is_empty() && owners < 2 {
            let why = "there must be a second owner who can approve";
            return Err(Refused::Setting { field: "approvals", why });
        }
        security.approvals.sort_unstable();
        security.approvals.dedup();
        if security == self.security {
            return Ok(vec![]);
        }
        Ok(vec![OrganizationEvent::SecurityChanged { security }])
    }

    /// Refuses to make an owner in passing, where that needs a second person.
    pub(super) fn not_an_owner_in_passing(
        &self,
        by: Authority,
        role: OrganizationRole,
    ) -> Result<(), OrganizationError> {
        let needs_approval = needs_approval(&self.security, SensitiveAction::GrantOwner);
        match by {
            Authority::System | Authority::Operator => Ok(()),
            Authority::Member(_)
            | Authority::ApiKey { .. }
            | Authority::Invited(_)
            | Authority::Nobody => {
                if needs_approval && role == OrganizationRole::Owner {
                    return Err(Refused::OwnersNeedApproval);
                }
                Ok(())
            }
        }
    }

    /// Refuses an address of a domain that may not be invited.
    pub(super) fn allows_address(
        &self,
        by: Authority,
        email: &str,
    ) -> Result<(), OrganizationError> {
        // What is imported has happened elsewhere, by other rules.
        if by == Authority::System || is_of(email, &self.settings.invite_domains) {
            return Ok(());
        }
        Err(Refused::DomainNotAllowed)
    }
}

impl Organization {
    /// What it has settled for itself; the defaults where it is not open.
    pub fn settings(&self) -> OrganizationSettings {
        self.open_roster().map(|roster| roster.settings.clone()).unwrap_or_default()
    }

    /// Who vouches for people, and what needs two of them; nobody and nothing where it is not open.
    pub fn security(&self) -> SecuritySettings {
        self.open_roster().map(|roster| roster.security.clone()).unwrap_or_default()
    }

    /// The member that somebody is whom an issuer vouches for: the one with that address, where the
    /// organization trusts the issuer with the address's domain.
    pub fn signed_in(&self, issuer: &str, email: &str) -> Option<event_schemas::MemberId> {
        let roster = self.open_roster().ok()?;
        let IdentityProvider { issuer: trusted, email_domains } =
            roster.security.identity_provider.as_ref()?;
        // Members' addresses are ASCII. Another that folds to one of them is somebody else's, who can
        // have had it verified.
        if issuer != trusted
            || !email.is_ascii()
            || email_domains.is_empty()
            || !is_of(email, email_domains)
        {
            return None;
        }
        roster.by_address(email).filter(|member| !member.suspended).map(|member| member.member_id)
    }
}

/// Whether an address is of one of the domains; of any where there are none.
fn is_of(email: &str, domains: &[String]) -> bool {
    let folded = fold(email);
    domains.is_empty()
        || folded
            .rsplit_once('@')
            .is_some_and(|(_, domain)| domains.iter().any(|allowed| allowed == domain))
}

fn checked(mut settings: OrganizationSettings) -> Result<OrganizationSettings, OrganizationError> {
    if settings.default_role.rank() > 0 || settings.default_role == OrganizationRole::Billing {
        let why = "nobody becomes owner, admin or billing without being named one";
        return Err(Refused::Setting { field: "default_role", why });
    }
    if settings.default_project_role == ProjectRole::Owner {
        let why = "nobody owns a project without being named its owner";
        return Err(Refused::Setting { field: "default_project_role", why });
    }
    settings.invite_domains = domains("invite_domains", &settings.invite_domains)?;
    if let Some(pattern) = &settings.api_key_name_pattern {
        let is_pattern = !text::longer_than(pattern, 200) && text::whole(pattern).is_some();
        if !is_pattern {
            let why = "it is not a regular expression of at most 200 characters";
            return Err(Refused::Setting { field: "api_key_name_pattern", why });
        }
    }
    let days = [
        ("api_key_rotation_days", settings.api_key_rotation_days),
        ("api_key_lifetime_days_max", settings.api_key_lifetime_days_max),
    ];
    for (field, days) in days {
        if days.is_some_and(|days| days == 0 || days > DAYS_MAX) {
            return Err(Refused::Setting {
                field,
                why: "it is not a number of days from 1 to 3650",
            });
        }
    }
    if !event_schemas::is_time_zone_name(&settings.time_zone) {
        let why = "it is not the name of a time zone such as Europe/Berlin, or UTC";
        return Err(Refused::Setting { field: "time_zone", why });
    }
    if settings.admins_max == Some(0) {
        return Err(Refused::Setting { field: "admins_max", why: "it is not at least 1" });
    }
    Ok(settings)
}

/// Domains in the form in which they are compared, each once.
fn domains(field: &'static str, given: &[String]) -> Result<Vec<String>, OrganizationError> {
    if given.len() > DOMAINS_MAX {
        return Err(Refused::Setting { field, why: "it has more than 100 domains" });
    }
    let folded: BTreeSet<String> = given.iter().map(|domain| fold(domain)).collect();
    if !folded.iter().all(|domain| text::is_host_name(domain)) {
        let why = "it has something that is not a domain such as acme.example";
        return Err(Refused::Setting { field, why });
    }
    Ok(folded.into_iter().collect())
}
