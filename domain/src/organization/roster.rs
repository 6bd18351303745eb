//! Who is in an organization, and how that changes with each event. Every lookup that a decision
//! needs has its own index: a roster of 10,000 is no slower to decide on than one of ten.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use event_schemas::{
    BreakGlassId, GroupId, InviteId, MemberId, OrganizationId, OrganizationRole,
    OrganizationSettings, PersonId, ProjectGrant, RoleId, SecuritySettings,
};
use serde::{Deserialize, Serialize};

use super::break_glass::BreakGlass;
use super::custom_roles::{CustomRole, RoleGrant};
use super::groups::Group;
use super::persons::Persons;
use crate::text::{fold, looks};

/// A member of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The membership.
    pub member_id: MemberId,
    /// Whose login and address these are.
    pub person_id: PersonId,
    /// The name that the person is known by, compared without case.
    pub login: String,
    /// The person's address.
    pub email: Option<String>,
    /// The role.
    pub role: OrganizationRole,
    /// Whether access is suspended.
    pub suspended: bool,
    /// The groups that the member is in.
    pub groups: BTreeSet<GroupId>,
    /// The custom roles granted to the member.
    pub custom_roles: BTreeSet<RoleGrant>,
}

impl Member {
    pub(super) fn is_acting_owner(&self) -> bool {
        self.role == OrganizationRole::Owner && !self.suspended
    }
}

/// An open invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// Its id.
    pub invite_id: InviteId,
    /// Whose address it is.
    pub person_id: PersonId,
    /// The address invited.
    pub email: String,
    /// The role that accepting it gives.
    pub role: OrganizationRole,
    /// The project roles that accepting it gives.
    pub projects: Vec<ProjectGrant>,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
    /// The hash of the token that accepts it.
    pub token_hash: Option<String>,
    /// The member who invited, where it was one.
    pub invited_by: Option<MemberId>,
    /// Who else may know the token.
    pub shown_to: BTreeSet<MemberId>,
}

impl Invite {
    /// Whether its time is over at `now`.
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now
    }
}

/// How an invite ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum InviteEnd {
    Accepted,
    Revoked,
    Expired,
}

/// An open organization: its profile, members and invites.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    organization_id: OrganizationId,
    name: String,
    seat_limit: Option<u32>,
    pub(super) settings: OrganizationSettings,
    pub(super) security: SecuritySettings,
    pub(super) groups: BTreeMap<GroupId, Group>,
    /// Groups by folded name.
    pub(super) group_names: BTreeMap<String, GroupId>,
    pub(super) custom_roles: BTreeMap<RoleId, CustomRole>,
    /// Custom roles by folded name.
    pub(super) role_names: BTreeMap<String, RoleId>,
    /// Accesses of the operator that wait for an answer, last, or wait for their review.
    pub(super) break_glass: BTreeMap<BreakGlassId, BreakGlass>,
    /// Whether there ever was an owner.
    had_owner: bool,
    members: BTreeMap<MemberId, Member>,
    /// By folded login.
    logins: BTreeMap<String, MemberId>,
    /// The members whose login has a look: more than one only where they are from before the rule.
    looks: BTreeMap<String, BTreeSet<MemberId>>,
    /// The members with a folded address.
    addresses: BTreeMap<String, BTreeSet<MemberId>>,
    former_members: BTreeSet<MemberId>,
    /// The members who may have known the token that somebody came in by.
    invited_by: BTreeMap<MemberId, BTreeSet<MemberId>>,
    pub(super) persons: Persons,
    /// Groups that were removed: what projects gave them must not come back to life.
    pub(super) former_groups: BTreeSet<GroupId>,
    open_invites: BTreeMap<InviteId, Invite>,
    /// Open invites by folded address.
    invited: BTreeMap<String, InviteId>,
    ended_invites: BTreeMap<InviteId, InviteEnd>,
    /// The hashes of the tokens that invites were accepted with.
    used_tokens: BTreeMap<InviteId, String>,
}

impl Roster {
    pub(super) fn new(
        organization_id: OrganizationId,
        name: &str,
        seat_limit: Option<u32>,
    ) -> Self {
        Self {
            organization_id,
            name: name.to_owned(),
            seat_limit,
            settings: OrganizationSettings::default(),
            security: SecuritySettings::default(),
            groups: BTreeMap::new(),
            group_names: BTreeMap::new(),
            custom_roles: BTreeMap::new(),
            role_names: BTreeMap::new(),
            break_glass: BTreeMap::new(),
            had_owner: false,
            members: BTreeMap::new(),
            logins: BTreeMap::new(),
            looks: BTreeMap::new(),
            addresses: BTreeMap::new(),
            former_members: BTreeSet::new(),
            invited_by: BTreeMap::new(),
            persons: Persons::default(),
            former_groups: BTreeSet::new(),
            open_invites: BTreeMap::new(),
            invited: BTreeMap::new(),
            ended_invites: BTreeMap::new(),
            used_tokens: BTreeMap::new(),
        }
    }
}

