//! The one source of time. The test clock shifts it, in the database (`platform.now()`) and here alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Cheap to clone; all clones share the offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_micros: Arc<AtomicI64>,
}

impl Clock {
    pub fn system() -> Self {
        Self::default()
    }

    pub fn now(&self) -> DateTime<Utc> {
        Self::real() + self.offset()
    }

    /// How far the test clock is ahead of (or behind) the machine's; zero in production.
    pub fn offset(&self) -> TimeDelta {
        TimeDelta::microseconds(self.offset_micros.load(Ordering::Relaxed))
    }

    /// Makes the clock read `now` and go on from there. For the test clock and the demo's history only.
    pub fn set(&self, now: DateTime<Utc>) {
        self.shift((now - Self::real()).num_microseconds().unwrap_or(0));
    }

    /// Takes over the offset that the database holds, in microseconds.
    pub fn shift(&self, offset_micros: i64) {
        self.offset_micros.store(offset_micros, Ordering::Relaxed);
    }

    /// The machine's own time, for what the test clock does not govern: leases, limiters, caches.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn real() -> DateTime<Utc> {
        // As the database keeps it: an instant that was written down equals the one in hand.
        Utc::now().trunc_subsecs(6)
    }
}
