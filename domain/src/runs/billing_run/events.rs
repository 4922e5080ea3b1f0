use serde::{Deserialize, Serialize};

use crate::kernel::event::Event;
use crate::kernel::ids::BillingRunId;

/// A billing run has been asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingRunStarted {
    pub billing_run_id: BillingRunId,
    pub dry_run: bool,
}

impl Event for BillingRunStarted {
    const KIND: &'static str = "BillingRunStarted";
}

/// A billing run has looked at everything that was due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingRunFinished {
    pub billing_run_id: BillingRunId,
    pub dry_run: bool,
}

impl Event for BillingRunFinished {
    const KIND: &'static str = "BillingRunFinished";
}
