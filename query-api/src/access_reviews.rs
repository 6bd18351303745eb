//! Access reviews and their lines.

pub mod lines;
pub mod reviews;

use api_conventions::Problem;
use event_schemas::Permission;

use crate::snapshot::Projection;
use crate::viewer::Viewer;

/// What reviews are read from; the register knows the names of today.
pub const READS: &[Projection] = &[Projection::AccessRegister, Projection::AccessReviews];

/// Who attests lines sees them, and so does who sees what is on record.
fn may_see(viewer: &Viewer) -> Result<(), Problem> {
    if viewer.may(Permission::AccessReviewsUpdate) {
        return Ok(());
    }
    viewer.must(Permission::AuditRead)
}
