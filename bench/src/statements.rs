//! The very statements that the server sends, taken from PostgreSQL's log while it answers one request, and made into
//! scripts for pgbench. Nothing is written down twice, so nothing can drift.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use trunkline_domain::kernel::Clock;
use uuid::Uuid;

use crate::ground::Ground;
use crate::http::{Http, To};
use crate::workload::{FIRST, PGBENCH_SHARE, Spectrum, Workload};

/// One request's statements.
#[derive(Clone, Debug)]
pub struct Statements {
    workload: Workload,
    /// The message that begins the transaction and switches to the ISP.
    prologue: String,
    sent: Vec<Sent>,
    /// The one ISP and subscriber that were asked about, and since when new ids are new.
    tenant: u32,
    subscriber: u32,
    begun_ms: u64,
    schema: String,
}

#[derive(Clone, Debug)]
struct Sent {
    text: String,
    parameters: Vec<Option<String>>,
}

/// Begins each line of the log, so that those of one role can be told from the rest.
const PREFIX: &str = "@%p %u@ ";

impl Statements {
    /// Asks once, with PostgreSQL writing down every statement.
    pub async fn capture(ground: &Ground, workload: Workload) -> Result<Self> {
        let (tenant, subscriber) = (ground.sample(), *PGBENCH_SHARE.start() + 6);
        let mut http = Http::connect(&ground.server.address).await?;
        let (host, token) = ground.isp(tenant);
        let to = To {
            host: &host,
            token: Some(&token),
        };
        let mut admin = PgConnection::connect(&ground.url).await?;
        for _ in 0..5 {
            // what the server remembers of hosts and actors it has read, and its statements are prepared
            for _ in 0..40 {
                http.post(&to, &workload.body(subscriber, Uuid::now_v7())).await?;
            }
            logging(&mut admin, true).await?;
            let before = ground.log()?.len();
            let begun_ms = Clock::real().timestamp_millis().unsigned_abs();
            http.post(&to, &workload.body(subscriber, Uuid::now_v7())).await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
            let log = ground.log()?.split_off(before);
            logging(&mut admin, false).await?;
            let schema = ground.role(tenant);
            if let Some((prologue, sent)) = one_transaction(&records(&log, &ground.cell_role), &schema) {
                return Ok(Self {
                    workload,
                    prologue,
                    sent,
                    tenant,
                    subscriber,
                    begun_ms,
                    schema,
                });
            }
        }
        bail!("the log does not show one transaction for one request of {workload:?}");
    }

    /// How many statements there are between the prologue and the end.
    pub fn count(&self) -> usize {
        self.sent.len()
    }

    /// The same statements with the same switch, over these ISPs.
    pub fn switching(&self, spectrum: Spectrum) -> String {
        let mut script = draws(spectrum);
        script.push_str(&self.switch());
        self.body(&mut script, false);
        script
    }

    /// The prologue: one message of several statements, as the server sends it.
    pub fn switch(&self) -> String {
        let prologue = self.prologue.replace(&self.schema, &format!("{}:t", self.stem()));
        format!("{};\n", prologue.replace(';', " \\;"))
    }

    /// An ISP's schema without its number.
    fn stem(&self) -> &str {
        self.schema.strip_suffix(&self.tenant.to_string()).unwrap_or(&self.schema)
    }

    /// The messages of one such transaction, for this ISP.
    pub fn of(&self, tenant: u32) -> Vec<String> {
        let prologue = self.prologue.replace(&self.schema, &format!("{}{tenant}", self.stem()));
        let body = self.sent.iter().map(|sent| {
            let written = |n: usize| sent.parameters.get(n - 1).cloned().flatten();
            written_out(&sent.text, |n| {
                written(n).map_or("NULL".to_owned(), |v| literal(&v, &v, false))
            })
        });
        std::iter::once(prologue).chain(body).chain(["ROLLBACK".to_owned()]).collect()
    }

    pub fn workload(&self) -> Workload {
        self.workload
    }

    /// The same statements in one ISP's schema, without any switch.
    pub fn staying(&self) -> String {
        let mut script = draws(Spectrum { tenants: 1, zipf: None });
        script.push_str(if self.workload.reads() {
            "BEGIN READ ONLY;\n"
        } else {
            "BEGIN;\n"
        });
        self.body(&mut script, true);
        script
    }

    fn body(&self, script: &mut String, prepared: bool) {
        let mut new_ids = Vec::new();
        for sent in &self.sent {
            script.push_str(&self.statement(sent, prepared, &mut new_ids));
            script.push_str(";\n");
        }
        script.push_str(if self.workload.reads() { "ROLLBACK;\n" } else { "COMMIT;\n" });
    }

