//! How fast the access register is built from zero.

use command_api::members::{
    AddMember, AddMemberRequest, ChangeMemberRole, ChangeMemberRoleRequest,
};
use command_api::project_members::{
    AssignProjectMember, AssignProjectMemberRequest, RemoveProjectMember,
};
use command_api::projects::{CreateProject, CreateProjectRequest};
use embedded::testing::test_database;
use event_log::database::{self, Role};
use event_schemas::{OrganizationRole, ProjectRole};
use projectors::{Feed, PostgresFeed};

use crate::figure::{Figures, median};
use crate::world::World;

/// Members of the organization; each makes for a dozen events.
const MEMBERS: usize = 5_000;

/// Projects of the organization.
const PROJECTS: usize = 100;

/// How often it is rebuilt; the median counts.
const ROUNDS: usize = 3;

/// Builds a history and rebuilds the register from it.
pub(crate) async fn measure(figures: &mut Figures) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    history(&world).await?;
    let options = database.connect_options();
    let read = database::pool(&options, Role::Projector, 8).await?;
    let log = database::pool(&options, Role::Projector, 8).await?;
    let feed = Feed::Postgres(PostgresFeed::of(log, world.executor.log().vault().clone()));
    let projection = projectors::named("access_register")?;
    let head = world.executor.log().head().await?;
    projectors::catch_up(&read, &feed, std::slice::from_ref(&projection), head).await?;
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let rebuilt = projectors::rebuild(&read, &feed, &projection, &mut |_| {}).await?;
        #[allow(clippy::cast_precision_loss)] // Far below 2^53.
        rates.push(rebuilt.entries as f64 / rebuilt.seconds);
    }
    figures.alone("rebuild_access_register", median(rates), "events/s", "≥ 20,000");
    Ok(())
}

/// People join, change roles, are assigned to projects and taken out again.
pub(crate) async fn history(world: &World) -> anyhow::Result<()> {
    let organization_id = world.organization_id;
    let projects: Vec<CreateProject> = (0..PROJECTS)
        .map(|number| CreateProject {
            organization_id,
            request: CreateProjectRequest { name: format!("project-{number}"), environment: None },
        })
        .collect();
    let projects = world.all(&projects).await?;
    let members: Vec<AddMember> = (0..MEMBERS)
        .map(|number| AddMember {
            organization_id,
            request: AddMemberRequest {
                login: format!("member-{number}"),
                email: None,
                role: Some(OrganizationRole::Member),
            },
        })
        .collect();
    let members = world.all(&members).await?;
    for (wave, role) in
        [OrganizationRole::Admin, OrganizationRole::Reader, OrganizationRole::Member]
            .into_iter()
            .enumerate()
    {
        let changes: Vec<ChangeMemberRole> = members
            .iter()
            .map(|member| ChangeMemberRole {
                organization_id,
                member_id: member.member_id,
                request: ChangeMemberRoleRequest { role },
            })
            .collect();
        world.all(&changes).await?;
        let project = |number: usize| projects[(number * 7 + wave) % projects.len()].project_id;
        let assigns: Vec<AssignProjectMember> = members
            .iter()
            .enumerate()
            .map(|(number, member)| AssignProjectMember {
                organization_id,
                project_id: project(number),
                request: AssignProjectMemberRequest {
                    member_id: member.member_id,
                    role: Some(ProjectRole::Member),
                },
            })
            .collect();
        world.all(&assigns).await?;
        let removals: Vec<RemoveProjectMember> = members
            .iter()
            .enumerate()
            .filter(|(number, _)| number % 2 == 0)
            .map(|(number, member)| RemoveProjectMember {
                organization_id,
                project_id: project(number),
                member_id: member.member_id,
            })
            .collect();
        world.all(&removals).await?;
    }
    Ok(())
}
