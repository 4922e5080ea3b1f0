//! Programs of a run that must not outlive it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Runs a program until its own standard input ends, which happens when the process that holds the other end exits, even if
/// it is killed; then it stops the program with the given signal and removes the directory.
const SCRIPT: &str = r#"trap '' INT TERM HUP
dir=$1 signal=$2; shift 2
"$@" >"$dir/log" 2>&1 &
pid=$!
cat >/dev/null
kill -$signal $pid; wait $pid
rm -rf "$dir""#;

/// A program that runs as long as this value and this process do.
pub struct Keeper(Child);

impl Keeper {
    /// `dir` is the program's own: its output goes to `log` there, and it is removed in the end.
    pub fn start(dir: &Path, signal: &str, program: &Command) -> Self {
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", SCRIPT, "keeper"])
            .arg(dir)
            .arg(signal)
            .arg(program.get_program())
            .args(program.get_args())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        for (name, value) in program.get_envs() {
            if let Some(value) = value {
                keeper.env(name, value);
            }
        }
        Self(keeper.spawn().expect("sh"))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