/// What it knows.
impl Roster {
    pub(super) fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn seat_limit(&self) -> Option<u32> {
        self.seat_limit
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(super) fn member_count(&self) -> usize {
        self.members.len()
    }

    pub(super) fn present(&self, member_id: MemberId) -> Option<&Member> {
        self.members.get(&member_id)
    }

    pub(super) fn was_member(&self, member_id: MemberId) -> bool {
        self.former_members.contains(&member_id)
    }

    pub(super) fn by_login(&self, login: &str) -> Option<&Member> {
        self.present(*self.logins.get(&fold(login))?)
    }

    /// Whether somebody else than this member has a login that this one could be taken for.
    pub(super) fn is_lookalike(&self, login: &str, of: MemberId) -> bool {
        let alike = looks(login).into_iter().filter_map(|look| self.looks.get(&look));
        alike.flatten().any(|other| *other != of)
    }

    pub(super) fn is_members_address(&self, email: &str) -> bool {
        self.addresses.contains_key(&fold(email))
    }

    /// The one member with an address; nobody where several share it.
    pub(super) fn by_address(&self, email: &str) -> Option<&Member> {
        let members = self.addresses.get(&fold(email)).filter(|members| members.len() == 1)?;
        self.present(*members.first()?)
    }

    pub(super) fn present_mut(&mut self, member_id: MemberId) -> Option<&mut Member> {
        self.members.get_mut(&member_id)
    }

    pub(super) fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.values_mut()
    }

    pub(super) fn open_invites(&self) -> impl Iterator<Item = &Invite> {
        self.open_invites.values()
    }

    pub(super) fn open_invite(&self, invite_id: InviteId) -> Option<&Invite> {
        self.open_invites.get(&invite_id)
    }

    pub(super) fn open_invite_to(&self, email: &str) -> Option<&Invite> {
        self.open_invite(*self.invited.get(&fold(email))?)
    }

    pub(super) fn invite_end(&self, invite_id: InviteId) -> Option<InviteEnd> {
        self.ended_invites.get(&invite_id).copied()
    }

    /// Whether there ever was an owner.
    pub(super) fn has_had_owner(&self) -> bool {
        self.had_owner
    }

    pub(super) fn was_accepted(&self, invite_id: InviteId) -> bool {
        self.invite_end(invite_id) == Some(InviteEnd::Accepted)
    }

    pub(super) fn was_accepted_with(&self, invite_id: InviteId, token_hash: &str) -> bool {
        self.used_tokens.get(&invite_id).is_some_and(|used| used == token_hash)
    }

    /// By whom a member who is no owner came in: by their invite, or by that of somebody who did, with
    /// no owner in between. They have had a token that opened the way for the member.
    pub(super) fn inviters_of(&self, member_id: MemberId) -> BTreeSet<MemberId> {
        let (mut inviters, mut next) = (BTreeSet::new(), vec![member_id]);
        while let Some(member_id) = next.pop() {
            if self.is_owner(member_id) {
                continue;
            }
            let by = self.invited_by.get(&member_id).into_iter().flatten();
            next.extend(by.filter(|inviter| inviters.insert(**inviter)));
        }
        inviters
    }

    pub(super) fn is_owner(&self, member_id: MemberId) -> bool {
        self.present(member_id).is_some_and(|member| member.role == OrganizationRole::Owner)
    }

    /// Whether somebody else than this member could still do everything. Whom an operator has taken in
    /// does not count until that was reviewed.
    pub(super) fn has_owner_besides(&self, member_id: MemberId) -> bool {
        self.members().any(|other| {
            other.is_acting_owner()
                && other.member_id != member_id
                && !self.was_taken_in(other.member_id)
        })
    }
}

/// What has happened to it.
impl Roster {
    pub(super) fn updated(&mut self, name: Option<&str>, seat_limit: Option<u32>) {
        if let Some(name) = name {
            name.clone_into(&mut self.name);
        }
        if seat_limit.is_some() {
            self.seat_limit = seat_limit;
        }
    }

    pub(super) fn invite_sent(&mut self, invite: Invite) {
        self.invited.insert(fold(&invite.email), invite.invite_id);
        self.persons.was_invited(invite.invite_id, invite.person_id);
        self.open_invites.insert(invite.invite_id, invite);
    }

