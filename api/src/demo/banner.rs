//! What the demo tells the person at the terminal.
#![expect(clippy::print_stdout, reason = "what this command is for")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use trunkline_domain::kernel::db::TenantDb;
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::subscribers::{self, SubscriberFilter, SubscriberOrder};
use trunkline_domain::{Actor, billing, payments};

use super::cast::{ADMIN, DIRECTOR, ISPS, Isp, PASSWORD};
use super::people::people;
use crate::app::App;
use crate::freeradius::FreeRadius;

pub fn say(text: &str) {
    println!("{text}");
}

pub fn progress(day: usize, days: usize) {
    if day.is_multiple_of(30) {
        println!("  day {} of {days}", day + 1);
    }
}

pub async fn print(app: &App, address: SocketAddr, radius: Option<&FreeRadius>, took: Duration) -> Result<()> {
    let (port, base) = (address.port(), app.config.base_domain.as_str());
    println!(
        "\nTrunkline is up after {:.1} s. The password of every login below is {PASSWORD}\n",
        took.as_secs_f32()
    );
    println!("Platform\n           http://platform.{base}:{port}/graphql");
    println!("           {ADMIN}  (platform staff)");
    println!("           {}  (director: {})", DIRECTOR.2, DIRECTOR.0);
    for isp in &ISPS {
        print_isp(app, isp, &format!("http://{}.{base}:{port}", isp.slug)).await?;
    }
    let isp = &ISPS[0];
    println!("\nSign in as an owner:\n");
    println!(
        "{}",
        sign_in(&format!("http://{}.{base}:{port}", isp.slug), &isp.owner_email())
    );
    if let Some(radius) = radius {
        println!(
            "\nRADIUS on 127.0.0.1: authentication {}, accounting {}. A subscriber logs in:\n",
            radius.auth_port, radius.acct_port
        );
        println!("{}", login(isp, radius.auth_port)?);
        println!("\nThe same user name at the franchise, with its own password:\n");
        println!("{}", login(&ISPS[2], radius.auth_port)?);
    }
    println!(
        "\nhttp://{}.{base}:{port}/graphql in a browser is GraphiQL. Ctrl-C stops everything.",
        isp.slug
    );
    Ok(())
}

async fn print_isp(app: &App, isp: &Isp, url: &str) -> Result<()> {
    let tenant = app
        .directory
        .by_slug(isp.slug)
        .await?
        .with_context(|| format!("{} is gone", isp.slug))?;
    let db = TenantDb::new(app.database.clone(), tenant, Arc::new(Actor::System));
    let username = people(isp, super::story::DAYS)[0].username.clone();
    let (count, invoices, payments, account) = db
        .read(async |tx| {
            let all = SubscriberFilter::default();
            let first = SubscriberFilter {
                search: Some(username.clone()),
                ..SubscriberFilter::default()
            };
            let found = subscribers::list(tx, PageRequest { first: 1, after: None }, &first, SubscriberOrder::default()).await?;
            Ok((
                subscribers::count(tx, &all).await?,
                billing::count(tx, &billing::InvoiceFilter::default()).await?,
                payments::count(tx, None).await?,
                found.items.into_iter().next(),
            ))
        })
        .await?;
    println!("\n{}\n           {url}/graphql", isp.name);
    println!(
        "           {count} subscribers, {invoices} invoices, {payments} payments; template {}",
        isp.template
    );
    println!("           {}  (owner)", isp.owner_email());
    println!("           {}  (staff, role billing)", isp.clerk_email());
    if let Some(subscriber) = account {
        println!(
            "           {}  (portal login of {})",
            subscriber.account_number, subscriber.name
        );
    }
    Ok(())
}

fn sign_in(url: &str, email: &str) -> String {
    let query = r#"mutation($i: SessionCreateInput!) { sessionCreate(input: $i) { session { accessToken viewer { name permissions } } userErrors { code message } } }"#;
    let body = serde_json::json!({ "query": query, "variables": { "i": { "email": email, "password": PASSWORD } } });
    format!("curl -s {url}/graphql -H 'content-type: application/json' -d '{body}'")
}

fn login(isp: &Isp, port: u16) -> Result<String> {
    let everybody = people(isp, super::story::DAYS);
    let person = everybody.first().context("nobody")?;
    let source = match isp.router.address {
        "127.0.0.1" => String::new(),
        other => format!("Packet-Src-IP-Address={other},"),
    };
    Ok(format!(
        "echo '{source}User-Name={},User-Password={},Calling-Station-Id={},Message-Authenticator=0x00' | radclient -x 127.0.0.1:{port} auth {}",
        person.username, person.password, person.mac, isp.router.secret
    ))
}
