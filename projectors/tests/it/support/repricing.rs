//! Recorded usage priced again.

use event_log::usage::{
    NewCorrection, Price, RecordsOf, corrections_hash, price_of, read_as_priced,
};
use event_log::{Append, NewEvent};
use event_schemas::{Actor, OrganizationId, RepricingScope, UsageRepricingEvent};

use super::history::{beginning, minute};
use super::random::Random;
use super::{House, metadata};

/// Prices some of an organization's records again, each at less than `pico_max`; in a few events of one
/// append. Some of them cost the same in another currency, some had no price.
pub(crate) async fn reprice(
    house: &House,
    random: &mut Random,
    organization_id: OrganizationId,
    pico_max: usize,
) {
    let of = RecordsOf {
        organization_id,
        after: 0,
        upto: house.head().await,
        first_day: beginning().date_naive(),
        last_day: minute(400 * 24 * 60).date_naive(),
    };
    let mut connection = house.log.pool().acquire().await.unwrap();
    let found = read_as_priced(&mut connection, of, 10_000).await.unwrap();
    assert_eq!(found.archived, None);
    let mut append = Append::default();
    let events = 1 + random.below(3);
    for event in 0..events {
        let mut corrections: Vec<NewCorrection> = vec![];
        for (_, usage) in &found.records {
            // None twice in one append: the second would not know of the first.
            let is_mine = usize::try_from(usage.ordinal).unwrap() % events == event;
            if !is_mine || !random.one_in(3) || usage.failed_without_use() {
                continue;
            }
            let after = Price {
                version: 2 + i64::try_from(random.below(5)).unwrap(),
                cost_pico: i64::try_from(random.below(pico_max)).unwrap(),
                currency: if random.one_in(3) { "EUR" } else { "USD" }.parse().unwrap(),
            };
            let before = price_of(usage);
            if before
                .is_some_and(|b| (b.cost_pico, b.currency) == (after.cost_pico, after.currency))
            {
                continue;
            }
            corrections.push(NewCorrection {
                event: append.events.len(),
                organization_id,
                batch_id: usage.batch_id,
                record_ordinal: usage.ordinal,
                occurred_at: usage.occurred_at,
                before,
                after,
            });
        }
        if !corrections.is_empty() {
            append.events.push(repriced(organization_id, &corrections));
            append.corrections.extend(corrections);
        }
    }
    if !append.events.is_empty() {
        house.log.append(append).await.unwrap();
    }
}

/// The event of some corrections.
fn repriced(organization_id: OrganizationId, corrections: &[NewCorrection]) -> NewEvent {
    let event = UsageRepricingEvent::Repriced {
        repricing_id: organization_id.0.into(),
        scope: RepricingScope {
            from: beginning(),
            to: minute(400 * 24 * 60),
            project_id: None,
            provider: None,
            model: None,
            only_unpriced: false,
        },
        prices_at: 0,
        price_list_id: None,
        price_list_version: None,
        reason: None,
        corrections: u32::try_from(corrections.len()).unwrap(),
        corrections_hash: corrections_hash(corrections),
        totals: vec![],
    };
    let metadata = metadata(&Actor::operator("test"));
    let id = organization_id.to_string().into();
    NewEvent::new(&event, id, Some(organization_id), metadata, minute(0)).unwrap()
}
