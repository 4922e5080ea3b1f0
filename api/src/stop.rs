//! How a process is told to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// By somebody at a terminal (SIGINT).
    AtOnce,
    /// By a supervisor (SIGTERM): others have to notice first that nothing new may be sent here.
    Draining,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::AtOnce,
            _ = self.terminate.recv() => Stop::Draining,
        }
    }
}

/// The first signal, from now on; whoever sends a second one does not want to wait: the process ends then.
pub fn asked() -> std::io::Result<impl Future<Output = Stop> + Send + 'static> {
    let mut signals = Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    };
    Ok(async move {
        let first = signals.next().await;
        tokio::spawn(async move {
            let second = signals.next().await;
            tracing::warn!(?second, "told to stop twice: ending at once");
            // As a shell says it of a process that its signal ended.
            std::process::exit(if second == Stop::AtOnce { 130 } else { 143 });
        });
        first
    })
}
