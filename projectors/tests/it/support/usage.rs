//! Usage records, and their sums by another way.

use std::collections::BTreeMap;

use chrono::Duration;
use event_log::usage::{NewUsage, Price, UsageWrite, UsageWriter};
use event_schemas::{Actor, Currency, OrganizationId, Unit};
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

/// The organizations that use something, the same in every story.
pub(crate) fn organizations() -> Vec<Uuid> {
    (1..=3).map(Uuid::from_u128).collect()
}

impl Usage {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut some = |n: usize| (0..n).map(|_| random.uuid()).collect::<Vec<_>>();
        let (projects, keys) = (some(4), some(5));
        Self { random, organizations: organizations(), projects, keys, requests: 0 }
    }

    /// Some records of one organization, over half a year.
    pub(crate) fn batch(&mut self, count: usize) -> (OrganizationId, Vec<NewUsage>) {
        let organization = self.random.pick(&self.organizations).unwrap();
        (OrganizationId(organization), (0..count).map(|_| self.record()).collect())
    }

    /// Prices some records of one of the organizations again.
    pub(crate) async fn reprice(&mut self, house: &House) {
        let organization = self.random.pick(&self.organizations).unwrap();
        // As large as a cost can be, so that sums leave what a bigint holds.
        let pico_max = usize::try_from(i64::MAX).unwrap();
        super::repricing::reprice(house, &mut self.random, OrganizationId(organization), pico_max)
            .await;
    }

    /// One record at that cost, or at none.
    pub(crate) fn at_cost(&mut self, price: Option<(i64, Currency)>) -> NewUsage {
        let price = price.map(|(cost_pico, currency)| Price { version: 1, cost_pico, currency });
        NewUsage { price, ..self.record() }
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
        // Some that have no price have failed and used nothing.
        let failed = price.is_none() && self.requests.is_multiple_of(3);
        let [input_tokens, output_tokens, cached, written, reasoning] =
            [input_tokens, output_tokens, cached, written, reasoning]
                .map(|count| if failed { 0 } else { count });
        let searches = if failed || !self.requests.is_multiple_of(5) { 0 } else { 2 };
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
            units: [(Unit::WebSearches, searches), (Unit::Pages, searches * 2)]
                .into_iter()
                .collect(),
            service_tier: None,
            error_type: failed.then(|| "429".to_owned()),
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
