//! Programs that we start and that must not outlive us, not even a `kill -9`: PostgreSQL and FreeRADIUS in the demo.
//!
//! Each runs under a keeper, a second process of our own binary whose standard input is a pipe from us. When the pipe
//! closes, for whatever reason, the keeper stops its program and ends. Keepers are in process groups of their own, so that
//! Ctrl-C reaches us alone and we stop things in order.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdin, Command};

/// An unprivileged user of this machine.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl User {
    /// The first of `names` that exists.
    pub fn first_of(names: &[&str]) -> Option<Self> {
        let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
        names.iter().find_map(|name| {
            let mut fields = passwd
                .lines()
                .map(|line| line.split(':'))
                .find_map(|mut f| (f.next() == Some(name)).then_some(f))?;
            Some(Self {
                name: (*name).to_owned(),
                uid: fields.nth(1)?.parse().ok()?,
                gid: fields.next()?.parse().ok()?,
            })
        })
    }
}

pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The user to run a program as that refuses root or does not need it: none when we are not root ourselves.
pub fn unprivileged(names: &[&str]) -> Result<Option<User>> {
    if !is_root() {
        return Ok(None);
    }
    let user = User::first_of(names).with_context(|| format!("none of the users {} exists", names.join(", ")))?;
    Ok(Some(user))
}

/// Makes `dir` with `mode`, owned by `user` if one is given.
pub fn private_dir(dir: &Path, user: Option<&User>, mode: u32) -> Result<()> {
    use std::os::unix::fs::{PermissionsExt, chown};
    let what = || format!("cannot prepare {}", dir.display());
    std::fs::create_dir_all(dir).with_context(what)?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)).with_context(what)?;
    if let Some(user) = user {
        chown(dir, Some(user.uid), Some(user.gid)).with_context(what)?;
    }
    Ok(())
}

/// A running keeper. Dropping it lets its program go down by itself; [`Tether::stop`] waits for it.
#[derive(Debug)]
pub struct Tether {
    name: &'static str,
    child: Child,
    line: Option<ChildStdin>,
}

impl Tether {
    /// Starts our own binary with `args` as a keeper.
    pub fn start(name: &'static str, args: &[&OsStr], user: Option<&User>, prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        // The link, not its target: an unprivileged user may be unable to reach the path (a checkout under /root).
        let mut command = Command::new("/proc/self/exe");
        command.args(args).stdin(Stdio::piped()).current_dir("/").process_group(0);
        if let Some(user) = user {
            command.uid(user.uid).gid(user.gid).env("HOME", "/").env("USER", &user.name);
        }
        prepare(&mut command);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start the keeper of {name}"))?;
        let line = child.stdin.take();
        Ok(Self { name, child, line })
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Whether it ended by itself.
    pub fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it ends by itself: something is wrong then.
    pub async fn wait(&mut self) {
        let _ = self.child.wait().await;
    }

    /// Lets go of the line and waits until the program is down.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.line.take());
        match tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(e).with_context(|| format!("{} was lost", self.name)),
            Err(_) => bail!("{} does not stop (its keeper is process {:?})", self.name, self.child.id()),
        }
    }
}

/// In a keeper: returns when our parent has let go or is gone.
pub async fn let_go() {
    let mut stdin = tokio::io::stdin();
    let mut buf = [0u8; 64];
    while matches!(stdin.read(&mut buf).await, Ok(n) if n > 0) {}
}

/// The keeper of an arbitrary program (`trunkline tether -- program arguments…`): asks it to end when our parent lets go,
/// and makes it end when it does not.
pub async fn keep(program: &PathBuf, args: &[String]) -> Result<()> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    tokio::select! {
        status = child.wait() => bail!("{} ended by itself: {}", program.display(), status?),
        () = let_go() => {}
    }
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
        let _ = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(Duration::from_secs(10), child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(())
}
