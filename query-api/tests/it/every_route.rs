//! What holds for every route, taken from the routes' own description: a new one is tested as soon
//! as it is in the list.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::Request;
use utoipa::openapi::path::{Operation, ParameterIn};

use crate::support::{Answer, CREDENTIAL, World, id};

const ACME: u128 = 1;

struct Route {
    path: String,
    operation: Operation,
}

impl Route {
    /// The path with every parameter filled in.
    fn filled(&self, organization: u128, other: &str) -> String {
        let path = self.path.replace("{organization_id}", &id(organization).to_string());
        let filled = path.split('/').map(|part| match part {
            // The one thing that is not found by an id.
            "{position}" => "1",
            part if part.starts_with('{') => other,
            part => part,
        });
        let filled = filled.collect::<Vec<_>>().join("/");
        if !self.takes("permission") {
            return filled;
        }
        // The one route that must be told what is asked.
        format!("{filled}?member={other}&permission=usage.read")
    }

    fn parameters(&self, parameter_in: &ParameterIn) -> Vec<String> {
        let all = self.operation.parameters.iter().flatten();
        let these = all.filter(|parameter| parameter.parameter_in == *parameter_in);
        these.map(|parameter| parameter.name.clone()).collect()
    }

    fn takes(&self, name: &str) -> bool {
        self.parameters(&ParameterIn::Query).iter().any(|parameter| parameter == name)
    }
}

/// The path with one parameter more.
fn and(path: &str, parameter: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{parameter}")
}

async fn acme() -> (World, Vec<Route>) {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project(ACME, 10, "2026-01-01T00:00:00Z", "Prod").await;
    world.project_all().await;
    world.seal().await;
    let mut routes = Vec::new();
    for (path, item) in world.description().paths.paths {
        // All of this API reads: another method would need these tests to learn it.
        for other in [&item.post, &item.put, &item.patch, &item.delete] {
            assert!(other.is_none(), "{path}");
        }
        routes.push(Route { path, operation: item.get.expect("a GET") });
    }
    (world, routes)
}

