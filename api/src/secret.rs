//! The installation's master secret: given, or kept in the data directory.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use trunkline_domain::kernel::crypto::SecretKey;

use crate::config::Config;

/// Where everything lives that must outlive the process.
pub fn data_dir(config: &Config) -> PathBuf {
    config.data_dir.clone().unwrap_or_else(crate::embedded::default_data_dir)
}

/// The configured key, else the one in `data_dir/secret.key`, which is made at the first start.
pub fn secret_key(config: &Config) -> anyhow::Result<SecretKey> {
    let text = match &config.secret_key {
        Some(key) => key.reveal().to_owned(),
        None => kept(&data_dir(config).join("secret.key"))?,
    };
    let key = SecretKey::new(text.trim().as_bytes()).context("the secret key must have at least 32 characters")?;
    match &config.secret_key_previous {
        Some(previous) => key
            .with_previous(previous.reveal().trim().as_bytes())
            .context("the previous secret key must have at least 32 characters"),
        None => Ok(key),
    }
}

fn kept(path: &Path) -> anyhow::Result<String> {
    if let Ok(text) = fs::read_to_string(path) {
        return Ok(text);
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let key = hex::encode(rand::random::<[u8; 32]>());
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => file
            .write_all(key.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?,
        // Another process made it at the same moment.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return Ok(fs::read_to_string(path)?),
        Err(e) => return Err(e).with_context(|| format!("cannot make {}", path.display())),
    }
    Ok(key)
}
