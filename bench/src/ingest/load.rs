//! What is recorded: two organizations' usage, made before the clock runs, and what it adds up to.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use command_api::api_keys::{CreateApiKey, CreateApiKeyRequest};
use command_api::members::{AddMember, AddMemberRequest};
use command_api::organizations::CreateOrganization;
use command_api::price_lists::PublishPriceList;
use command_api::projects::{CreateProject, CreateProjectRequest};
use domain::usage::UsageRecord;
use event_log::clock;
use event_schemas::{ApiKeyId, OrganizationId, OrganizationRole, ProjectId, Units};
use serde_json::{Value, json};

use crate::world::World;

/// Two organizations: the writers are split by organization.
const TENANTS: usize = 2;
const PROJECTS: usize = 4;
const KEYS: usize = 8;
const FEATURES: u64 = 20;

/// Models, with what a million tokens cost: of input, of cached input, of output.
const MODELS: [(&str, i128, i128, i128); 6] = [
    ("gpt-4o", 10, 5, 40),
    ("gpt-4o-mini", 2, 1, 8),
    ("gpt-4.1", 8, 2, 32),
    ("gpt-4.1-mini", 4, 1, 16),
    ("o3", 8, 2, 32),
    ("o4-mini", 4, 1, 16),
];

/// Picos a token, where a million of them cost 1.
const PICO_A_TOKEN: i128 = 1_000_000;

/// Who sends.
#[derive(Clone)]
pub(super) struct Tenant {
    pub(super) organization_id: OrganizationId,
    /// Each with its project.
    keys: Vec<(ProjectId, ApiKeyId)>,
}

/// Records that are sent together.
pub(super) struct Batch {
    pub(super) records: Vec<UsageRecord>,
}

/// What the rollup must come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) requests: i64,
    pub(super) input_tokens: i64,
    pub(super) cached_input_tokens: i64,
    pub(super) output_tokens: i64,
    pub(super) cost_pico: i128,
}

/// Makes records.
pub(super) struct Load {
    pub(super) tenants: Vec<Tenant>,
    /// Of all that was made so far.
    pub(super) expected: Totals,
    began: DateTime<Utc>,
    made: u64,
}

impl Load {
    /// Sets the organizations up.
    pub(super) async fn on(world: &World) -> anyhow::Result<Self> {
        Self::of(world, TENANTS).await
    }

    /// The same with so many organizations.
    pub(super) async fn of(world: &World, tenants_count: usize) -> anyhow::Result<Self> {
        world.all(&[price_list()?]).await?;
        let mut tenants = Vec::new();
        for number in 0..tenants_count {
            tenants.push(tenant(world, number).await?);
        }
        Ok(Self { tenants, expected: Totals::default(), began: clock::now(), made: 0 })
    }

    /// So many records, dealt out to senders in batches of these sizes. Senders take turns among the
    /// organizations.
    pub(super) fn batches(
        &mut self,
        senders: usize,
        records: usize,
        sizes: &[usize],
    ) -> Vec<(Tenant, Vec<Batch>)> {
        let mut dealt = Vec::with_capacity(senders);
        for sender in 0..senders {
            let tenant = self.tenants[sender % self.tenants.len()].clone();
            let mut left = records / senders;
            let mut batches = Vec::new();
            for size in sizes.iter().cycle() {
                let size = left.min(*size);
                if size == 0 {
                    break;
                }
                left -= size;
                batches.push(Batch { records: (0..size).map(|_| self.record(&tenant)).collect() });
            }
            dealt.push((tenant, batches));
        }
        dealt
    }

    /// So many records of one tenant.
    pub(super) fn batch(&mut self, tenant: usize, records: usize) -> Batch {
        let tenant = self.tenants[tenant].clone();
        Batch { records: (0..records).map(|_| self.record(&tenant)).collect() }
    }

