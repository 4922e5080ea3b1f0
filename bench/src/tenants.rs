//! Many ISPs, quickly: the schema by the same script that opens every ISP, the rows copied from the first.

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use trunkline_migration::schema_script;

use crate::ground::Ground;

/// Connections that open ISPs side by side.
const WORKERS: u32 = 3;
/// A backend remembers every table that it has made: after so many ISPs it is replaced.
const PER_CONNECTION: usize = 40;

/// What makes an ISP's rows in the shared schemas, its role, its schema and its tables.
pub fn script(ground: &Ground, number: u32) -> String {
    let role = ground.role(number);
    format!(
        "INSERT INTO platform.tenant SELECT (jsonb_populate_record(t, jsonb_build_object('id', {number}, 'uid', gen_random_uuid(),
             'slug', 'bench-{number}', 'name', 'Bench {number}', 'role_name', '{role}'))).*
         FROM platform.tenant t WHERE t.id = 1;
         INSERT INTO radius.tenant SELECT (jsonb_populate_record(t, jsonb_build_object('tenant_id', {number}))).*
         FROM radius.tenant t WHERE t.tenant_id = 1;
         {}\n",
        schema_script(
            &ground.installation,
            i32::try_from(number).unwrap_or_default(),
            &format!("\"{}\"", ground.cell_role)
        )
    )
}

/// Opens ISPs until there are so many.
pub async fn fill(ground: &mut Ground, wanted: u32) -> Result<()> {
    let mut admin = PgConnection::connect(&ground.url).await?;
    // A cell takes 1,000; those that are opened later in the run find room too.
    admin
        .execute("ALTER TABLE platform.cell DROP CONSTRAINT IF EXISTS cell_capacity_check")
        .await?;
    admin.execute("UPDATE platform.cell SET capacity = 1200").await?;
    let copy = Copy::of(ground, &mut admin).await?;
    let numbers: Vec<u32> = (ground.tenants + 1..=wanted).collect();
    let shared: &Ground = ground;
    let batches = numbers.chunks(PER_CONNECTION).map(|batch| batch_of(shared, &copy, batch));
    futures::stream::iter(batches)
        .buffer_unordered(WORKERS as usize)
        .try_collect::<Vec<()>>()
        .await?;
    ground.tenants = ground.tenants.max(wanted);
    take_numbers(ground, &mut admin).await
}

/// The next ISP that the API opens gets a number behind those that were given out here.
pub async fn take_numbers(ground: &Ground, admin: &mut PgConnection) -> Result<()> {
    sqlx::query("SELECT setval(pg_get_serial_sequence('platform.tenant', 'id'), $1)")
        .bind(i64::from(ground.tenants))
        .execute(admin)
        .await?;
    Ok(())
}

async fn batch_of(ground: &Ground, copy: &Copy, numbers: &[u32]) -> Result<()> {
    let mut conn = PgConnection::connect(&ground.url).await?;
    for number in numbers {
        let mut tx = conn.begin().await?;
        tx.execute(AssertSqlSafe(script(ground, *number))).await?;
        tx.execute(AssertSqlSafe(copy.rows(&ground.role(*number)))).await?;
        tx.commit().await?;
        conn.execute(AssertSqlSafe(copy.analyze(&ground.role(*number)))).await?;
    }
    Ok(conn.close().await?)
}

/// How an ISP gets the first one's rows.
pub struct Copy {
    from: String,
    /// Tables that hold rows, in the order in which they were made, with the columns that can be written.
    tables: Vec<(String, String)>,
}

impl Copy {
    pub async fn of(ground: &Ground, admin: &mut PgConnection) -> Result<Self> {
        let from = ground.role(1);
        let all: Vec<(String, String)> = sqlx::query_as(
            "SELECT quote_ident(c.relname), string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
             GROUP BY c.oid, c.relname ORDER BY c.oid",
        )
        .bind(&from)
        .fetch_all(&mut *admin)
        .await?;
        let mut tables = Vec::new();
        for (table, columns) in all {
            let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM \"{from}\".{table}")))
                .fetch_one(&mut *admin)
                .await
                .context(table.clone())?;
            if count > 0 {
                tables.push((table, columns));
            }
        }
        Ok(Self { from, tables })
    }

    pub fn rows(&self, to: &str) -> String {
        let from = &self.from;
        let insert = |(table, columns): &(String, String)| {
            format!("INSERT INTO \"{to}\".{table} ({columns}) SELECT {columns} FROM \"{from}\".{table} ON CONFLICT DO NOTHING;\n")
        };
        self.tables.iter().map(insert).collect()
    }

    fn analyze(&self, of: &str) -> String {
        let tables: Vec<String> = self.tables.iter().map(|(table, _)| format!("\"{of}\".{table}")).collect();
        format!("VACUUM ANALYZE {}", tables.join(", "))
    }
}

/// Gives an ISP that the API has opened the rows that all others have.
pub async fn give_rows(ground: &Ground, number: u32, admin: &mut PgConnection) -> Result<()> {
    let mut tx = admin.begin().await?;
    tx.execute(AssertSqlSafe(format!("SET LOCAL search_path = \"{}\"", ground.role(number))))
        .await?;
    tx.execute(include_str!("rows.sql")).await?;
    Ok(tx.commit().await?)
}
