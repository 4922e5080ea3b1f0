//! Typesetting in processes of their own (`render/`, whose `main.rs` says what is said over the pipe). A few are kept warm; one
//! that a template has brought down, or that takes too long, is replaced.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use moka::future::Cache;
use rustix::process::Signal;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trunkline_domain::billing::pdf::{Fault, Sheet, TypesetError, Typesetter};

use crate::turns::Turns;

const PROGRAM: &str = "trunkline-render";
/// Typeset documents are remembered up to so many octets.
const REMEMBERED: u64 = 32 << 20;
/// Whoever waits longer for a process is asked to try again.
const QUEUE: Duration = Duration::from_secs(10);

/// What one document may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Mebibytes of address space.
    pub memory: u64,
    /// Of the processor's time.
    pub cpu_seconds: u64,
    /// Whatever it waits for.
    pub wall: Duration,
    /// Octets of the PDF.
    pub output: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 768,
            cpu_seconds: 4,
            wall: Duration::from_secs(12),
            output: 16 << 20,
        }
    }
}

/// The processes, and what they made of late. Cheap to ask twice for the same document.
pub struct Renderers {
    program: Option<PathBuf>,
    limits: Limits,
    idle: Mutex<Vec<Renderer>>,
    slots: Arc<Semaphore>,
    /// One document of an ISP at a time, so that one whose template idles its time away leaves room for others.
    turns: Turns,
    done: Cache<(i32, [u8; 32]), Bytes>,
}

impl Renderers {
    /// `program`: None looks for it beside this process' own.
    pub fn new(program: Option<PathBuf>, limits: Limits) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            program,
            limits,
            idle: Mutex::default(),
            slots: Arc::new(Semaphore::new(cores.clamp(2, 8))),
            turns: Turns::new(1),
            done: Cache::builder()
                .max_capacity(REMEMBERED)
                .weigher(|_, pdf: &Bytes| u32::try_from(pdf.len()).unwrap_or(u32::MAX))
                .build(),
        }
    }

    /// Ids of the processes that wait for work.
    pub fn idle(&self) -> Vec<u32> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter().filter_map(|renderer| renderer.child.id()).collect()
    }

    async fn typeset(&self, tenant: i32, sheet: &Sheet) -> Result<Bytes, TypesetError> {
        let _turn = admitted(self.turns.of(tenant)).await?;
        let _slot = admitted(self.slots.clone()).await?;
        let warm = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(renderer) = warm
            && let Some(answer) = self.ask(renderer, sheet, Kept::Warm).await
        {
            return answer;
        }
        // None was warm, or it was gone through no fault of the document's.
        match self.ask(self.start()?, sheet, Kept::Fresh).await {
            Some(answer) => answer,
            None => Err(TypesetError::Unavailable(format!("{PROGRAM} ended by itself"))),
        }
    }

    /// None: the process was lost, and the document is not to blame.
    async fn ask(&self, mut renderer: Renderer, sheet: &Sheet, kept: Kept) -> Option<Result<Bytes, TypesetError>> {
        let answer = tokio::time::timeout(self.limits.wall, renderer.exchange(sheet, self.limits.output)).await;
        match answer {
            Ok(Ok(answer)) => {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(renderer);
                Some(answer)
            }
            Ok(Err(error)) if error.kind() == ErrorKind::FileTooLarge => {
                renderer.end().await;
                Some(Err(TypesetError::Template(Fault::of(format!(
                    "The document is too large: more than {} KiB.",
                    self.limits.output >> 10
                )))))
            }
            Ok(Err(error)) => {
                let status = renderer.end().await;
                tracing::warn!(%error, ?status, "a renderer is gone");
                self.blame(status, kept).map(Err)
            }
            Err(_) => {
                renderer.end().await;
                Some(Err(self.too_long()))
            }
        }
    }

    /// What a process' end says of the document it worked on. Memory that is short in a warm one may be held for documents
    /// before.
    fn blame(&self, status: Option<ExitStatus>, kept: Kept) -> Option<TypesetError> {
        let signal = status?.signal()?;
        if signal == Signal::XCPU.as_raw() {
            return Some(self.too_long());
        }
        let memory = [Signal::ABORT, Signal::SEGV, Signal::BUS].map(Signal::as_raw);
        (kept == Kept::Fresh && memory.contains(&signal)).then(|| {
            let message = format!(
                "It needs more than {} MiB of memory, or nests too deeply.",
                self.limits.memory
            );
            TypesetError::Template(Fault::of(message))
        })
    }

    fn too_long(&self) -> TypesetError {
        TypesetError::Template(Fault::of("It takes too long: it may never end."))
    }

    fn start(&self) -> Result<Renderer, TypesetError> {
        let program = self.program.clone().or_else(beside_us);
        let program =
            program.ok_or_else(|| TypesetError::Unavailable(format!("{PROGRAM} is not installed beside the server")))?;
        Renderer::start(&program, &self.limits)
            .map_err(|e| TypesetError::Unavailable(format!("cannot start {}: {e}", program.display())))
    }
}