    fn record(&mut self, tenant: &Tenant) -> UsageRecord {
        let number = self.made;
        self.made += 1;
        let mut dice = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut roll = |sides: u64| {
            dice ^= dice >> 29;
            dice = dice.wrapping_mul(0xbf58_476d_1ce4_e5b9);
            dice ^= dice >> 32;
            dice % sides
        };
        let pick = |roll: u64, of: usize| usize::try_from(roll).unwrap_or(0) % of;
        let (project_id, api_key_id) = tenant.keys[pick(roll(KEYS as u64), KEYS)];
        let (model, input_price, cached_price, output_price) = MODELS[pick(roll(6), 6)];
        let count = |roll: u64| i64::try_from(roll).unwrap_or(0);
        let (input, output) = (200 + count(roll(4_000)), 20 + count(roll(900)));
        let cached = input / 4;
        self.expected.requests += 1;
        self.expected.input_tokens += input;
        self.expected.cached_input_tokens += cached;
        self.expected.output_tokens += output;
        self.expected.cost_pico += PICO_A_TOKEN
            * (i128::from(input - cached) * input_price
                + i128::from(cached) * cached_price
                + i128::from(output) * output_price);
        let feature = format!("feature-{}", roll(FEATURES));
        let occurred_at = self.began - Duration::milliseconds(count(roll(600_000)));
        let request_id =
            format!("chatcmpl-{:08x}-{:04x}-{number:012}", roll(1 << 32), roll(1 << 16));
        UsageRecord {
            project_id,
            api_key_id: Some(api_key_id),
            member_id: None,
            service_account_id: None,
            end_user: None,
            feature,
            provider: "openai".to_owned(),
            model: model.to_owned(),
            request_id,
            occurred_at,
            input_tokens: input,
            cached_input_tokens: cached,
            cache_write_tokens: 0,
            output_tokens: output,
            reasoning_tokens: 0,
            units: Units::NONE,
            service_tier: None,
            error_type: None,
            duration_ms: None,
            tags: BTreeMap::new(),
        }
    }
}

fn price_list() -> anyhow::Result<PublishPriceList> {
    let models: Vec<Value> = MODELS
        .iter()
        .map(|(model, input, cached, output)| {
            json!({"model": model, "matches": {"equals": model}, "rates": {
                "input_tokens": input.to_string(), "cached_input_tokens": cached.to_string(),
                "output_tokens": output.to_string()}})
        })
        .collect();
    Ok(serde_json::from_value(json!({"catalogue": "benchmark", "provider": "openai",
        "currency": "USD", "models": models}))?)
}

async fn tenant(world: &World, number: usize) -> anyhow::Result<Tenant> {
    let name = format!("Tenant {number}");
    let create = CreateOrganization { name, seat_limit: None, owner: None };
    let [organization] = &world.all(&[create]).await?[..] else { anyhow::bail!("one is made") };
    let organization_id = organization.organization_id;
    let role = Some(OrganizationRole::Member);
    let request = AddMemberRequest { login: "gateway".to_owned(), email: None, role };
    let member = world.all(&[AddMember { organization_id, request }]).await?;
    let projects: Vec<_> = (0..PROJECTS)
        .map(|project| CreateProject {
            organization_id,
            request: CreateProjectRequest { name: format!("project-{project}"), environment: None },
        })
        .collect();
    let projects: Vec<ProjectId> =
        world.all(&projects).await?.iter().map(|created| created.project_id).collect();
    let creates: Vec<CreateApiKey> = (0..KEYS)
        .map(|key| CreateApiKey {
            organization_id,
            request: CreateApiKeyRequest {
                project_id: Some(projects[key % PROJECTS]),
                member_id: member.first().map(|added| added.member_id),
                name: format!("key-{key}"),
                ..CreateApiKeyRequest::default()
            },
        })
        .collect();
    let keys = world.all(&creates).await?;
    let keys =
        keys.iter().enumerate().map(|(key, made)| (projects[key % PROJECTS], made.api_key_id));
    Ok(Tenant { organization_id, keys: keys.collect() })
}

/// As a line of NDJSON.
pub(super) fn line(record: &UsageRecord) -> String {
    json!({
        "project_id": record.project_id,
        "api_key_id": record.api_key_id,
        "feature": record.feature,
        "provider": record.provider,
        "model": record.model,
        "request_id": record.request_id,
        "occurred_at": record.occurred_at,
        "input_tokens": record.input_tokens,
        "cached_input_tokens": record.cached_input_tokens,
        "output_tokens": record.output_tokens,
    })
    .to_string()
}
