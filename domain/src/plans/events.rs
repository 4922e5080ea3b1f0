//! What later modules may react to.

use crate::kernel::event::events;
use crate::kernel::ids::{PlanId, PlanVersionId};

events! {
    /// A plan is sold from now on.
    PlanCreated { plan_id: PlanId };
    /// A plan has another name, or another version: of now, or to come.
    PlanUpdated { plan_id: PlanId };
    /// A version that was to come does not come.
    PlanVersionWithdrawn { plan_id: PlanId, plan_version_id: PlanVersionId };
    /// A plan is not sold any more; services keep it.
    PlanRetired { plan_id: PlanId };
}
