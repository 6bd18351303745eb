//! `/v1/organizations/{organization_id}/projects` and their members

use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn a_project_is_created_changed_and_archived() {
    let app = App::new().await;
    let operator = app.admin();
    let organization = app.organization().await;
    let projects = format!("/v1/organizations/{organization}/projects");
    let created = operator.post(&projects, json!({"name": "a", "environment": "staging"})).await;
    let path = created.header("location");
    assert_eq!(path, format!("{projects}/{}", created.id("project_id")));
    operator.patch(&path, json!({"name": "b", "environment": "production"})).await.ok();
    operator.post(&projects, json!({"name": "A"})).await.ok();
    operator.post(&projects, json!({"name": "B"})).await.refused(409, "name-taken");
    let moon = operator.patch(&path, json!({"environment": "moon"})).await;
    moon.refused_field(400, "invalid-request", "environment");
    // Elsewhere the name is free.
    let other = app.organization().await;
    app.project(&other, "b").await;

    operator.post(&format!("{path}/archive"), json!({})).await.ok();
    operator.post(&format!("{path}/archive"), json!({})).await.ok();
    operator.patch(&path, json!({"name": "c"})).await.refused(409, "project-archived");
    operator.post(&projects, json!({"name": "b"})).await.ok();
}

#[tokio::test]
async fn only_members_of_the_organization_are_in_its_projects() {
    let app = App::new().await;
    let operator = app.admin();
    let organization = app.organization().await;
    let other = app.organization().await;
    let project = app.project(&organization, "alpha").await;
    let ada = app.member(&organization, "ada", "member").await;
    let stranger = app.member(&other, "eve", "member").await;
    let members = format!("/v1/organizations/{organization}/projects/{project}/members");
    let ada_here = format!("{members}/{ada}");

    operator.put(&ada_here, json!({"role": "member"})).await.ok();
    let same = operator.put(&ada_here, json!({"role": "member"})).await;
    assert_eq!(same.etag(), "\"2\"", "nothing to do");
    operator.put(&ada_here, json!({"role": "owner"})).await.ok();
    let refused = operator.put(&format!("{members}/{stranger}"), json!({"role": "member"})).await;
    refused.refused(404, "not-found");
    operator.delete(&ada_here).await.ok();
    operator.delete(&ada_here).await.ok();

    let suspend = format!("/v1/organizations/{organization}/members/{ada}/suspend");
    operator.post(&suspend, json!({})).await.ok();
    let suspended = operator.put(&ada_here, json!({"role": "member"})).await;
    suspended.refused(409, "member-suspended");
}
