//! The demo's subscribers: who they are, when they come, what they buy and how they pay. Drawn from a seed, so that every
//! demo tells the same story.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use trunkline_domain::subscribers::Address;

use super::cast::Isp;

/// How somebody pays. `Never` is somebody who has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer {
    Prompt,
    Late,
    /// Half now, half later.
    Halves,
    /// More than is due.
    Generous,
    /// Pays so many invoices, then no more.
    Stops(u32),
}

#[derive(Clone, Debug)]
pub struct Person {
    pub name: String,
    pub email: String,
    pub phone: String,
    pub address: Address,
    pub username: String,
    pub password: String,
    pub mac: String,
    pub plan: &'static str,
    /// Day of the demo's history on which they sign up.
    pub joins: usize,
    pub payer: Payer,
}

pub fn people(isp: &Isp, days: usize) -> Vec<Person> {
    // Names, and with them user names, come from the ISP's seed alone; everything else differs between its namesakes.
    let mut names = StdRng::seed_from_u64(isp.seed);
    let mut rng = StdRng::seed_from_u64(isp.seed ^ isp.slug.bytes().map(u64::from).sum::<u64>() << 16);
    (0..isp.people).map(|n| person(isp, n, days, &mut names, &mut rng)).collect()
}

fn person(isp: &Isp, n: usize, days: usize, names: &mut StdRng, rng: &mut StdRng) -> Person {
    let given = pick(isp.names.given, names);
    let family = pick(isp.names.family, names);
    let plain: String = format!("{given}.{family}").to_lowercase().replace('\'', "");
    let username = format!("{plain}.{}", n + 1);
    let (region, city, postal, _) = *weighted(isp.places, |p| p.3, rng);
    let indian = isp.country == "IN";
    let phone = match indian {
        true => format!("+9198{:08}", rng.random_range(0..100_000_000)),
        false => format!("+2547{:08}", rng.random_range(0..100_000_000)),
    };
    let first = n == 0;
    Person {
        name: format!("{given} {family}"),
        email: format!("{username}@mail.example"),
        phone,
        address: Address {
            line1: format!("{} {}", rng.random_range(1..200), street(indian, rng)),
            line2: None,
            city: Some(city.into()),
            region: Some(region.into()),
            postal_code: Some(match indian {
                true => format!("{postal}{:03}", rng.random_range(1..120)),
                false => format!("{postal}00"),
            }),
            country: isp.country.into(),
        },
        username,
        password: format!("net-{}-{:05}", isp.slug, rng.random_range(0..100_000)),
        mac: format!(
            "02-{:02X}-{:02X}-{:02X}-{:02X}-{:02X}",
            isp.seed,
            rng.random::<u8>(),
            rng.random::<u8>(),
            n / 256,
            n % 256
        ),
        // the first is the one whose login is printed: there from the first day, and always paid up
        plan: if first {
            isp.plans[0].0
        } else {
            weighted(isp.plans, |p| p.1, rng).0
        },
        joins: match rng.random_range(0..100) {
            _ if first => 0,
            0..60 => rng.random_range(0..7),
            _ => rng.random_range(7..days - 1),
        },
        payer: match rng.random_range(0..100) {
            _ if first => Payer::Prompt,
            0..68 => Payer::Prompt,
            68..80 => Payer::Late,
            80..87 => Payer::Halves,
            87..95 => Payer::Generous,
            _ => Payer::Stops(rng.random_range(0..4)),
        },
    }
}

fn street(indian: bool, rng: &mut StdRng) -> &'static str {
    match indian {
        true => pick(
            &[
                "MG Road",
                "Temple Road",
                "4th Cross",
                "Lake View",
                "Station Road",
                "Gandhi Nagar",
            ],
            rng,
        ),
        false => pick(
            &[
                "Moi Avenue",
                "Digo Road",
                "Nyali Road",
                "Links Road",
                "Beach Road",
                "Kenyatta Avenue",
            ],
            rng,
        ),
    }
}

fn pick(from: &'static [&'static str], rng: &mut StdRng) -> &'static str {
    from.choose(rng).copied().unwrap_or_default()
}

fn weighted<'a, T>(from: &'a [T], weight: impl Fn(&T) -> u32, rng: &mut StdRng) -> &'a T {
    let mut left = rng.random_range(0..from.iter().map(&weight).sum::<u32>());
    for item in from {
        match left.checked_sub(weight(item)) {
            Some(rest) => left = rest,
            None => return item,
        }
    }
    &from[from.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::super::cast::ISPS;
    use super::*;

    #[test]
    fn the_same_people_every_time_and_namesakes_in_the_franchise() {
        let names = |isp: &Isp| people(isp, 92).into_iter().map(|p| p.username).collect::<Vec<_>>();
        let passwords = |isp: &Isp| people(isp, 92).into_iter().map(|p| p.password).collect::<Vec<_>>();
        let (first, franchise) = (&ISPS[0], &ISPS[2]);
        assert_eq!(names(first), names(first));
        assert_eq!(names(first)[..franchise.people], names(franchise)[..]);
        assert_ne!(passwords(first)[..franchise.people], passwords(franchise)[..]);
    }
}
