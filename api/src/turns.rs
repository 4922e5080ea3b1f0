use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Places that each ISP has of its own, so that what one keeps busy leaves room for others.
pub struct Turns {
    each: usize,
    of: Mutex<HashMap<i32, Arc<Semaphore>>>,
}

impl Turns {
    pub fn new(each: usize) -> Self {
        Self {
            each,
            of: Mutex::default(),
        }
    }

    /// Those of the ISP with that number.
    pub fn of(&self, tenant: i32) -> Arc<Semaphore> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.entry(tenant)
            .or_insert_with(|| Arc::new(Semaphore::new(self.each)))
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_keeps_busy_leaves_others_their_places() {
        let turns = Turns::new(2);
        let held: Vec<_> = (0..2).map(|_| turns.of(1).try_acquire_owned()).collect();
        assert!(held.iter().all(Result::is_ok));
        assert!(turns.of(1).try_acquire_owned().is_err());
        assert!(turns.of(2).try_acquire_owned().is_ok());
        drop(held);
        assert!(turns.of(1).try_acquire_owned().is_ok());
    }
}
