//! Histories of people and teams that nobody lived, and what they come to: a fold as plain as the
//! format's description, sharing nothing with the program.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

/// The organizations by name.
pub(crate) type World = BTreeMap<String, Organization>;

/// Members by login in lower case, and of each project the members by login.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Organization {
    pub(crate) members: BTreeMap<String, String>,
    pub(crate) projects: BTreeMap<String, BTreeMap<String, String>>,
}

/// The world as of a time, and the places (from 0) of the changes that had to be refused. Times
/// compare as text: they are all written alike.
pub(crate) fn fold(changes: &[Value], as_of: &str) -> (World, Vec<usize>) {
    let mut world = World::new();
    let mut refused = Vec::new();
    for (place, change) in changes.iter().enumerate() {
        if text(change, "ts") <= as_of && !apply(&mut world, change) {
            refused.push(place);
        }
    }
    (without_empty_projects(world), refused)
}

fn text<'a>(change: &'a Value, field: &str) -> &'a str {
    change[field].as_str().unwrap()
}

/// Whether the change was possible.
fn apply(world: &mut World, change: &Value) -> bool {
    let (kind, name) = (text(change, "kind"), text(change, "org"));
    if matches!(kind, "team_updated" | "team_repo_granted" | "team_repo_revoked") {
        return true;
    }
    if kind == "org_created" {
        world.entry(name.to_owned()).or_default();
        return true;
    }
    if kind == "org_deleted" {
        world.remove(name);
        return true;
    }
    let takes_away = matches!(kind, "member_removed" | "team_deleted" | "team_member_removed");
    let Some(organization) = world.get_mut(name) else { return takes_away };
    let Organization { members, projects } = organization;
    let login = change["subject"].as_str().map(str::to_lowercase).unwrap_or_default();
    let team = change["team"].as_str().unwrap_or_default();
    match kind {
        "member_added" => {
            members.insert(login, organization_role(change));
        }
        "role_changed" => match members.get_mut(&login) {
            Some(role) => *role = organization_role(change),
            None => return false,
        },
        "member_removed" => {
            members.remove(&login);
            for team in projects.values_mut() {
                team.remove(&login);
            }
        }
        "member_renamed" => {
            let new_login = text(change, "new_subject").to_lowercase();
            let is_taken = new_login != login && members.contains_key(&new_login);
            if is_taken || !members.contains_key(&login) {
                return false;
            }
            for people in std::iter::once(members).chain(projects.values_mut()) {
                if let Some(role) = people.remove(&login) {
                    people.insert(new_login.clone(), role);
                }
            }
        }
        "team_created" => {
            projects.entry(team.to_owned()).or_default();
        }
        "team_deleted" => {
            projects.remove(team);
        }
        "team_member_added" | "team_role_changed" if text(change, "role") != "alumni" => {
            if !members.contains_key(&login) {
                return false;
            }
            let Some(team) = projects.get_mut(team) else { return false };
            team.insert(login, project_role(change));
        }
        "team_member_added" | "team_role_changed" | "team_member_removed" => {
            if let Some(team) = projects.get_mut(team) {
                team.remove(&login);
            }
        }
        other => panic!("unknown kind {other}"),
    }
    true
}

fn organization_role(change: &Value) -> String {
    let role = text(change, "role");
    if role == "admin" { "admin".to_owned() } else { "member".to_owned() }
}

fn project_role(change: &Value) -> String {
    let role = text(change, "role");
    if role == "member" { "member".to_owned() } else { "owner".to_owned() }
}

/// The world as the expected files of real histories have it.
pub(crate) fn expected(file: &Value) -> World {
    let people = |people: &Value| -> BTreeMap<String, String> {
        serde_json::from_value(people.clone()).unwrap()
    };
    let organization = |organization: &Value| Organization {
        members: people(&organization["members"]),
        projects: objects(&organization["projects"]).map(|(n, p)| (n.clone(), people(p))).collect(),
    };
    let organizations = objects(&file["organizations"]);
    without_empty_projects(organizations.map(|(n, o)| (n.clone(), organization(o))).collect())
}

