//! How much usage may be in this process at once: the bytes of all bodies that are being read, checked
//! or written. Who comes when it is full is told to come again; nobody fills it alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use event_schemas::OrganizationId;

/// The most bytes of bodies at once. What is made of them takes about twice as much again.
pub(super) const BYTES_MAX: usize = 128 * 1024 * 1024;

/// The most bytes of bodies of one organization at once.
pub(super) const ORGANIZATION_BYTES_MAX: usize = BYTES_MAX / 2;

/// The bytes that are in, by organization. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    bytes: usize,
    organizations: HashMap<OrganizationId, usize>,
}

/// There is no room at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Room for a body, given back when this is dropped.
pub(crate) struct Place {
    gate: Gate,
    organization_id: OrganizationId,
    bytes: usize,
}

impl Gate {
    /// Room for so many bytes.
    pub(crate) fn enter(
        &self,
        organization_id: OrganizationId,
        bytes: usize,
    ) -> Result<Place, Full> {
        let mut place = Place { gate: self.clone(), organization_id, bytes: 0 };
        place.grow(bytes)?;
        Ok(place)
    }
}

impl Place {
    /// Room for so many bytes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let mut inside = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_organization = inside.organizations.get(&self.organization_id).copied().unwrap_or(0);
        if inside.bytes + bytes > BYTES_MAX || of_organization + bytes > ORGANIZATION_BYTES_MAX {
            metrics::counter!("orgledger_usage_refused_full_total").increment(1);
            return Err(Full);
        }
        inside.bytes += bytes;
        inside.organizations.insert(self.organization_id, of_organization + bytes);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.bytes -= self.bytes;
        let left =
            inside.organizations.get(&self.organization_id).map_or(0, |all| all - self.bytes);
        if left == 0 {
            inside.organizations.remove(&self.organization_id);
        } else {
            inside.organizations.insert(self.organization_id, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn nobody_fills_it_alone_and_what_leaves_makes_room() {
        let gate = Gate::default();
        let [a, b, c] = [1, 2, 3].map(|number| OrganizationId(Uuid::from_u128(number)));
        let first = gate.enter(a, ORGANIZATION_BYTES_MAX).ok();
        assert!(first.is_some());
        assert_eq!(gate.enter(a, 1).err(), Some(Full));
        let Ok(mut second) = gate.enter(b, 1) else { panic!("there is room for another") };
        assert_eq!(second.grow(ORGANIZATION_BYTES_MAX), Err(Full));
        second.grow(ORGANIZATION_BYTES_MAX - 1).expect("up to its half");
        assert_eq!(gate.enter(c, 1).err(), Some(Full));
        drop(first);
        assert!(gate.enter(c, 1).is_ok() && gate.enter(a, 1).is_ok());
        drop(second);
        let inside = gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((inside.bytes, inside.organizations.len()), (0, 0));
    }
}
