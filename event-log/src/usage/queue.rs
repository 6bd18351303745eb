//! Who waits to be written: bounded, and in turns.
//!
//! Organizations take turns. In its turn an organization gets credit for some records and sends its
//! writes in their order as far as the credit goes; what is left of it counts in the next turn while
//! it still has something waiting (deficit round robin). So one that sends a great deal is written
//! fast while nobody else does, and otherwise waits behind itself alone.

use std::collections::{HashMap, VecDeque};

use event_schemas::OrganizationId;

/// The most records that wait: some 70 MB of them.
pub const RECORDS_WAITING_MAX: usize = 100_000;

/// The most records of one organization that wait. Nobody fills the queue alone.
pub const ORGANIZATION_RECORDS_WAITING_MAX: usize = RECORDS_WAITING_MAX / 2;

/// What a turn is worth, in records.
const TURN: usize = 2_000;

/// Writes that wait, each with a number of records.
pub(super) struct FairQueue<T> {
    organizations: HashMap<OrganizationId, Line<T>>,
    /// Whose turn it is next; each organization that has something waiting, once.
    turns: VecDeque<OrganizationId>,
    records: usize,
}

/// What waits of one organization.
struct Line<T> {
    writes: VecDeque<(usize, T)>,
    records: usize,
    credit: usize,
}

impl<T> FairQueue<T> {
    pub(super) fn new() -> Self {
        Self { organizations: HashMap::new(), turns: VecDeque::new(), records: 0 }
    }

    /// How many records wait.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// Lets a write wait; refused where too much waits. A write larger than all that may wait is
    /// taken while nothing of its organization does.
    pub(super) fn push(
        &mut self,
        organization_id: OrganizationId,
        records: usize,
        write: T,
    ) -> Result<(), T> {
        let of_organization = self.organizations.get(&organization_id).map_or(0, |l| l.records);
        let too_many = of_organization + records > ORGANIZATION_RECORDS_WAITING_MAX;
        if (too_many && of_organization > 0) || self.records >= RECORDS_WAITING_MAX {
            return Err(write);
        }
        let line = self.organizations.entry(organization_id).or_insert_with(|| {
            self.turns.push_back(organization_id);
            Line { writes: VecDeque::new(), records: 0, credit: 0 }
        });
        line.writes.push_back((records, write));
        line.records += records;
        self.records += records;
        Ok(())
    }

    /// Takes the writes whose turn it is: about `records_max` records, and at least one write where
    /// there is one.
    pub(super) fn take(&mut self, records_max: usize) -> Vec<T> {
        let (mut taken, mut records) = (Vec::new(), 0);
        while let Some(organization_id) = self.turns.pop_front() {
            let Some(line) = self.organizations.get_mut(&organization_id) else { continue };
            line.credit += TURN;
            let mut is_full = false;
            while let Some((count, _)) = line.writes.front() {
                is_full = !taken.is_empty() && records + count > records_max;
                if is_full || *count > line.credit {
                    break;
                }
                let Some((count, write)) = line.writes.pop_front() else { break };
                line.credit -= count;
                line.records -= count;
                records += count;
                taken.push(write);
            }
            self.end_turn(organization_id, is_full);
            if is_full || records >= records_max {
                break;
            }
        }
        self.records -= records;
        taken
    }

    fn end_turn(&mut self, organization_id: OrganizationId, is_full: bool) {
        let Some(line) = self.organizations.get(&organization_id) else { return };
        if line.writes.is_empty() {
            self.organizations.remove(&organization_id);
        } else if is_full {
            // What did not fit is the first of the next.
            self.turns.push_front(organization_id);
        } else {
            self.turns.push_back(organization_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn organization(number: u128) -> OrganizationId {
        OrganizationId(Uuid::from_u128(number))
    }

    /// Pushes writes, each of an organization and so many records.
    fn queue(writes: &[(u128, usize)]) -> FairQueue<(u128, usize)> {
        let mut queue = FairQueue::new();
        for (number, records) in writes {
            queue.push(organization(*number), *records, (*number, *records)).unwrap();
        }
        queue
    }

    #[test]
    fn who_comes_after_anothers_burst_is_in_the_next_group() {
        let mut writes = vec![(1, 1_000); 40];
        writes.push((2, 1));
        let mut queue = queue(&writes);
        let first = queue.take(10_000);
        assert!(first.contains(&(2, 1)), "{first:?}");
        // And the burst has what is left of it.
        assert_eq!(first.iter().map(|(_, records)| records).sum::<usize>(), 9_001);
        assert_eq!(queue.records(), 31_000);
    }

    #[test]
    fn two_that_send_without_end_get_the_same() {
        let mut queue = queue(&[(1, 10_000), (1, 10_000), (1, 10_000)]);
        for _ in 0..30 {
            queue.push(organization(2), 1_000, (2, 1_000)).unwrap();
        }
        let mut got = [0, 0];
        for _ in 0..4 {
            for (number, records) in queue.take(10_000) {
                got[usize::from(number != 1)] += records;
            }
        }
        assert!(got[0].abs_diff(got[1]) <= 10_000, "{got:?}");
    }

    #[test]
    fn each_is_taken_once_and_in_its_organizations_order() {
        let mut queue = FairQueue::new();
        for number in 0..300_usize {
            let of = organization((number % 7) as u128);
            queue.push(of, number % 13, (number % 7, number)).unwrap();
        }
        let mut all = Vec::new();
        loop {
            let taken = queue.take(100);
            if taken.is_empty() {
                break;
            }
            all.extend(taken);
        }
        assert_eq!((all.len(), queue.records()), (300, 0));
        for of in 0..7 {
            let numbers: Vec<usize> =
                all.iter().filter(|(o, _)| *o == of).map(|(_, number)| *number).collect();
            assert!(numbers.is_sorted() && numbers.len() >= 42, "{numbers:?}");
        }
        assert!(queue.organizations.is_empty() && queue.turns.is_empty(), "nothing stays behind");
    }

    #[test]
    fn more_than_may_wait_is_refused_and_of_one_organization_half() {
        let mut queue = FairQueue::new();
        let full = |queue: &mut FairQueue<()>, number| {
            let mut waiting = 0;
            while queue.push(organization(number), 10_000, ()).is_ok() {
                waiting += 10_000;
            }
            waiting
        };
        assert_eq!(full(&mut queue, 1), ORGANIZATION_RECORDS_WAITING_MAX);
        assert_eq!(full(&mut queue, 2), ORGANIZATION_RECORDS_WAITING_MAX);
        assert_eq!(full(&mut queue, 3), 0);
        assert!(!queue.take(10_000).is_empty());
        assert_eq!(full(&mut queue, 3), 10_000);
    }
}
