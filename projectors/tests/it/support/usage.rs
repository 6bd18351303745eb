//! Usage records, and their sums by another way.

use std::collections::BTreeMap;

use chrono::Duration;
use event_log::usage::{NewUsage, Price, UsageWrite, UsageWriter};
use event_schemas::{Actor, OrganizationId};
use uuid::Uuid;

use super::history::beginning;
use super::random::Random;
use super::{House, metadata};

/// Makes up usage of a few organizations over a few months.
pub(crate) struct Usage {
    random: Random,
    organizations: Vec<Uuid>,
    projects: Vec<Uuid>,
    keys: Vec<Uuid>,
    requests: usize,
}

impl Usage {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut some = |n: usize| (0..n).map(|_| random.uuid()).collect::<Vec<_>>();
        let (organizations, projects, keys) = (some(3), some(4), some(5));
        Self { random, organizations, projects, keys, requests: 0 }
    }

    /// Some records of one organization, over half a year.
    pub(crate) fn batch(&mut self, count: usize) -> (OrganizationId, Vec<NewUsage>) {
        let organization = self.random.pick(&self.organizations).unwrap();
        (OrganizationId(organization), (0..count).map(|_| self.record()).collect())
    }

    fn record(&mut self) -> NewUsage {
        self.requests += 1;
        let random = &mut self.random;
        let mut tokens = || i64::try_from(random.below(1_000_000_000)).unwrap();
        let (input_tokens, output_tokens) = (tokens(), tokens());
        let (cached, written, reasoning) = (tokens(), tokens(), tokens());
        let price = (!random.one_in(7)).then(|| Price {
            version: 1,
            // As large as a cost can be, so that sums leave what a bigint holds.
            cost_pico: i64::MAX - i64::try_from(random.below(1_000_000)).unwrap(),
            currency: if random.one_in(4) { "EUR" } else { "USD" }.parse().unwrap(),
        });
        let minutes = i64::try_from(random.below(180 * 24 * 60)).unwrap();
        NewUsage {
            project_id: random.pick(&self.projects).unwrap().into(),
            api_key_id: (!random.one_in(3))
                .then(|| self.keys[usize::from(random.one_in(2))].into()),
            member_id: random.one_in(2).then(|| self.keys[2].into()),
            service_account_id: random.one_in(5).then(|| self.keys[3].into()),
            end_user: None,
            feature: if random.one_in(2) { "chat" } else { "" }.to_owned(),
            provider: "openai".to_owned(),
            model: format!("gpt-{}", random.below(3)),
            request_id: format!("request {}", self.requests),
            occurred_at: beginning() + Duration::minutes(minutes),
            input_tokens,
            cached_input_tokens: cached,
            cache_write_tokens: written,
            output_tokens,
            reasoning_tokens: reasoning,
            units: event_schemas::Units::NONE,
            service_tier: None,
            error_type: None,
            duration_ms: None,
            price,
            tags: BTreeMap::new(),
        }
    }
}

impl House {
    /// Records usage; gives the position of the last record.
    pub(crate) async fn use_up(
        &self,
        organization_id: OrganizationId,
        records: &[NewUsage],
    ) -> i64 {
        let write = UsageWrite {
            organization_id,
            records: records.to_vec(),
            expected: vec![],
            prices_upto: i64::MAX,
            metadata: metadata(&Actor::operator("test")),
            actor: "operator:test".to_owned(),
        };
        UsageWriter::new(&self.log).write(&write).await.unwrap().position
    }
}
