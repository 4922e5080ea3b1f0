//! How much a caller may ask for: a bucket of requests and one of cost units for each credential, and larger ones for each
//! ISP, so that none can starve the others. Buckets are this process's own and go by the machine's time, not the product's clock.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock;
#[cfg(not(test))]
use governor::clock::DefaultClock as Time;
// Stands still, so that no bucket fills while a slow machine asks.
#[cfg(test)]
use governor::clock::FakeRelativeClock as Time;
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use moka::sync::Cache;
use trunkline_domain::Actor;
use trunkline_domain::tenants::Site;
use uuid::Uuid;

use crate::config::ApiRate;

/// An ISP's bucket holds as much as those of this many credentials.
const CREDENTIALS_PER_SITE: u32 = 10;
/// Buckets that are remembered; one takes about 200 bytes. Callers who come often are kept when more come.
const REMEMBERED: u64 = 100_000;
/// A bucket is full again after a second, so a forgotten one is as good.
const MEMORY: Duration = Duration::from_secs(30);

/// Whose bucket it is: a principal has one, however many tokens it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    Principal { site: i32, kind: &'static str, id: Uuid },
    Address(IpAddr),
}

impl Caller {
    /// Who has not signed in is known by the address; by the network's half of it in IPv6, where one customer has all the rest.
    pub fn of(actor: &Actor, site: &Site, address: IpAddr) -> Self {
        match actor.principal() {
            Some(id) => Self::Principal {
                site: site.number(),
                kind: actor.kind(),
                id,
            },
            None => Self::at(address),
        }
    }

    pub fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) >> 64 << 64).into(),
            v4 => v4,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    For(Duration),
    /// More than the bucket holds.
    Never,
}

/// What the caller may spend in a second, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub limit: u32,
    pub remaining: u32,
}

/// Every bucket of this process.
pub struct Limits(Option<Buckets>);

struct Buckets {
    cost: NonZeroU32,
    requests: NonZeroU32,
    callers: Cache<Caller, Arc<Bucket>>,
    sites: Cache<i32, Arc<Bucket>>,
}

impl Limits {
    pub fn new(rate: ApiRate) -> Self {
        Self::remembering(REMEMBERED, rate)
    }

    fn remembering(many: u64, rate: ApiRate) -> Self {
        let ApiRate::PerSecond { cost, requests } = rate else {
            return Self(None);
        };
        Self(Some(Buckets {
            cost,
            requests,
            callers: Cache::builder().max_capacity(many).time_to_idle(MEMORY).build(),
            sites: Cache::builder().max_capacity(many).time_to_idle(MEMORY).build(),
        }))
    }

    /// Opens a caller's purse and takes one request out of it.
    pub fn admit(&self, caller: Caller, site: &Site) -> Result<Purse, Duration> {
        let Some(all) = &self.0 else { return Ok(Purse(None)) };
        let own = all.callers.get_with(caller, || Arc::new(Bucket::new(all.cost, all.requests)));
        let of_site = all.sites.get_with(site.number(), || {
            let many = |n: NonZeroU32| n.saturating_mul(NonZeroU32::new(CREDENTIALS_PER_SITE).unwrap_or(NonZeroU32::MIN));
            Arc::new(Bucket::new(many(all.cost), many(all.requests)))
        });
        // The caller's own first: what one is refused must not empty the ISP's.
        for bucket in [&own, &of_site] {
            bucket.request()?;
        }
        Ok(Purse(Some(Filled {
            limit: all.cost.get(),
            own,
            of_site,
        })))
    }
}

/// What a request is paid from; without limits, everything is free.
pub struct Purse(Option<Filled>);

struct Filled {
    limit: u32,
    own: Arc<Bucket>,
    of_site: Arc<Bucket>,
}

impl Purse {
    pub fn spend(&self, cost: usize) -> Result<Option<Left>, Denied> {
        let Some(Filled { limit, own, of_site }) = &self.0 else {
            return Ok(None);
        };
        let cost = u32::try_from(cost).ok().and_then(NonZeroU32::new).ok_or(Denied::Never)?;
        let remaining = own.spend(cost)?;
        of_site.spend(cost)?;
        Ok(Some(Left {
            limit: *limit,
            remaining,
        }))
    }