#[async_trait]
impl Typesetter for Renderers {
    async fn pdf(&self, tenant: i32, sheet: &Sheet) -> Result<Bytes, TypesetError> {
        let made = self
            .done
            .try_get_with((tenant, sheet.digest()), self.typeset(tenant, sheet))
            .await;
        made.map_err(|shared| TypesetError::clone(&shared))
    }
}

async fn admitted(semaphore: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, TypesetError> {
    match tokio::time::timeout(QUEUE, semaphore.acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(TypesetError::Unavailable("too many documents are waiting".into())),
    }
}

/// Installed together they lie side by side; in a checkout it is built into `target/render` (`deploy/render.sh`).
fn beside_us() -> Option<PathBuf> {
    let ours = std::env::current_exe().ok()?;
    let places = ours.ancestors().skip(1).take(3);
    let known = places.flat_map(|dir| [dir.join(PROGRAM), dir.join("render/release").join(PROGRAM)]);
    known.into_iter().find(|path| path.is_file())
}

/// Whether a process has set other documents before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Warm,
    Fresh,
}

/// One process. Dropped, it is killed: whoever did not wait for the answer cannot leave half of one behind.
struct Renderer {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Told {
    message: String,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    #[serde(default)]
    hints: Vec<String>,
}

impl Renderer {
    fn start(program: &Path, limits: &Limits) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            .args([limits.memory.to_string(), limits.cpu_seconds.to_string()])
            .env_clear()
            // Each of glibc's arenas reserves 64 MiB of what the limit counts.
            .env("MALLOC_ARENA_MAX", "1")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let requests = child.stdin.take().ok_or(ErrorKind::BrokenPipe)?;
        let answers = child.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        Ok(Self {
            child,
            requests,
            answers: BufReader::new(answers),
        })
    }

    /// A longer answer than `most` is `FileTooLarge`, and not read.
    async fn exchange(&mut self, sheet: &Sheet, most: u32) -> std::io::Result<Result<Bytes, TypesetError>> {
        let mut request = size(sheet.files.len())?.to_vec();
        for part in sheet.files.iter().flat_map(|(name, content)| [name.as_bytes(), content]) {
            request.extend(size(part.len())?);
            request.extend(part);
        }
        self.requests.write_all(&request).await?;
        self.requests.flush().await?;
        let kind = self.answers.read_u8().await?;
        let length = self.answers.read_u32().await?;
        if length > most {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let mut body = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
        self.answers.read_exact(&mut body).await?;
        if kind == 0 {
            return Ok(Ok(body.into()));
        }
        let told: Told = serde_json::from_slice(&body)?;
        Ok(Err(TypesetError::Template(told.into())))
    }

    /// Makes sure that it is over, and says how it ended.
    async fn end(mut self) -> Option<ExitStatus> {
        let ended = tokio::time::timeout(Duration::from_millis(500), self.child.wait()).await;
        if let Ok(Ok(status)) = ended {
            return Some(status);
        }
        let _ = self.child.kill().await;
        None
    }
}

impl From<Told> for Fault {
    fn from(told: Told) -> Self {
        let place = match (told.file, told.line, told.column) {
            (Some(file), Some(line), Some(column)) => Some((file, line, column)),
            _ => None,
        };
        Self {
            place,
            message: told.message,
            hints: told.hints,
        }
    }
}

fn size(n: usize) -> std::io::Result<[u8; 4]> {
    Ok(u32::try_from(n).map_err(std::io::Error::other)?.to_be_bytes())
}