    /// A statement with its parameters written into it; the ISP, the subscriber and new ids as variables.
    fn statement(&self, sent: &Sent, prepared: bool, new_ids: &mut Vec<String>) -> String {
        let tenant = self.tenant.to_string();
        let names_tenant = sent.text.contains("tenant_id");
        written_out(&sent.text, |n| match sent.parameters.get(n - 1) {
            Some(Some(value)) if names_tenant && *value == tenant => ":t".to_owned(),
            Some(Some(value)) => literal(value, &self.varied(value, new_ids), prepared),
            _ => "NULL".to_owned(),
        })
    }

    /// A value with variables where it names the subscriber or something that is made anew each time.
    fn varied(&self, value: &str, new_ids: &mut Vec<String>) -> String {
        let mut text = value.to_owned();
        for id in ids_in(value) {
            let made = u64::from_str_radix(&format!("{}{}", &id[..8], &id[9..13]), 16);
            if made.is_ok_and(|ms| ms >= self.begun_ms) {
                let known = new_ids.iter().position(|n| *n == id).unwrap_or_else(|| {
                    new_ids.push(id.clone());
                    new_ids.len() - 1
                });
                text = text.replace(&id, &format!("0195:run-{known:04}-7000-8:c-:n"));
            }
        }
        text.replace(&(FIRST + u64::from(self.subscriber)).to_string(), ":s")
    }
}