    /// For the report of a request that was refused.
    pub fn nothing_left(&self) -> Option<Left> {
        let Filled { limit, .. } = self.0.as_ref()?;
        Some(Left {
            limit: *limit,
            remaining: 0,
        })
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Time, StateInformationMiddleware>;

struct Bucket {
    cost: Limiter,
    requests: Limiter,
    clock: Time,
}

impl Bucket {
    fn new(cost: NonZeroU32, requests: NonZeroU32) -> Self {
        let clock = Time::default();
        let limiter = |n| RateLimiter::direct_with_clock(Quota::per_second(n), clock.clone()).with_middleware();
        Self {
            cost: limiter(cost),
            requests: limiter(requests),
            clock,
        }
    }

    fn request(&self) -> Result<(), Duration> {
        match self.requests.check() {
            Ok(_) => Ok(()),
            Err(until) => Err(until.wait_time_from(self.clock.now())),
        }
    }

    fn spend(&self, cost: NonZeroU32) -> Result<u32, Denied> {
        match self.cost.check_n(cost) {
            Ok(Ok(state)) => Ok(state.remaining_burst_capacity()),
            Ok(Err(until)) => Err(Denied::For(until.wait_time_from(self.clock.now()))),
            Err(_) => Err(Denied::Never),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(cost: u32, requests: u32) -> Limits {
        Limits::new(ApiRate::PerSecond {
            cost: NonZeroU32::new(cost).unwrap(),
            requests: NonZeroU32::new(requests).unwrap(),
        })
    }

    fn somebody(n: u128) -> Caller {
        Caller::Principal {
            site: 1,
            kind: "TENANT_STAFF",
            id: Uuid::from_u128(n),
        }
    }

    #[test]
    fn each_has_its_own_and_all_of_a_site_share_one() {
        let limits = limits(100, 10);
        let admitted = |caller| (0..20).filter(|_| limits.admit(caller, &Site::Platform).is_ok()).count();
        assert_eq!(admitted(somebody(1)), 10);
        assert_eq!(admitted(somebody(2)), 10, "one caller's rush is no other's");
        let all: usize = (3..30).map(|n| admitted(somebody(n))).sum();
        assert_eq!(all, 80, "ten callers' worth a second for the whole site, 20 of it gone");
    }

    #[test]
    fn cost_is_what_counts_and_what_can_never_be_paid_is_said() {
        let limits = limits(100, 1_000);
        let purse = limits.admit(somebody(1), &Site::Platform).unwrap_or_else(|_| panic!("full"));
        assert_eq!(purse.spend(101), Err(Denied::Never));
        let left = purse.spend(60).unwrap().unwrap();
        assert_eq!(left.limit, 100);
        assert!((40..=42).contains(&left.remaining), "{left:?}");
        let Err(Denied::For(wait)) = purse.spend(90) else {
            panic!("spent twice")
        };
        assert!(wait > Duration::from_millis(300) && wait < Duration::from_secs(1), "{wait:?}");
        assert!(
            Limits::new(ApiRate::Off)
                .admit(somebody(1), &Site::Platform)
                .unwrap_or_else(|_| panic!())
                .spend(usize::MAX)
                == Ok(None)
        );
    }

    #[test]
    fn an_ipv6_network_is_one_caller() {
        let at = |a: &str| Caller::at(a.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
        assert_ne!(at("10.0.0.2"), at("10.0.0.1"));
    }

    /// Memory stays bounded when credentials come in floods, and who comes often is not forgotten for them.
    #[test]
    fn a_flood_of_callers_is_not_remembered() {
        const MANY: u64 = 500;
        let [cost, requests] = [1_000, 5].map(|n| NonZeroU32::new(n).unwrap());
        let limits = Limits::remembering(MANY, ApiRate::PerSecond { cost, requests });
        let buckets = limits.0.as_ref().unwrap();
        let regular = somebody(u128::MAX);
        for n in 0..3_000_u32 {
            let _ = limits.admit(Caller::at(IpAddr::from(n.to_be_bytes())), &Site::Platform);
            let _ = limits.admit(regular, &Site::Platform);
        }
        buckets.callers.run_pending_tasks();
        assert!(buckets.callers.entry_count() <= MANY, "{}", buckets.callers.entry_count());
        assert!(buckets.callers.contains_key(&regular));
    }
}
