use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tokio::sync::oneshot;
use tracing::Instrument;

/// How long a transaction waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// A backend grows with what it has seen; after this time it is replaced.
const LIFETIME: Duration = Duration::from_secs(12 * 60);
/// Whoever has waited this long is served before those whom the connection suits better.
const OVERDUE: Duration = Duration::from_millis(5);
const CLOSING: Duration = Duration::from_secs(5);
/// ISPs that a connection may be familiar with at one time.
const FAMILIAR: usize = 64;

/// What a connection hears before others may use it.
const FENCE: &str = "ROLLBACK; RESET ROLE; RESET search_path";

/// On whose behalf a connection is wanted: an ISP's number.
pub(super) type Errand = i32;

/// How many connections of a pool are used, and by how many they are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// As many as it may open.
    pub places: u32,
    pub busy: u32,
    pub idle: u32,
    /// Transactions that wait for one.
    pub waiting: u32,
}

impl std::ops::AddAssign for PoolUse {
    fn add_assign(&mut self, other: Self) {
        self.places += other.places;
        self.busy += other.busy;
        self.idle += other.idle;
        self.waiting += other.waiting;
    }
}

/// Connections as one role, not more than so many. A backend that has served an ISP knows its tables, which costs it
/// milliseconds to learn and a megabyte to remember: so an ISP is given the same connections over and over, as far as they
/// are free.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    options: Mutex<PgConnectOptions>,
    places: usize,
    fence: bool,
    state: Mutex<State>,
}

struct State {
    idle: Vec<Live>,
    /// Places where no connection is open.
    vacant: Vec<usize>,
    waiting: VecDeque<Waiting>,
    closed: bool,
}

struct Waiting {
    errand: Errand,
    since: Instant,
    give: oneshot::Sender<Held>,
}

struct Live {
    conn: PgConnection,
    place: usize,
    opened: Instant,
    /// A vote in each of a few places, by number: whoever comes often enough wins it from those who come less often.
    familiar: Box<[(Errand, u8); FAMILIAR]>,
}

/// A connection, or the right to open one, while somebody has it. Dropping it gives it back.
pub(super) struct Held {
    shared: Arc<Shared>,
    place: usize,
    live: Option<Live>,
    fresh: bool,
    after: After,
}

/// What becomes of a connection that is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// Nothing was begun on it, or what was begun has ended.
    Keep,
    Fence,
    Close,
}

enum Turn {
    Now(Held),
    Later(oneshot::Receiver<Held>),
}

impl Pool {
    /// Opens nothing yet. Without `fence` a connection comes back with what its transaction left on it, which is what the
    /// control of the cancellation test must see.
    pub fn new(options: PgConnectOptions, places: u32, fence: bool) -> Self {
        let places = places as usize;
        Self(Arc::new(Shared {
            options: Mutex::new(options),
            places,
            fence,
            state: Mutex::new(State {
                idle: Vec::with_capacity(places),
                vacant: (0..places).rev().collect(),
                waiting: VecDeque::new(),
                closed: false,
            }),
        }))
    }

    /// Connections that are opened from now on are opened so.
    pub fn connect_with(&self, options: PgConnectOptions) {
        *self.0.options.lock().unwrap_or_else(PoisonError::into_inner) = options;
    }

    /// How it is used right now.
    pub fn usage(&self) -> PoolUse {
        let state = self.0.lock();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let open = self.0.places.saturating_sub(state.vacant.len());
        PoolUse {
            places: count(self.0.places),
            busy: count(open.saturating_sub(state.idle.len())),
            idle: count(state.idle.len()),
            waiting: count(state.waiting.iter().filter(|w| !w.give.is_closed()).count()),
        }
    }