fn objects(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().unwrap().iter()
}

/// The world as `access-register --format json` has it.
pub(crate) fn registered(register: &Value) -> World {
    let mut world = World::new();
    for organization in items(&register["organizations"]) {
        let name = text(organization, "name").to_owned();
        let mut people = Organization::default();
        for person in items(&organization["people"]) {
            let login = text(person, "login").to_lowercase();
            for project in items(&person["projects"]) {
                let team = people.projects.entry(text(project, "name").to_owned()).or_default();
                let twice = team.insert(login.clone(), text(project, "role").to_owned());
                assert_eq!(twice, None, "{login} is twice in {}", project["name"]);
            }
            let twice = people.members.insert(login.clone(), text(person, "role").to_owned());
            assert_eq!(twice, None, "{login} is twice in {name}");
        }
        assert_eq!(world.insert(name.clone(), people), None, "{name} is there twice");
    }
    world
}

fn items(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// A register names projects through their members only.
fn without_empty_projects(mut world: World) -> World {
    for organization in world.values_mut() {
        organization.projects.retain(|_, people| !people.is_empty());
    }
    world
}

/// Asserts that two worlds are the same, and names the first difference where they are not: a whole
/// world is too long to read.
#[track_caller]
pub(crate) fn assert_same(ours: &World, expected: &World, what: &str) {
    let names = |world: &World| world.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(expected), "{what}: organizations");
    for (name, wanted) in expected {
        let found = &ours[name];
        assert_people(&found.members, &wanted.members, &format!("{what}: members of {name}"));
        let projects = |o: &Organization| o.projects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(projects(found), projects(wanted), "{what}: projects of {name}");
        for (project, people) in &wanted.projects {
            assert_people(&found.projects[project], people, &format!("{what}: {name}/{project}"));
        }
    }
}

#[track_caller]
fn assert_people(found: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>, what: &str) {
    let differs = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
        a.iter().filter(|(k, v)| b.get(*k) != Some(v)).map(|p| format!("{p:?}")).collect::<Vec<_>>()
    };
    let (ours, theirs) = (differs(found, wanted), differs(wanted, found));
    assert!(ours.is_empty() && theirs.is_empty(), "{what}: ours {ours:?}, expected {theirs:?}");
}

/// A history as a file has it.
pub(crate) fn lines(changes: &[Value]) -> String {
    let mut text = String::new();
    for change in changes {
        text.push_str(&change.to_string());
        text.push('\n');
    }
    text
}

/// How the times of a generated history run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// Never back, several changes at once.
    InOrder,
    /// Back and forth, but what concerns the same person, team or organization stays in order: what
    /// a change looks at was so at its time as well as in the file.
    OutOfOrder,
}

/// A history of several organizations, the same for the same seed.
pub(crate) fn generate(seed: u64, changes: usize, times: Times) -> Vec<Value> {
    let mut author =
        Author { chance: Chance(seed), times, now: 1_500_000_000, last: HashMap::new() };
    let mut history: Vec<Value> = (0..ORGANIZATIONS)
        .map(|n| author.dated("org_created", n, None, None, &Value::Null))
        .collect();
    while history.len() < changes {
        history.push(author.write());
    }
    history
}

const ORGANIZATIONS: u64 = 7;
const PEOPLE: u64 = 160;
const TEAMS: u64 = 40;
/// How far back a change may lie that is out of order.
const BACK_SECONDS_MAX: u64 = 40 * 86_400;

/// Numbers that look random (xorshift64*), the same for the same seed.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// A number below the limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

struct Author {
    chance: Chance,
    times: Times,
    now: u64,
    /// The last time at which anything was said of an organization (and all that is in it), a person
    /// or a team.
    last: HashMap<String, u64>,
}