/// A statement's text with something in the place of each `$n`.
fn written_out(text: &str, mut parameter: impl FnMut(usize) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let digits = rest[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let end = at + 1 + digits;
        out.push_str(&rest[..at]);
        match rest[at + 1..end].parse() {
            Ok(number @ 1..) => out.push_str(&parameter(number)),
            _ => out.push_str(&rest[at..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

const VARIABLES: [&str; 4] = [":run", ":s", ":c", ":n"];

/// pgbench writes variables into the text of a statement that it does not prepare, also between quotes. In a prepared one
/// they are parameters and must stand outside.
fn literal(value: &str, varied: &str, prepared: bool) -> String {
    let mut text = varied.replace('\'', "''");
    if !prepared || varied == value {
        return format!("'{text}'");
    }
    for variable in VARIABLES {
        text = text.replace(variable, &format!("' || {variable} || '"));
    }
    format!("('{text}')::{}", kind(value))
}

/// The type of a parameter, which its text shows well enough.
fn kind(value: &str) -> &'static str {
    match value.as_bytes() {
        [b'{', b'"', ..] => "jsonb",
        [b'{', ..] => "uuid[]",
        _ if Uuid::parse_str(value).is_ok() => "uuid",
        _ => "text",
    }
}

/// The parts of a text that are written as ids are.
fn ids_in(text: &str) -> Vec<String> {
    let is_id = |part: &str| part.len() == 36 && Uuid::parse_str(part).is_ok();
    let parts = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
    let mut found: Vec<String> = parts.filter(|p| is_id(p)).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

/// What each transaction of a script draws: an ISP, a subscriber, a number for new ids.
pub fn draws(spectrum: Spectrum) -> String {
    let tenants = spectrum.tenants;
    let draw = match spectrum.zipf {
        _ if tenants == 1 => "1".to_owned(),
        Some(s) => format!("random_zipfian(1, {tenants}, {s})"),
        None => format!("random(1, {tenants})"),
    };
    let (first, last) = (PGBENCH_SHARE.start(), PGBENCH_SHARE.end());
    format!("\\set t {draw}\n\\set s {FIRST} + random({first}, {last})\n\\set n :n + 1\n\\set c 100 + :client_id\n")
}

async fn logging(admin: &mut PgConnection, on: bool) -> Result<()> {
    let settings = match on {
        true => [
            format!("ALTER SYSTEM SET log_line_prefix = '{PREFIX}'"),
            "ALTER SYSTEM SET log_statement = 'all'".to_owned(),
        ],
        false => [
            "ALTER SYSTEM RESET log_line_prefix".to_owned(),
            "ALTER SYSTEM RESET log_statement".to_owned(),
        ],
    };
    for text in settings {
        admin.execute(AssertSqlSafe(text)).await?;
    }
    admin.execute("SELECT pg_reload_conf()").await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(())
}

/// The log's records of one role: those that begin with its prefix, with the lines that go on from them.
fn records(log: &str, role: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in log.lines() {
        match line.strip_prefix('\t') {
            Some(more) => {
                if let Some(last) = all.last_mut() {
                    last.push('\n');
                    last.push_str(more);
                }
            }
            None => all.push(line.to_owned()),
        }
    }
    let mine = format!(" {role}@ ");
    let of_role = all
        .iter()
        .filter_map(|r| Some(r.split_once(&mine)?.1.trim_start().to_owned()));
    of_role.collect()
}

/// Prologue and statements, if the records show one transaction and that in this schema.
fn one_transaction(records: &[String], schema: &str) -> Option<(String, Vec<Sent>)> {
    let mut prologue = None;
    let mut sent: Vec<Sent> = Vec::new();
    for record in records {
        if let Some(text) = record.strip_prefix("LOG:  statement: ") {
            if text.starts_with("BEGIN") {
                let first = prologue.replace(text.to_owned()).is_none();
                if !first || !text.contains(schema) {
                    return None;
                }
            }
        } else if let Some(text) = record.strip_prefix("LOG:  execute ") {
            let (_, text) = text.split_once(": ")?;
            sent.push(Sent {
                text: text.to_owned(),
                parameters: Vec::new(),
            });
        } else if let Some(text) = record.strip_prefix("DETAIL:  parameters: ") {
            sent.last_mut()?.parameters = parameters(text).ok()?;
        }
    }
    let prologue = prologue.filter(|_| !sent.is_empty())?;
    Some((prologue, sent))
}

/// `$1 = 'it''s', $2 = NULL` as values.
fn parameters(text: &str) -> Result<Vec<Option<String>>> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        rest = rest.strip_prefix(", ").unwrap_or(rest);
        rest = rest.split_once(" = ").context("a parameter has a value")?.1;
        if let Some(more) = rest.strip_prefix("NULL") {
            found.push(None);
            rest = more;
            continue;
        }
        let mut value = String::new();
        let mut chars = rest
            .strip_prefix('\'')
            .context("values are quoted")?
            .char_indices()
            .peekable();
        let mut end = None;
        while let Some((at, c)) = chars.next() {
            if c != '\'' {
                value.push(c);
            } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
                value.push('\'');
            } else {
                end = Some(at);
                break;
            }
        }
        let end = end.context("a value ends")?;
        found.push(Some(value));
        rest = &rest[1 + end + 1..];
    }
    ensure!(!found.is_empty(), "no parameters");
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_the_log_writes_them() {
        let read = parameters("$1 = 'it''s, $2 = ''x''', $2 = NULL, $3 = '{a,b}'").unwrap();
        assert_eq!(read, [Some("it's, $2 = 'x'".to_owned()), None, Some("{a,b}".to_owned())]);
        assert!(parameters("$1 = 'open").is_err());
    }

    #[test]
    fn one_transaction_is_told_from_the_rest_of_the_log() {
        let log = "@7 cell@ LOG:  statement: BEGIN; SET LOCAL ROLE \"tl_x_t7\"\n@7 cell@ LOG:  execute sqlx_s_1: SELECT a\n\tFROM b WHERE c = $1\n@7 cell@ DETAIL:  parameters: $1 = '1'\n@9 other@ LOG:  statement: BEGIN\n";
        let (prologue, sent) = one_transaction(&records(log, "cell"), "tl_x_t7").unwrap();
        assert!(prologue.starts_with("BEGIN"));
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].text, "SELECT a\nFROM b WHERE c = $1");
        assert!(one_transaction(&records(log, "cell"), "tl_x_t8").is_none());
        assert!(one_transaction(&records(&log.repeat(2), "cell"), "tl_x_t7").is_none());
    }

    #[test]
    fn what_varies_becomes_a_variable() {
        let statements = Statements {
            workload: Workload::Payment,
            prologue: "BEGIN; SET LOCAL ROLE \"tl_x_t7\"".into(),
            sent: vec![Sent {
                text: "INSERT INTO o (tenant_id, a, b, c, d) VALUES ($1, $2, $3, $4)".into(),
                parameters: vec![
                    Some("7".into()),
                    Some("01900001-0000-7000-8000-100000000107".into()),
                    Some("01ffffff-0000-7000-8000-000000000001".into()),
                    None,
                ],
            }],
            tenant: 7,
            subscriber: 107,
            begun_ms: 0x0191_0000_0000,
            schema: "tl_x_t7".into(),
        };
        let script = statements.switching(Spectrum { tenants: 20, zipf: None });
        assert!(script.contains("BEGIN \\; SET LOCAL ROLE \"tl_x_t:t\";"), "{script}");
        assert!(
            script.contains("(:t, '01900001-0000-7000-8000-:s', '0195:run-0000-7000-8:c-:n', NULL)"),
            "{script}"
        );
        let script = statements.staying();
        assert!(
            script.contains(
                "(:t, ('01900001-0000-7000-8000-' || :s || '')::uuid, \
                 ('0195' || :run || '-0000-7000-8' || :c || '-' || :n || '')::uuid, NULL)"
            ),
            "{script}"
        );
    }
}
