//! Documents as PDF: what stands on them, who gets them, templates of ISPs' own, and what templates cannot do.

mod content;
mod credit_note;
mod hostile;
mod kinds;
mod parties;
mod receipt;
mod renderers;
mod template;
mod url;

use std::io::Write;
use std::process::{Command, Stdio};

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_api::adapters::render::{Limits, Renderers};
use trunkline_domain::billing::pdf::{Sheet, TypesetError, Typesetter};

use crate::harness::Ask;

const GSTIN: &str = "29AABCR1718E1ZL";

/// Reads a PDF by one of poppler's programs, which reads standard input.
fn poppler(program: &str, args: &[&str], pdf: &[u8]) -> String {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{program} (poppler-utils): {e}"));
    child.stdin.take().unwrap().write_all(pdf).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} cannot read it");
    String::from_utf8(output.stdout).unwrap()
}

/// Its text, blanks and line ends run together.
fn text(pdf: &[u8]) -> String {
    let text = poppler("pdftotext", &["-layout", "-", "-"], pdf);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All of these stand on it, and none of those.
#[track_caller]
fn says(printed: &str, there: &[&str], absent: &[&str]) {
    for item in there {
        assert!(printed.contains(item), "{item:?} is missing in:\n{printed}");
    }
    for item in absent {
        assert!(!printed.contains(item), "{item:?} stands in:\n{printed}");
    }
}

fn pages(pdf: &[u8]) -> usize {
    let info = poppler("pdfinfo", &["-"], pdf);
    let line = info.lines().find(|l| l.starts_with("Pages:")).expect("Pages");
    line.trim_start_matches("Pages:").trim().parse().unwrap()
}

/// The path of an invoice's PDF, as the API names it.
async fn path(ask: &Ask<'_>, invoice: &str) -> String {
    let answer = ask
        .gql("query($id: ID!) { invoice(id: $id) { pdfUrl } }", json!({ "id": invoice }))
        .await;
    answer.text_at("invoice.pdfUrl")
}

async fn pdf(ask: &Ask<'_>, invoice: &str) -> Vec<u8> {
    let answer = ask.get(&path(ask, invoice).await, &[]).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "{} (deploy/render.sh builds the renderer)",
        answer.text
    );
    assert_eq!(answer.headers["content-type"], "application/pdf");
    assert!(answer.bytes.starts_with(b"%PDF-"));
    answer.bytes.to_vec()
}

async fn register(ask: &Ask<'_>, country: &str, region: Option<&str>, tax_id: &str) {
    let input = json!({ "country": country, "region": region, "taxId": tax_id });
    ask.mutate("taxRegistrationAdd", input, "registration { id }").await.done();
}

async fn brand(ask: &Ask<'_>, mut changes: Value) {
    changes["expectedVersion"] = ask.gql("{ branding { version } }", json!({})).await.at("branding.version");
    ask.mutate("brandingUpdate", changes, "branding { version }").await.done();
}

/// A document of a template alone.
fn sheet(template: &str) -> Sheet {
    Sheet {
        files: vec![("invoice.typ", template.as_bytes().to_vec())],
    }
}

/// A template that is at work for hours. (Typst itself gives up a `while` after some thousand rounds.)
const ENDLESS: &str = "#{ for a in range(100000) { for b in range(100000) { for c in range(1000) { } } } }";

/// Processes of this test's own.
fn renderers(limits: Limits) -> Renderers {
    Renderers::new(None, limits)
}

async fn refused(renderers: &Renderers, template: &str) -> String {
    match renderers.pdf(1, &sheet(template)).await {
        Err(TypesetError::Template(fault)) => fault.sentence(),
        other => panic!("{template}: {other:?}"),
    }
}

async fn good(renderers: &Renderers) {
    let made = renderers
        .pdf(1, &sheet(&format!("All is well. // {}", uuid::Uuid::now_v7())))
        .await;
    assert_eq!(text(&made.expect("a document")), "All is well.");
}
