//! Programs of a test, as processes of their own.

use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{env, root};

/// The product's binary, built from what is being tested.
pub fn binary() -> std::path::PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let built = Command::new(env("CARGO").unwrap_or("cargo".into()))
            .args(["build", "--quiet", "--workspace", "--bin", "trunkline"])
            .current_dir(root())
            .status();
        assert!(built.is_ok_and(|s| s.success()), "cargo build --workspace --bin trunkline");
    });
    // <target>/debug/deps/suite-… → <target>/debug/trunkline
    let suite = std::env::current_exe().unwrap();
    suite.parent().and_then(|deps| deps.parent()).unwrap().join("trunkline")
}

/// A port that nobody has, of TCP and UDP alike, for a program that is yet to be started. It is below those that the system
/// gives to connections: one of them might be somebody else's before the program listens on it.
pub fn free_port() -> u16 {
    const PORTS: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Runs side by side begin in different places.
    let first = std::process::id().wrapping_mul(997);
    (0..PORTS)
        .map(|_| first.wrapping_add(NEXT.fetch_add(1, Relaxed)) % PORTS)
        .map(|n| 20_000 + u16::try_from(n).unwrap())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port that is free")
}

/// A child that does not outlive its test.
pub struct Process(pub Child);

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}")))
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.0.kill().expect("SIGKILL");
        self.0.wait().unwrap();
    }

    /// Any other signal, by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(sent.is_ok_and(|s| s.success()), "kill -s {name}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
