//! Who asked for something, as they stood just before it.

use super::super::log::Entry;
use super::super::permissions::{Permissions, Tables, rank};
use super::super::world::{Key, World};

/// That a rule holds, or what is wrong.
pub(super) type Broken = Result<(), String>;

/// A member or service account who acts, and the key that they act with.
pub(super) struct Asker<'a> {
    before: &'a World,
    tables: &'a Tables,
    organization: &'a str,
    id: &'a str,
    is_member: bool,
    only_in: Option<&'a str>,
    scopes: Option<&'a Permissions>,
}

/// Nobody gives more than they have.
pub(super) fn covered(wanted: &Permissions, own: &Permissions) -> Broken {
    match wanted.difference(own).next() {
        Some(permission) => Err(format!("{permission} was not theirs to give")),
        None => Ok(()),
    }
}

impl<'a> Asker<'a> {
    /// Who has caused an event: somebody who may act, with a key that works.
    pub(super) fn of(
        before: &'a World,
        tables: &'a Tables,
        entry: &'a Entry,
    ) -> Result<Self, String> {
        let Some(organization) = before.organizations.get(&entry.organization) else {
            return Err("there is no such organization".to_owned());
        };
        let is_member = entry.actor_kind == "member";
        let acts = match entry.actor_kind.as_str() {
            "member" => organization.acts(&entry.actor_id),
            "service_account" => before.accounts.get(&entry.actor_id).is_some_and(|a| a.works),
            _ => false,
        };
        if !acts {
            return Err("the actor may not act".to_owned());
        }
        let mut asker = Self {
            before,
            tables,
            organization: &entry.organization,
            id: &entry.actor_id,
            is_member,
            only_in: None,
            scopes: None,
        };
        if let Some(id) = &entry.api_key {
            let key = before.keys.get(id).filter(|key| {
                !key.ended && key.owner == entry.actor_id && key.organization == entry.organization
            });
            let key = key.ok_or("the key does not work")?;
            asker.only_in = key.project.as_deref();
            asker.scopes = key.scopes.as_ref();
        }
        Ok(asker)
    }

    pub(super) fn is(&self, member: &str) -> bool {
        self.is_member && self.id == member
    }

    pub(super) fn scopes(&self) -> Option<&Permissions> {
        self.scopes
    }

    pub(super) fn is_confined(&self) -> bool {
        self.only_in.is_some()
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.scopes.is_none() && self.only_in.is_none()
    }

    fn within_scopes(&self, mut permissions: Permissions) -> Permissions {
        permissions
            .retain(|permission| self.scopes.is_none_or(|scopes| scopes.contains(permission)));
        permissions
    }

    pub(super) fn everywhere(&self) -> Permissions {
        if self.is_confined() || !self.is_member {
            return Permissions::from(["organization.read".to_owned()]);
        }
        let organization = &self.before.organizations[self.organization];
        self.within_scopes(organization.everywhere(self.tables, self.id))
    }

    pub(super) fn inside(&self, project: &str) -> Permissions {
        if self.only_in.is_some_and(|only| only != project) || !self.is_member {
            return Permissions::new();
        }
        let mut all = self.before.member_in(self.tables, self.id, project);
        if self.is_confined() {
            let of_projects = self.tables.of_projects();
            all.retain(|permission| of_projects.contains(permission));
        }
        self.within_scopes(all)
    }

    pub(super) fn may(&self, permission: &str) -> Broken {
        let may = self.everywhere().contains(permission);
        may.then_some(()).ok_or_else(|| format!("the actor lacked {permission}"))
    }

    pub(super) fn may_in(&self, project: &str, permission: &str) -> Broken {
        let may = self.inside(project).contains(permission);
        may.then_some(()).ok_or_else(|| format!("the actor lacked {permission} in {project}"))
    }

    fn rank(&self) -> u8 {
        self.before.organizations[self.organization].rank_of(self.id)
    }

    /// Nobody touches a role above their own.
    pub(super) fn covers_role(&self, role: &str) -> Broken {
        if rank(role) > self.rank() {
            return Err(format!("{role} is above the actor"));
        }
        if self.rank() == 0 {
            return covered(self.tables.of_organization_role(role), &self.everywhere());
        }
        Ok(())
    }

    pub(super) fn gives_role(&self, role: &str) -> Broken {
        self.covers_role(role)?;
        match self.scopes {
            Some(_) => covered(self.tables.of_organization_role(role), &self.everywhere()),
            None => Ok(()),
        }
    }

    /// Nobody gives themselves what they do not have.
    pub(super) fn gives_role_to(&self, role: &str, members: &[&str]) -> Broken {
        self.gives_role(role)?;
        if members.iter().any(|member| self.is(member)) {
            return covered(self.tables.of_organization_role(role), &self.everywhere());
        }
        Ok(())
    }

    /// Nobody touches a member above themselves.
    pub(super) fn covers_member(&self, member: &str) -> Broken {
        let organization = &self.before.organizations[self.organization];
        if organization.rank_of(member) > self.rank() {
            return Err("the member is above the actor".to_owned());
        }
        if self.rank() == 0 {
            return covered(&organization.everywhere(self.tables, member), &self.everywhere());
        }
        Ok(())
    }

    pub(super) fn outranks_owner_of(&self, key: &Key) -> Broken {
        let organization = &self.before.organizations[self.organization];
        if key.of_member && organization.rank_of(&key.owner) > self.rank() {
            return Err("the key's owner is above the actor".to_owned());
        }
        Ok(())
    }

    /// Nobody sees a secret that opens more than they may do.
    pub(super) fn may_all_that_opens(&self, key: &Key) -> Broken {
        let (mut opened, own) = match &key.project {
            Some(project) => {
                let of_projects = self.tables.of_projects();
                let mut opened = self.before.owner_in(self.tables, key, project);
                opened.retain(|permission| of_projects.contains(permission));
                (opened, self.inside(project))
            }
            None => {
                let organization = &self.before.organizations[self.organization];
                (organization.everywhere(self.tables, &key.owner), self.everywhere())
            }
        };
        opened.retain(|permission| key.scopes.as_ref().is_none_or(|all| all.contains(permission)));
        covered(&opened, &own)
    }
}