#[tokio::test]
async fn the_list_of_routes_is_what_it_should_be() {
    let (_, routes) = acme().await;
    let mut paths: Vec<&str> = routes.iter().map(|route| route.path.as_str()).collect();
    paths.sort_unstable();
    let expected = [
        "/v1/checkpoint",
        "/v1/organizations",
        "/v1/organizations/{organization_id}",
        "/v1/organizations/{organization_id}/access-register",
        "/v1/organizations/{organization_id}/access-reviews",
        "/v1/organizations/{organization_id}/access-reviews/{access_review_id}",
        "/v1/organizations/{organization_id}/access-reviews/{access_review_id}/lines",
        "/v1/organizations/{organization_id}/api-keys",
        "/v1/organizations/{organization_id}/api-keys/{api_key_id}",
        "/v1/organizations/{organization_id}/approvals",
        "/v1/organizations/{organization_id}/audit-log",
        "/v1/organizations/{organization_id}/audit-log/{event_id}",
        "/v1/organizations/{organization_id}/balance",
        "/v1/organizations/{organization_id}/break-glass",
        "/v1/organizations/{organization_id}/budgets",
        "/v1/organizations/{organization_id}/budgets/{budget_id}",
        "/v1/organizations/{organization_id}/costs",
        "/v1/organizations/{organization_id}/credit-lots",
        "/v1/organizations/{organization_id}/credit-movements",
        "/v1/organizations/{organization_id}/credits/authorization",
        "/v1/organizations/{organization_id}/diff",
        "/v1/organizations/{organization_id}/entries/{position}/proof",
        "/v1/organizations/{organization_id}/groups",
        "/v1/organizations/{organization_id}/groups/{group_id}",
        "/v1/organizations/{organization_id}/groups/{group_id}/members",
        "/v1/organizations/{organization_id}/invites",
        "/v1/organizations/{organization_id}/invites/{invite_id}",
        "/v1/organizations/{organization_id}/members",
        "/v1/organizations/{organization_id}/members/{member_id}",
        "/v1/organizations/{organization_id}/permissions/explain",
        "/v1/organizations/{organization_id}/price-lists",
        "/v1/organizations/{organization_id}/projects",
        "/v1/organizations/{organization_id}/projects/{project_id}",
        "/v1/organizations/{organization_id}/projects/{project_id}/groups",
        "/v1/organizations/{organization_id}/projects/{project_id}/members",
        "/v1/organizations/{organization_id}/refusals",
        "/v1/organizations/{organization_id}/role-grants",
        "/v1/organizations/{organization_id}/roles",
        "/v1/organizations/{organization_id}/roles/{role_id}",
        "/v1/organizations/{organization_id}/roles/{role_id}/grants",
        "/v1/organizations/{organization_id}/security",
        "/v1/organizations/{organization_id}/service-accounts",
        "/v1/organizations/{organization_id}/service-accounts/{service_account_id}",
        "/v1/organizations/{organization_id}/settings",
        "/v1/organizations/{organization_id}/statement",
        "/v1/organizations/{organization_id}/suggestions",
        "/v1/organizations/{organization_id}/usage-batches/{batch_id}/records",
        "/v1/organizations/{organization_id}/webhooks",
        "/v1/organizations/{organization_id}/webhooks/{webhook_id}",
        "/v1/organizations/{organization_id}/webhooks/{webhook_id}/deliveries",
        "/v1/organizations/{organization_id}/why",
        "/v1/status",
    ];
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn no_route_answers_without_a_credential() {
    let (world, routes) = acme().await;
    for route in routes {
        let path = route.filled(ACME, &id(10).to_string());
        for header in [
            None,
            Some("Bearer a-wrong-credential".to_owned()),
            Some(format!("Basic {CREDENTIAL}")),
        ] {
            let mut request = Request::get(&path);
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let answer = world.send(request.body(Body::empty()).expect("a request")).await;
            answer.assert_problem(401, "unauthorized", &path);
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{path}");
        }
    }
}

#[tokio::test]
async fn another_organization_is_not_found() {
    let (world, routes) = acme().await;
    for route in routes.iter().filter(|route| route.path.contains("{organization_id}")) {
        let path = route.filled(99, &id(10).to_string());
        world.get(&path).await.assert_problem(404, "not-found", &path);
    }
}

#[tokio::test]
async fn only_what_is_of_no_one_organization_reads_across_them() {
    let (world, routes) = acme().await;
    // The role in which that is done reads nothing any more.
    sqlx::query("revoke usage on schema read from orgledger_operator")
        .execute(&world.owner)
        .await
        .expect("the owner may");
    let mut across = Vec::new();
    for route in &routes {
        let answer = world.get(&route.filled(ACME, &id(10).to_string())).await;
        if answer.status.is_server_error() {
            across.push(route.path.as_str());
        }
    }
    across.sort_unstable();
    assert_eq!(across, ["/v1/organizations"]);
}

#[tokio::test]
async fn malformed_ids_are_named() {
    let (world, routes) = acme().await;
    let mut tried = 0;
    for route in &routes {
        for name in route.parameters(&ParameterIn::Path) {
            let path = route.path.replace(&format!("{{{name}}}"), "not-an-id");
            let path = Route { path, operation: route.operation.clone() }
                .filled(ACME, &id(10).to_string());
            let answer = world.get(&path).await;
            answer.assert_problem(400, "invalid-request", &path);
            assert_eq!(answer.at("/field"), name.as_str(), "{path}");
            tried += 1;
        }
        let in_path = route.path.matches('{').count();
        assert_eq!(route.parameters(&ParameterIn::Path).len(), in_path, "{}", route.path);
    }
    assert!(tried > 15, "{tried}");
}

#[tokio::test]
async fn malformed_parameters_are_named() {
    let (world, routes) = acme().await;
    let wrong = [
        ("limit", &["0", "501", "-1", "many", ""][..]),
        ("cursor", &["x", "", "1zz", "25b5d", "15b5d"]),
        ("as_of", &["yesterday", "2026-13-01", ""]),
        ("at_position", &["-1", "1.5", "all", "99999999999999999999"]),
        ("min_position", &["-1", "now"]),
        ("project_id", &["prod"]),
        ("unused_days", &["0", "3651", "many"]),
        ("kind", &["everything", ""]),
        ("state", &["ajar"]),
        ("member_id", &["alice", ""]),
        ("group_id", &["support"]),
        ("service_account_id", &["robot"]),
        ("state", &["unheard-of", ""]),
        ("nobody-knows-this", &["1"]),
    ];
    for route in &routes {
        let path = route.filled(ACME, &id(10).to_string());
        for (name, values) in wrong {
            if !route.takes(name) && name != "nobody-knows-this" {
                continue;
            }
            for value in values {
                let query = and(&path, &format!("{name}={value}"));
                let answer = world.get(&query).await;
                answer.assert_problem(400, "invalid-request", &query);
                assert_eq!(answer.at("/field"), name, "{query}");
            }
            let twice = and(&path, &format!("{name}=1&{name}=1"));
            world.get(&twice).await.assert_problem(400, "invalid-request", &twice);
        }
    }
}

/// Where a `Link` header leads, of each relation.
fn links(answer: &Answer) -> BTreeMap<String, String> {
    let header = answer.headers.get("link").map(|value| value.to_str().expect("visible"));
    let links = header.unwrap_or_default().split(", ").filter(|link| !link.is_empty());
    let read = |link: &str| {
        let (target, relation) = link.strip_prefix('<')?.split_once(">; rel=\"")?;
        Some((relation.strip_suffix('"')?.to_owned(), target.to_owned()))
    };
    links.map(|link| read(link).unwrap_or_else(|| panic!("{link}"))).collect()
}

#[tokio::test]
async fn every_list_is_read_to_its_end_by_its_links() {
    let (world, routes) = acme().await;
    world.organization(2, "2026-01-02T00:00:00Z", "Beta & Sons").await;
    for (number, name) in [(200, "ada"), (201, "bob"), (202, "eve")] {
        world.member(ACME, number, "2026-01-02T00:00:00Z", name).await;
        world.assign(ACME, 10, number, "2026-01-03T00:00:00Z").await;
    }
    world.project(ACME, 11, "2026-01-02T00:00:00Z", "Test").await;
    world.project_all().await;
    let mut followed = 0;
    for route in &routes {
        let path = route.filled(ACME, &id(10).to_string());
        if !route.takes("cursor") {
            assert!(!world.get(&path).await.headers.contains_key("link"), "{path}");
            continue;
        }
        // No access review, group, role, batch or webhook has the id that is filled in.
        if ["access_review_id", "group_id", "role_id", "batch_id", "webhook_id"]
            .iter()
            .any(|id| route.path.contains(id))
        {
            continue;
        }
        let as_of = if route.takes("as_of") { "&as_of=2027-01-01" } else { "" };
        let all = world.found(&format!("{path}?limit=500{as_of}")).await.at("/items");
        let first = format!("{path}?limit=1{as_of}");
        let (mut page, mut items) = (first.clone(), Vec::new());
        loop {
            let answer = world.found(&page).await;
            items.extend(answer.at("/items").as_array().expect("items").iter().cloned());
            let mut links = links(&answer);
            assert_eq!(links.remove("first").as_ref(), Some(&first), "{page}");
            assert_eq!(links.contains_key("next"), !answer.at("/next_cursor").is_null(), "{page}");
            let Some(next) = links.remove("next") else { break };
            followed += 1;
            page = next;
        }
        assert_eq!(serde_json::Value::from(items), all, "{path}");
    }
    assert!(followed > 4, "{followed}");
}

#[tokio::test]
async fn every_query_but_status_can_wait_for_a_position() {
    let (world, routes) = acme().await;
    for route in &routes {
        assert_eq!(route.takes("min_position"), route.path != "/v1/status", "{}", route.path);
        if !route.takes("min_position")
            || [
                "api_key_id",
                "member_id",
                "group_id",
                "role_id",
                "invite_id",
                "account_id",
                "access_review_id",
                "event_id",
                "batch_id",
                "budget_id",
                "webhook_id",
            ]
            .iter()
            .any(|id| route.path.contains(id))
            || route.takes("member")
        {
            continue;
        }
        let path = format!("{}?min_position=1", route.filled(ACME, &id(10).to_string()));
        let answer = world.found(&path).await;
        assert_eq!(answer.headers["orgledger-position"], "2", "{path}");
    }
}
