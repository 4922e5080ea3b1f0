//! What comes of an attempt.

use std::time::Duration;

use crate::kernel::error::Error;

/// Failures after which a job is parked with its reason.
const MAX_ATTEMPTS: i32 = 10;
/// Pauses double from this one.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
const LONGEST_REASON: usize = 500;

/// Why an attempt failed.
#[derive(Debug)]
pub enum Failure {
    Error(Error),
    /// Where the handler panicked is in the log.
    Panicked,
    /// Workers that ran it died, as often as it may fail.
    Abandoned,
}

impl Failure {
    /// What is kept with the job: no value that somebody entered.
    pub fn reason(&self) -> String {
        let mut reason = match self {
            Self::Error(e) => e.summary(),
            Self::Panicked => "the handler panicked".to_owned(),
            Self::Abandoned => "each worker that ran it ended before it was done".to_owned(),
        };
        if let Some((end, _)) = reason.char_indices().nth(LONGEST_REASON) {
            reason.truncate(end);
        }
        reason
    }
}

/// Whether a job that has failed so often is tried again.
pub fn is_final(attempts: i32) -> bool {
    attempts >= MAX_ATTEMPTS
}

/// Whether it was claimed once more than it may fail.
pub fn is_abandoned(attempts: i32) -> bool {
    attempts > MAX_ATTEMPTS
}

/// The pause before the next attempt, by a quarter longer or shorter as `luck` (0 to 1000) will have it, so that what failed
/// together does not come back together.
pub fn pause(attempts: i32, luck: u32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    pause * (750 + luck.min(1000) / 2) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_ten_minutes() {
        let seconds: Vec<u64> = (1..=12).map(|n| pause(n, 500).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
        assert_eq!(pause(1, 0), Duration::from_millis(1500));
        assert_eq!(pause(1, 1000), Duration::from_millis(2500));
        assert_eq!(pause(i32::MIN, 500), FIRST_PAUSE);
        assert_eq!(pause(i32::MAX, 500), LONGEST_PAUSE);
    }

    #[test]
    fn a_reason_holds_no_value() {
        let parse = serde_json::from_str::<Vec<i32>>("[\"Asha Rao\"]").unwrap_err();
        let refused = Error::invalid("name", "Asha Rao is no name.");
        for e in [parse.into(), refused, Error::internal("x".repeat(900))] {
            let reason = Failure::Error(e).reason();
            assert!(!reason.contains("Asha") && reason.len() <= LONGEST_REASON, "{reason}");
        }
        assert_eq!(Failure::Error(Error::invalid("name", "no")).reason(), "refused: INVALID name");
    }
}