impl Author {
    fn write(&mut self) -> Value {
        // Some organizations are large.
        let organization = self.chance.below(ORGANIZATIONS).min(self.chance.below(ORGANIZATIONS));
        let person = self.login();
        let team = format!("team-{}", self.chance.below(TEAMS));
        let (person, team) = (Some(person.as_str()), Some(team.as_str()));
        let none = Value::Null;
        match self.chance.below(1_000) {
            0..=219 => {
                let role = self.chance.one_of(&["person", "person", "member", "admin"]);
                self.dated("member_added", organization, person, None, &json!({ "role": role }))
            }
            220..=269 => {
                let role = self.chance.one_of(&["person", "admin"]);
                self.dated("role_changed", organization, person, None, &json!({ "role": role }))
            }
            270..=339 => self.dated("member_removed", organization, person, None, &none),
            340..=359 => {
                let new = self.login();
                let more = json!({ "new_subject": new });
                self.dated("member_renamed", organization, person, None, &more)
            }
            360..=419 => self.dated("team_created", organization, None, team, &none),
            420..=429 => self.dated("team_deleted", organization, None, team, &none),
            430..=729 => {
                let role =
                    self.chance.one_of(&["member", "member", "lead", "maintainer", "alumni"]);
                let more = json!({ "role": role });
                self.dated("team_member_added", organization, person, team, &more)
            }
            730..=799 => {
                let role = self.chance.one_of(&["member", "lead", "alumni"]);
                let more = json!({ "role": role });
                self.dated("team_role_changed", organization, person, team, &more)
            }
            800..=899 => {
                let more = json!({ "role": "member" });
                self.dated("team_member_removed", organization, person, team, &more)
            }
            900..=996 => {
                let kind =
                    self.chance.one_of(&["team_updated", "team_repo_granted", "team_repo_revoked"]);
                self.dated(kind, organization, None, team, &json!({ "repo": "a/b" }))
            }
            997 => self.dated("org_deleted", organization, None, None, &none),
            _ => self.dated("org_created", organization, None, None, &none),
        }
    }

    /// People are called with any case of their login.
    fn login(&mut self) -> String {
        let login = format!("user-{:x}", self.chance.below(PEOPLE));
        if self.chance.below(5) == 0 { login.to_uppercase() } else { login }
    }

    fn dated(
        &mut self,
        kind: &str,
        organization: u64,
        person: Option<&str>,
        team: Option<&str>,
        more: &Value,
    ) -> Value {
        if self.chance.below(3) == 0 {
            self.now += self.chance.below(20_000);
        }
        let organization = format!("org-{organization}");
        let mut concerned: Vec<String> = Vec::new();
        let logins = [person, more["new_subject"].as_str()];
        for login in logins.into_iter().flatten() {
            concerned.push(format!("{organization} person {}", login.to_lowercase()));
        }
        concerned.extend(team.map(|team| format!("{organization} team {team}")));
        let time = self.time(&organization, &concerned);
        if kind.starts_with("org_") {
            concerned.push(organization.clone());
        }
        for name in concerned {
            self.last.insert(name, time);
        }
        let busiest = self.last.entry(format!("{organization} any")).or_default();
        *busiest = (*busiest).max(time);

        let mut change = json!({
            "seq": 0, "ts": rfc3339(time), "commit": format!("{time:x}"),
            "actor": format!("actor_{}", self.chance.below(9)), "kind": kind, "org": organization,
        });
        let fields = change.as_object_mut().unwrap();
        fields.extend(person.map(|login| ("subject".to_owned(), login.into())));
        fields.extend(team.map(|team| ("team".to_owned(), team.into())));
        fields.extend(more.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
        change
    }

    fn time(&mut self, organization: &str, concerned: &[String]) -> u64 {
        if self.times == Times::InOrder {
            return self.now;
        }
        let back = self.chance.below(BACK_SECONDS_MAX);
        let of = |name: &str| self.last.get(name).copied().unwrap_or(0);
        let earliest = concerned.iter().map(|name| of(name)).max().unwrap_or(0);
        // What concerns everybody comes after everything.
        let everybody = if concerned.is_empty() { of(&format!("{organization} any")) } else { 0 };
        self.now.saturating_sub(back).max(earliest).max(of(organization)).max(everybody)
    }
}

fn rfc3339(seconds: u64) -> String {
    let time = chrono::DateTime::from_timestamp(i64::try_from(seconds).unwrap(), 0).unwrap();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
