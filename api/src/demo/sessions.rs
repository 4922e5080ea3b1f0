//! Sessions of the past, told to the database as FreeRADIUS tells it of live ones: through `radius.post_auth` and
//! `radius.accounting`, as FreeRADIUS' login role, which may execute them and nothing else.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{Connection, PgConnection};

use super::cast::Isp;
use super::people::Person;

/// Packets of one statement.
const BATCH: usize = 500;

/// One ISP's router and who is on it.
pub struct Network {
    conn: PgConnection,
    nas: i32,
    broadband: bool,
    devices: Vec<Device>,
    rng: StdRng,
}

struct Device {
    username: String,
    mac: String,
    ip: String,
    open: Option<Session>,
    /// When the last session ended.
    idle_since: DateTime<Utc>,
}

struct Session {
    id: String,
    class: String,
    started: DateTime<Utc>,
    upload: i64,
    download: i64,
    last: DateTime<Utc>,
}

/// Accounting packets, a column each.
#[derive(Default)]
struct Packets {
    status: Vec<&'static str>,
    session: Vec<String>,
    username: Vec<String>,
    class: Vec<String>,
    mac: Vec<String>,
    at: Vec<String>,
    seconds: Vec<String>,
    input: Vec<i64>,
    output: Vec<i64>,
    ip: Vec<String>,
    cause: Vec<&'static str>,
}

impl Network {
    pub async fn connect(url: &str, isp: &Isp) -> Result<Self> {
        let mut conn = PgConnection::connect(url).await?;
        let client: Option<String> = sqlx::query_scalar("SELECT radius.client($1)")
            .bind(isp.router.address)
            .fetch_one(&mut conn)
            .await?;
        let nas = client.as_deref().and_then(|c| c.split('|').next()?.parse().ok());
        Ok(Self {
            conn,
            nas: nas.with_context(|| format!("RADIUS does not know the router of {}", isp.slug))?,
            broadband: isp.country == "IN",
            devices: Vec::new(),
            rng: StdRng::seed_from_u64(isp.people as u64),
        })
    }

    pub fn plug_in(&mut self, person: &Person) {
        let n = self.devices.len();
        self.devices.push(Device {
            username: person.username.clone(),
            mac: person.mac.clone(),
            ip: format!("10.{}.{}.{}", self.nas, n / 250, n % 250 + 2),
            open: None,
            idle_since: DateTime::UNIX_EPOCH,
        });
    }

    /// What happened on the network in the day that ends `now`. On the `last` one some stay on line.
    pub async fn day(&mut self, now: DateTime<Utc>, detailed: bool, last: bool) -> Result<()> {
        let mut packets = Packets::default();
        let begun = now - TimeDelta::hours(23);
        for device in &mut self.devices {
            let Some(session) = &mut device.open else { continue };
            let ends = !last && self.rng.random_range(0..100) < if self.broadband { 22 } else { 100 };
            if !ends && !detailed && self.rng.random_range(0..3) > 0 {
                continue;
            }
            let latest = (now - session.last).num_seconds().max(2);
            let at = match (ends, self.broadband) {
                (true, false) => session.last + TimeDelta::seconds(self.rng.random_range(600..3 * 3600).min(latest)),
                (true, true) => session.last + TimeDelta::seconds(self.rng.random_range(1..latest)),
                (false, _) => now - TimeDelta::seconds(self.rng.random_range(1..200)),
            };
            session.use_until(at, self.broadband, &mut self.rng);
            packets.push(
                if ends { "Stop" } else { "Interim-Update" },
                device,
                at,
                if ends { "User-Request" } else { "" },
            );
            if ends {
                device.open = None;
                device.idle_since = at;
            }
        }
        self.send(packets).await?;

        let mut packets = Packets::default();
        let share = if self.broadband { 90 } else { 45 };
        let off: Vec<usize> = (0..self.devices.len())
            .filter(|n| self.devices[*n].open.is_none() && self.rng.random_range(0..100) < share)
            .collect();
        for (n, class) in self.log_in(&off).await? {
            let device = &mut self.devices[n];
            let at = begun + TimeDelta::minutes(self.rng.random_range(0..1200));
            let at = if last { now - TimeDelta::seconds(240) } else { at }.max(device.idle_since + TimeDelta::seconds(60));
            device.open = Some(Session {
                id: format!("{:08x}", self.rng.random::<u32>()),
                class,
                started: at,
                upload: 0,
                download: 0,
                last: at,
            });
            packets.push("Start", device, at, "");
        }
        self.send(packets).await
    }

