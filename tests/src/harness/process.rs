//! Programs of a test, as processes of their own.

use std::process::{Child, Command};
use std::sync::OnceLock;

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
