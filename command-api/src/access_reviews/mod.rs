//! Access reviews: somebody looks at what others hold and says, line by line, whether they keep it.

pub(crate) mod attest;
pub(crate) mod attest_many;
pub(crate) mod cancel;
pub(crate) mod close;
mod held;
pub(crate) mod open;
mod revoking;

pub use attest::{AttestAccessReviewLine, AttestAccessReviewLineRequest};
pub use attest_many::{
    ATTESTATIONS_MAX, AttestAccessReviewLines, AttestAccessReviewLinesRequest, AttestationRequest,
    LinesAttested,
};
pub use cancel::{CancelAccessReview, CancelAccessReviewRequest};
pub use close::{AccessReviewClosed, CloseAccessReview, CloseAccessReviewRequest};
pub use open::{AccessReviewOpened, OpenAccessReview, OpenAccessReviewRequest};