    /// Asks for each device whether it may come in; answers the classes of those that may.
    async fn log_in(&mut self, who: &[usize]) -> Result<Vec<(usize, String)>> {
        let mut admitted = Vec::new();
        for batch in who.chunks(BATCH) {
            let answers: Vec<String> = sqlx::query_scalar(
                "SELECT radius.post_auth($1, l.username, 'Access-Accept', l.mac, '') FROM unnest($2::text[], $3::text[]) AS l(username, mac)",
            )
            .bind(self.nas)
            .bind(batch.iter().map(|n| self.devices[*n].username.as_str()).collect::<Vec<_>>())
            .bind(batch.iter().map(|n| self.devices[*n].mac.as_str()).collect::<Vec<_>>())
            .fetch_all(&mut self.conn)
            .await?;
            let classes = batch.iter().zip(answers).filter(|(_, a)| !a.starts_with("deny:"));
            admitted.extend(classes.map(|(n, class)| (*n, class)));
        }
        Ok(admitted)
    }

    async fn send(&mut self, packets: Packets) -> Result<()> {
        if packets.status.is_empty() {
            return Ok(());
        }
        let (low, high): (Vec<String>, Vec<String>) = packets.input.iter().map(|n| gigawords(*n)).unzip();
        let (out_low, out_high): (Vec<String>, Vec<String>) = packets.output.iter().map(|n| gigawords(*n)).unzip();
        let answers: Vec<String> = sqlx::query_scalar(
            "SELECT radius.accounting($1, p.status, p.session, p.username, p.class, p.mac, p.at, '', p.seconds, p.input, p.input_high,
                 p.output, p.output_high, p.ip, '', '', 'Ethernet', '', p.cause, 'Framed-User', 'PPP', '', '')
             FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                 $11::text[], $12::text[], $13::text[], $14::text[])
                 AS p(status, session, username, class, mac, at, seconds, input, input_high, output, output_high, ip, cause)",
        )
        .bind(self.nas)
        .bind(packets.status)
        .bind(packets.session)
        .bind(packets.username)
        .bind(packets.class)
        .bind(packets.mac)
        .bind(packets.at)
        .bind(packets.seconds)
        .bind(low)
        .bind(high)
        .bind(out_low)
        .bind(out_high)
        .bind(packets.ip)
        .bind(packets.cause)
        .fetch_all(&mut self.conn)
        .await?;
        let refused = answers.iter().find(|a| !matches!(a.as_str(), "ok" | "new"));
        ensure!(
            refused.is_none(),
            "RADIUS accounting answered {:?}",
            refused.map_or("", |a| a)
        );
        Ok(())
    }
}

impl Session {
    /// Evening-heavy household use, or a phone's.
    fn use_until(&mut self, at: DateTime<Utc>, broadband: bool, rng: &mut StdRng) {
        let seconds = (at - self.last).num_seconds().max(1);
        let rate = if broadband {
            rng.random_range(20_000..260_000)
        } else {
            rng.random_range(5_000..90_000)
        };
        self.download += seconds * rate;
        self.upload += seconds * rate / rng.random_range(6..14);
        self.last = at;
    }
}

impl Packets {
    fn push(&mut self, status: &'static str, device: &Device, at: DateTime<Utc>, cause: &'static str) {
        let Some(session) = &device.open else { return };
        self.status.push(status);
        self.session.push(session.id.clone());
        self.username.push(device.username.clone());
        self.class.push(session.class.clone());
        self.mac.push(device.mac.clone());
        self.at.push(at.timestamp().to_string());
        self.seconds.push((at - session.started).num_seconds().max(0).to_string());
        self.input.push(session.upload);
        self.output.push(session.download);
        self.ip.push(device.ip.clone());
        self.cause.push(cause);
    }
}

/// As the protocol carries octets: 32 bits and how often they ran over.
fn gigawords(octets: i64) -> (String, String) {
    ((octets & 0xffff_ffff).to_string(), (octets >> 32).to_string())
}
