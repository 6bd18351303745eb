//! Who acts with an issuer's token: until when.

use api_conventions::authentication::{Presented, SignedIn};
use api_conventions::sign_in::LEEWAY;
use chrono::TimeDelta;
use command_api::projects::{CreateProject, CreateProjectRequest};
use command_api::{CommandContext, ExecuteError, Refusal};
use embedded::testing::unique_name;
use serde_json::json;

use crate::support::{App, ISSUER, by_member};

#[tokio::test]
async fn a_token_counts_as_long_where_it_is_decided_as_where_it_came_in() {
    let app = App::new().await;
    let organization = app.organization().await;
    let path = format!("/v1/organizations/{organization}");
    let ada = json!({"login": "ada", "email": "ada@example.com", "role": "admin"});
    let ada = app.admin().post(&format!("{path}/members"), ada).await.id("member_id");
    let security = json!({"identity_provider": {"issuer": ISSUER,
        "email_domains": ["example.com"]}, "approvals": []});
    app.admin().replace(&format!("{path}/security"), security).await.ok();
    let organization_id = organization.parse().expect("an id");
    let expires_at = event_log::clock::now();
    let create = async |after: TimeDelta| {
        let presented = Presented::SignedIn(SignedIn {
            issuer: ISSUER.into(),
            email: "ada@example.com".into(),
            organization_id,
            member_id: ada.parse().expect("an id"),
            expires_at,
        });
        let now = expires_at + after;
        let context = CommandContext { presented: Some(presented), now, ..by_member(&ada) };
        let request = CreateProjectRequest { name: unique_name(), environment: None };
        let command = CreateProject { organization_id, request };
        app.executor().execute(&context, &command).await
    };
    let moment = TimeDelta::microseconds(1);
    for after in [TimeDelta::zero(), LEEWAY - moment] {
        create(after).await.unwrap_or_else(|error| panic!("{after}: {error}"));
    }
    for after in [LEEWAY, LEEWAY + moment] {
        let refused = create(after).await.map(|answer| answer.position);
        let ended = Err(ExecuteError::Refused(Refusal::CredentialEnded));
        assert_eq!(format!("{refused:?}"), format!("{:?}", ended.map(|()| 0)), "{after}");
    }
}