    /// A connection outside any transaction. Safe to cancel.
    pub async fn acquire(&self, errand: Errand) -> Result<Held, sqlx::Error> {
        let mut held = match self.0.turn(errand)? {
            Turn::Now(held) => held,
            Turn::Later(given) => tokio::time::timeout(PATIENCE, given)
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)?
                .map_err(|_| sqlx::Error::PoolClosed)?,
        };
        if held.live.is_none() {
            let options = self.0.options.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let connected = tokio::time::timeout(PATIENCE, options.connect());
            held.live = Some(Live {
                conn: connected.await.map_err(|_| sqlx::Error::PoolTimedOut)??,
                place: held.place,
                opened: Instant::now(),
                familiar: Box::new([(0, 0); FAMILIAR]),
            });
            held.fresh = true;
        }
        Ok(held)
    }

    /// Closes what is idle, and what comes back; waits until all has.
    pub async fn close(&self) {
        let idle = {
            let mut state = self.0.lock();
            state.closed = true;
            state.waiting.clear();
            std::mem::take(&mut state.idle)
        };
        for live in idle {
            let place = live.place;
            let _ = tokio::time::timeout(CLOSING, live.conn.close()).await;
            self.0.lock().vacant.push(place);
        }
        let begun = Instant::now();
        while self.0.lock().vacant.len() < self.0.places && begun.elapsed() < 2 * CLOSING {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Shared {
    /// Nothing that holds this lock can be left half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(self: &Arc<Self>, errand: Errand) -> Result<Turn, sqlx::Error> {
        let mut state = self.lock();
        if state.closed {
            return Err(sqlx::Error::PoolClosed);
        }
        let best = (0..state.idle.len()).max_by_key(|n| suits(errand, state.idle[*n].place));
        if let Some(best) = best {
            let live = state.idle.swap_remove(best);
            return Ok(Turn::Now(self.hand_out(live.place, Some(live))));
        }
        if let Some(place) = state.vacant.pop() {
            return Ok(Turn::Now(self.hand_out(place, None)));
        }
        while state.waiting.front().is_some_and(|w| w.give.is_closed()) {
            state.waiting.pop_front();
        }
        let (give, given) = oneshot::channel();
        state.waiting.push_back(Waiting {
            errand,
            since: Instant::now(),
            give,
        });
        Ok(Turn::Later(given))
    }

    fn hand_out(self: &Arc<Self>, place: usize, live: Option<Live>) -> Held {
        Held {
            shared: self.clone(),
            place,
            live,
            fresh: false,
            after: After::Keep,
        }
    }

    /// Takes back a place, with the connection there if it may be used on, and hands it to whoever waits.
    fn take_back(self: &Arc<Self>, place: usize, live: Option<Live>) {
        let mut state = self.lock();
        let next = if state.closed { None } else { state.next(place, self.places) };
        match (next, live) {
            // Should the receiver be gone by now, dropping what comes back brings it here again.
            (Some(next), live) => {
                drop(state);
                drop(next.give.send(self.hand_out(place, live)));
            }
            (None, Some(live)) if !state.closed => state.idle.push(live),
            (None, _) => state.vacant.push(place),
        }
    }
}

impl State {
    /// Who gets the connection at this place: of those who wait, the first whom it suits best, unless the first of all has
    /// waited long.
    fn next(&mut self, place: usize, places: usize) -> Option<Waiting> {
        self.waiting.retain(|w| !w.give.is_closed());
        let first = self.waiting.front()?;
        let suited = |w: &Waiting| (0..places).max_by_key(|p| suits(w.errand, *p)) == Some(place);
        let at = match first.since.elapsed() < OVERDUE {
            true => self.waiting.iter().position(suited).unwrap_or(0),
            false => 0,
        };
        self.waiting.remove(at)
    }
}

/// How well a place suits an errand: each errand has its own order of places, and keeps it (rendezvous hashing).
fn suits(errand: Errand, place: usize) -> u64 {
    // The finaliser of SplitMix64.
    let mut x = (u64::from(errand.unsigned_abs()) << 32) ^ (place as u64);
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn vote(familiar: &mut [(Errand, u8); FAMILIAR], errand: Errand) -> bool {
    let (known, votes) = &mut familiar[errand.unsigned_abs() as usize % FAMILIAR];
    if *known == errand {
        *votes = votes.saturating_add(1);
    } else if *votes == 0 {
        (*known, *votes) = (errand, 1);
    } else {
        *votes -= 1;
    }
    *known == errand && *votes > 3
}

impl Held {
    /// Whether nobody has used it before.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// It ends with this holder.
    pub fn close_on_drop(&mut self) {
        self.after = After::Close;
    }

    /// A transaction is open on it, which is rolled back when it is dropped.
    pub fn fence_on_drop(&mut self) {
        self.after = After::Fence;
    }

    /// Its transaction has ended, and with it all that was local to it.
    pub fn keep_on_drop(&mut self) {
        self.after = After::Keep;
    }

    /// Notes on whose behalf it is used; whether that has been so often enough for statements to be prepared for them.
    pub fn meet(&mut self, errand: Errand) -> bool {
        self.live.as_mut().is_some_and(|live| vote(&mut live.familiar, errand))
    }

    /// Whatever happens to this future, the connection is closed unless it got through.
    async fn clean(mut self) {
        let text = if self.shared.fence { FENCE } else { "ROLLBACK" };
        match self.execute(text).await {
            Ok(_) => self.after = After::Keep,
            Err(error) => tracing::warn!(%error, "a connection was lost while it was cleaned"),
        }
    }
}

impl Deref for Held {
    type Target = PgConnection;

    #[expect(clippy::expect_used, reason = "the pool hands out connections only once they are open")]
    fn deref(&self) -> &PgConnection {
        &self.live.as_ref().expect("it is open").conn
    }
}

impl DerefMut for Held {
    #[expect(clippy::expect_used, reason = "the pool hands out connections only once they are open")]
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.live.as_mut().expect("it is open").conn
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let live = self.live.take();
        let runtime = tokio::runtime::Handle::try_current();
        match (live, self.after, runtime) {
            (Some(live), After::Keep, _) if live.opened.elapsed() < LIFETIME => self.shared.take_back(self.place, Some(live)),
            (Some(live), After::Fence, Ok(runtime)) => {
                let mut unclean = self.shared.hand_out(self.place, Some(live));
                unclean.after = After::Close;
                runtime.spawn(unclean.clean().in_current_span());
            }
            (Some(live), _, Ok(runtime)) => {
                let place = self.shared.hand_out(self.place, None);
                runtime.spawn(async move {
                    let _ = tokio::time::timeout(CLOSING, live.conn.close()).await;
                    drop(place);
                });
            }
            (_, _, _) => self.shared.take_back(self.place, None),
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
