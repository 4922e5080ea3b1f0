use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use trunkline_api::adapters::render::{Limits, Renderers};
use trunkline_domain::billing::pdf::{TypesetError, Typesetter};

use super::{ENDLESS, good, renderers, sheet, text};

/// A second or so of work that ends.
const SLOW: &str = "#{ for a in range(1000) { for b in range(1000) { } } } Done.";

fn kill(pid: u32) {
    signal("-KILL", pid);
}

fn signal(name: &str, pid: u32) {
    assert!(
        Command::new("kill")
            .args([name, &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

fn built() -> PathBuf {
    let ours = std::env::current_exe().unwrap();
    let target = ours.ancestors().nth(3).unwrap();
    target.join("render/release/trunkline-render")
}

/// So much that no document of these tests runs into it.
fn patient() -> Limits {
    Limits {
        cpu_seconds: 60,
        wall: Duration::from_secs(60),
        ..Limits::default()
    }
}

/// A renderer that writes its process id into `pid`.
fn known_by(dir: &Path) -> Renderers {
    let program = dir.join("renderer");
    let script = format!(
        "#!/bin/sh\necho $$ > {}/pid\nexec {} \"$@\"\n",
        dir.display(),
        built().display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Renderers::new(Some(program), patient())
}

async fn pid(dir: &Path) -> u32 {
    for _ in 0..3_000 {
        if let Some(pid) = std::fs::read_to_string(dir.join("pid"))
            .ok()
            .and_then(|t| t.trim().parse().ok())
        {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no renderer was started")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_while_it_waits_is_replaced() {
    let renderers = renderers(Limits::default());
    good(&renderers).await;
    let idle = renderers.idle();
    assert_eq!(idle.len(), 1, "it is kept warm");
    kill(idle[0]);
    good(&renderers).await;
    assert_ne!(renderers.idle(), idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_at_work_is_replaced_and_the_document_made() {
    let dir = tempfile::tempdir().unwrap();
    let renderers = known_by(dir.path());
    good(&renderers).await;
    let first = pid(dir.path()).await;
    let slow = sheet(SLOW);
    // So that it cannot be done before it is killed, however busy the machine is.
    signal("-STOP", first);
    let (made, ()) = tokio::join!(renderers.pdf(1, &slow), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        kill(first);
    });
    assert_eq!(text(&made.expect("made by the second")), "Done.");
    assert_ne!(pid(dir.path()).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_wait_leaves_no_process_at_work() {
    let dir = tempfile::tempdir().unwrap();
    let renderers = known_by(dir.path());
    let endless = sheet(ENDLESS);
    let at_work = async {
        let pid = pid(dir.path()).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        pid
    };
    let pid = tokio::select! {
        made = renderers.pdf(1, &endless) => panic!("an endless document has ended: {made:?}"),
        pid = at_work => pid,
    };
    let process = PathBuf::from(format!("/proc/{pid}"));
    let begun = Instant::now();
    while process.exists()
        && !std::fs::read_to_string(process.join("status"))
            .unwrap_or_default()
            .contains("Z (zombie)")
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "it goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    good(&renderers).await;
}

/// The pipe closes however the server dies; the process ends even in the middle of work.
#[test]
fn it_ends_with_its_parent() {
    let mut child = Command::new(built())
        .args(["512", "600"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the renderer (deploy/render.sh builds it)");
    let mut pipe = child.stdin.take().unwrap();
    let template = ENDLESS.as_bytes();
    let mut request = 1u32.to_be_bytes().to_vec();
    for part in [&b"invoice.typ"[..], template] {
        request.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        request.extend(part);
    }
    std::io::Write::write_all(&mut pipe, &request).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it works");
    drop(pipe);
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Once it runs it can open no file and write none, whatever in it should be wrong.
#[tokio::test(flavor = "multi_thread")]
async fn its_doors_are_closed() {
    let renderers = renderers(Limits::default());
    good(&renderers).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", renderers.idle()[0])).unwrap();
    let of = |name: &str| {
        let line = limits
            .lines()
            .find(|l| l.starts_with(name))
            .unwrap_or_else(|| panic!("{limits}"));
        line[name.len()..]
            .split_whitespace()
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("Max open files"), ["0", "0"]);
    assert_eq!(of("Max file size"), ["0", "0"]);
    assert_eq!(of("Max core file size"), ["0", "0"]);
    assert_eq!(
        of("Max address space"),
        [(768u64 << 20).to_string(), (768u64 << 20).to_string()]
    );
    let environment = std::fs::read(format!("/proc/{}/environ", renderers.idle()[0])).unwrap();
    assert_eq!(environment, b"MALLOC_ARENA_MAX=1\0", "it inherits no secret");
}

#[tokio::test]
async fn without_the_program_documents_are_unavailable() {
    let renderers = Renderers::new(Some("/nowhere/trunkline-render".into()), Limits::default());
    let refused = renderers.pdf(1, &sheet("x")).await;
    assert!(matches!(refused, Err(TypesetError::Unavailable(_))), "{refused:?}");
}

/// An ISP whose templates never end takes its own turns, and leaves others theirs.
#[tokio::test(flavor = "multi_thread")]
async fn one_isp_does_not_hold_up_the_others() {
    let renderers = renderers(patient());
    let hostile: Vec<_> = (0..6).map(|n| sheet(&format!("{ENDLESS} // {n}"))).collect();
    let storm = futures::future::join_all(hostile.iter().map(|s| renderers.pdf(2, s)));
    let other = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let begun = Instant::now();
        good(&renderers).await;
        begun.elapsed()
    };
    tokio::select! {
        _ = storm => panic!("six endless documents have ended first"),
        took = other => assert!(took < Duration::from_secs(30), "{took:?}"),
    }
}
