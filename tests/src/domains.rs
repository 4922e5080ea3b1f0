//! Hostnames of an ISP's own: claimed by anybody, served once proved in the DNS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::net::UdpSocket;
use trunkline_api::adapters::dns::Dns;
use trunkline_domain::kernel::{Actor, Error};
use trunkline_domain::tenants::{self, TxtResolver};

use crate::harness::{Ask, TestApp};

/// A name server on loopback that knows one TXT record and denies all others.
pub async fn name_server(record: Arc<Mutex<Option<(String, String)>>>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            let answer = dns_answer(&buffer[..len], record.lock().unwrap().as_ref());
            let _ = socket.send_to(&answer, from).await;
        }
    });
    address
}

/// RFC 1035, 4.1: header, the question as it was asked, and a TXT record in two parts or NXDOMAIN.
fn dns_answer(query: &[u8], record: Option<&(String, String)>) -> Vec<u8> {
    let mut at = 12;
    let mut labels = Vec::new();
    while query[at] != 0 {
        let len = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..at + 1 + len]).to_lowercase());
        at += 1 + len;
    }
    let question = &query[12..at + 5];
    let known = record.filter(|(name, _)| *name == labels.join("."));
    let mut answer = query[..2].to_vec();
    let code = if known.is_some() { 0x80 } else { 0x83 };
    answer.extend([0x81, code, 0, 1, 0, u8::from(known.is_some()), 0, 0, 0, 0]);
    answer.extend(question);
    if let Some((_, text)) = known {
        let (head, tail) = text.as_bytes().split_at(10);
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, u8::try_from(text.len() + 2).unwrap()]);
        for part in [head, tail] {
            answer.push(u8::try_from(part.len()).unwrap());
            answer.extend(part);
        }
    }
    answer
}

#[tokio::test]
async fn a_domain_serves_once_it_is_proved() {
    let app = TestApp::new().await;
    let platform = app.on_platform().as_platform_staff();
    let nodes = platform
        .gql("{ tenants(first: 9) { nodes { id } } }", json!({}))
        .await
        .at("tenants.nodes");
    let [asha, baraka, chandra] = [0, 1, 2].map(|i| nodes[i]["id"].clone());
    let fields = "domain { id hostname primary verifiedAt verification { recordName recordValue } }";
    let add = async |ask: &Ask<'_>, tenant: &Value, hostname: &str| {
        ask.mutate("domainAdd", json!({ "tenantId": tenant, "hostname": hostname }), fields)
            .await
    };
    for bad in ["localhost", "asha.localhost", "10.0.0.1", "a_b.example", "x", ""] {
        assert_eq!(add(&platform, &asha, bad).await.refusals(), ["INVALID hostname"], "{bad}");
    }
    let claim = add(&platform, &asha, "Portal.Büro.example").await.done()["domain"].clone();
    assert_eq!(claim["hostname"], "portal.xn--bro-hoa.example");
    assert_eq!((&claim["primary"], &claim["verifiedAt"]), (&json!(false), &Value::Null));
    assert_eq!(
        add(&platform, &asha, "portal.büro.example").await.refusals(),
        ["TAKEN hostname"]
    );
    // Claimed, not proved: it serves nobody and keeps nobody out.
    let host = "portal.xn--bro-hoa.example";
    assert!(app.app.directory.resolve(host).await.unwrap().is_none());
    let rival = add(&platform, &baraka, host).await.done()["domain"].clone();

    let record = Arc::new(Mutex::new(None));
    let dns = Dns::new(Some(name_server(record.clone()).await));
    let actor = Arc::new(Actor::System);
    let verify = async |domain: &Value| {
        let id = domain["id"].as_str().unwrap().parse().unwrap();
        let verified = tenants::domain_verify(&app.app.database, &actor, &dns, id).await;
        app.app.directory.flush();
        verified
    };
    let code = |result: trunkline_domain::Result<tenants::Domain>| match result {
        Err(Error::User(errors)) => errors[0].code.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(verify(&claim).await), "INVALID_STATE");
    let text = |d: &Value, f: &str| d["verification"][f].as_str().unwrap().to_owned();
    // The rival's proof proves nothing for us.
    *record.lock().unwrap() = Some((text(&claim, "recordName"), text(&rival, "recordValue")));
    assert_eq!(code(verify(&claim).await), "INVALID_STATE");
    *record.lock().unwrap() = Some((text(&claim, "recordName"), text(&claim, "recordValue")));
    let verified = verify(&claim).await.unwrap();
    assert!(verified.is_primary && verified.verified_at.is_some());
    let served = app
        .app
        .directory
        .resolve(&format!("{}:443", host.to_uppercase()))
        .await
        .unwrap();
    assert!(matches!(served, Some(tenants::Site::Tenant(t)) if t.slug() == "asha"));
    // From now on it keeps others out, also those who had claimed it before.
    *record.lock().unwrap() = Some((text(&rival, "recordName"), text(&rival, "recordValue")));
    assert_eq!(code(verify(&rival).await), "TAKEN");
    assert_eq!(add(&platform, &chandra, host).await.refusals(), ["TAKEN hostname"]);
    let shown = platform
        .gql(
            "query($id: ID!) { tenant(id: $id) { domains { hostname primary verification { recordName } } } }",
            json!({ "id": asha }),
        )
        .await;
    assert_eq!(
        shown.at("tenant.domains"),
        json!([{ "hostname": host, "primary": true, "verification": null }])
    );

    let director = app.on_platform().as_director();
    assert_eq!(add(&director, &asha, "x.example").await.refusals(), ["NOT_FOUND tenantId"]);
    add(&director, &chandra, "x.example").await.done();
    let remove = async |ask: &Ask<'_>| ask.mutate("domainRemove", json!({ "id": claim["id"] }), "removedId").await;
    assert_eq!(remove(&director).await.refusals(), ["NOT_FOUND id"]);
    assert_eq!(remove(&app.on("asha").as_owner()).await.code().as_deref(), Some("FORBIDDEN"));
    assert_eq!(remove(&platform).await.done()["removedId"], claim["id"]);
    assert!(app.app.directory.resolve(host).await.unwrap().is_none());
    assert_eq!(remove(&platform).await.refusals(), ["NOT_FOUND id"]);
}

#[tokio::test]
async fn a_silent_name_server_is_unavailable_not_a_denial() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let dns = Dns::new(Some(silent.local_addr().unwrap()));
    assert!(matches!(dns.txt("_trunkline.a.example").await, Err(Error::Unavailable(_))));
}