    pub(super) fn invite_resent(
        &mut self,
        invite_id: InviteId,
        expires_at: DateTime<Utc>,
        token_hash: &str,
        resent_by: Option<MemberId>,
    ) {
        if let Some(invite) = self.open_invites.get_mut(&invite_id) {
            // The earlier token is worth nothing any more: the offer is theirs now.
            invite.invited_by = resent_by.or(invite.invited_by);
            invite.shown_to = BTreeSet::new();
            invite.expires_at = expires_at;
            invite.token_hash = Some(token_hash.to_owned());
        }
    }

    pub(super) fn invite_token_shared(&mut self, invite_id: InviteId, shown_to: &[MemberId]) {
        if let Some(invite) = self.open_invites.get_mut(&invite_id) {
            invite.shown_to.extend(shown_to);
        }
    }

    pub(super) fn invite_accepted(&mut self, invite_id: InviteId, member_id: MemberId) {
        let invite = self.open_invites.get(&invite_id);
        if let Some(invite) = invite {
            let known_to = invite.shown_to.iter().copied().chain(invite.invited_by);
            self.invited_by.insert(member_id, known_to.collect());
        }
        if let Some(token_hash) = invite.and_then(|invite| invite.token_hash.clone()) {
            self.used_tokens.insert(invite_id, token_hash);
        }
        self.persons.came_in(invite_id);
        self.invite_ended(invite_id, InviteEnd::Accepted);
    }

    pub(super) fn invite_revoked(&mut self, invite_id: InviteId) {
        self.invite_ended(invite_id, InviteEnd::Revoked);
    }

    pub(super) fn invite_expired(&mut self, invite_id: InviteId) {
        self.invite_ended(invite_id, InviteEnd::Expired);
    }

    fn invite_ended(&mut self, invite_id: InviteId, end: InviteEnd) {
        if let Some(invite) = self.open_invites.remove(&invite_id) {
            self.invited.remove(&fold(&invite.email));
        }
        self.ended_invites.insert(invite_id, end);
    }

    pub(super) fn member_added(&mut self, member: Member) {
        self.had_owner |= member.role == OrganizationRole::Owner;
        self.login_taken(&member.login, member.member_id);
        self.persons.became_member(member.member_id, member.person_id);
        if let Some(email) = &member.email {
            self.addresses.entry(fold(email)).or_default().insert(member.member_id);
        }
        self.members.insert(member.member_id, member);
    }

    pub(super) fn member_renamed(&mut self, member_id: MemberId, login: &str) {
        let Some(member) = self.members.get_mut(&member_id) else { return };
        let previous = std::mem::replace(&mut member.login, login.to_owned());
        self.login_given_up(&previous, member_id);
        self.login_taken(login, member_id);
    }

    fn login_taken(&mut self, login: &str, member_id: MemberId) {
        self.logins.insert(fold(login), member_id);
        for look in looks(login) {
            self.looks.entry(look).or_default().insert(member_id);
        }
    }

    /// Where two are from before they were the same, the other's stays.
    fn login_given_up(&mut self, login: &str, member_id: MemberId) {
        let folded = fold(login);
        if self.logins.get(&folded) == Some(&member_id) {
            self.logins.remove(&folded);
        }
        for look in looks(login) {
            if let Some(members) = self.looks.get_mut(&look) {
                members.remove(&member_id);
                if members.is_empty() {
                    self.looks.remove(&look);
                }
            }
        }
    }

    pub(super) fn member_role_changed(&mut self, member_id: MemberId, role: OrganizationRole) {
        self.had_owner |= role == OrganizationRole::Owner;
        if let Some(member) = self.members.get_mut(&member_id) {
            member.role = role;
        }
    }

    pub(super) fn member_suspended(&mut self, member_id: MemberId, suspended: bool) {
        if let Some(member) = self.members.get_mut(&member_id) {
            member.suspended = suspended;
        }
    }

    pub(super) fn member_removed(&mut self, member_id: MemberId) {
        let Some(member) = self.members.remove(&member_id) else { return };
        self.login_given_up(&member.login, member_id);
        if let Some(email) = &member.email {
            self.address_given_up(&fold(email), member_id);
        }
        for group_id in &member.groups {
            if let Some(group) = self.groups.get_mut(group_id) {
                group.members.remove(&member_id);
            }
        }
        self.former_members.insert(member_id);
        // Whom they had invited came in by whoever had invited them.
        let by = self.invited_by.remove(&member_id).unwrap_or_default();
        for inviters in self.invited_by.values_mut() {
            if inviters.remove(&member_id) {
                inviters.extend(&by);
            }
        }
    }

    fn address_given_up(&mut self, folded: &str, member_id: MemberId) {
        if let Some(members) = self.addresses.get_mut(folded) {
            members.remove(&member_id);
            if members.is_empty() {
                self.addresses.remove(folded);
            }
        }
    }
}
