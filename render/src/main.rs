//! `trunkline-render`: Typst behind a pipe. The server keeps some of these warm and gives them templates that its tenants
//! wrote; nothing that a template does may reach beyond this process.
//!
//! **What it cannot do.** It serves the files of the request and no others: no disk, no packages, no plugins, no clock. Once
//! it runs it can open nothing (`RLIMIT_NOFILE` 0), write no file, and has so much memory and, for each request, so much
//! processor time; beyond that the system ends it, and the server starts another. It ends with its parent: its standard
//! input closes.
//!
//! **What is said.** All numbers are 32 bits, big-endian. A request: the number of files, then each file's name and content
//! as length and bytes. The first is the template. An answer: one byte, then length and bytes: 0 and the PDF, or 1 and what
//! is wrong as JSON (`file`, `line`, `column`, `message`, `hints`).

mod limits;
mod pipe;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use crate::limits::Limits;
use crate::pipe::{Answer, Request};
use crate::world::World;

/// Deep enough for Typst's own limits on nesting to be met first.
const STACK: usize = 64 << 20;

fn main() -> ExitCode {
    let limits = match Limits::from_args(std::env::args().skip(1)) {
        Ok(limits) => limits,
        Err(wrong) => {
            eprintln!("trunkline-render: {wrong}; usage: trunkline-render <MiB of memory> <seconds per document>");
            return ExitCode::from(2);
        }
    };
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .stack_size(STACK)
        .build_global();
    if let Err(e) = threads {
        eprintln!("trunkline-render: {e}");
        return ExitCode::FAILURE;
    }
    let (send, requests) = mpsc::channel::<Request>();
    // Whatever is being rendered, a closed pipe ends the process at once.
    thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        while let Ok(Some(request)) = pipe::read(&mut stdin) {
            if send.send(request).is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    rayon::scope(move |_| serve(&limits, requests))
}

fn serve(limits: &Limits, requests: mpsc::Receiver<Request>) -> ExitCode {
    let Some(mut world) = World::new() else {
        return ExitCode::FAILURE;
    };
    if let Err(e) = limits.close_doors() {
        eprintln!("trunkline-render: {e}");
        return ExitCode::FAILURE;
    }
    while let Ok(request) = requests.recv() {
        if let Err(e) = limits.allow_one_document() {
            eprintln!("trunkline-render: {e}");
            return ExitCode::FAILURE;
        }
        let answer = catch_unwind(AssertUnwindSafe(|| world.render(request)));
        let broken = answer.is_err();
        let answer = answer.unwrap_or_else(|_| Answer::refused("The template led the typesetter into an internal error."));
        // After a panic nothing here is trusted; the server starts a fresh process.
        if pipe::write(&mut std::io::stdout().lock(), &answer).is_err() || broken {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
