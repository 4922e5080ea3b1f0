#!/usr/bin/env bash
# Builds the program that typesets documents (`render/`, with Typst) into target/render. It takes some minutes the first time;
# the server works without it, and says of PDFs that they are not available, until it is there. With --test its lints and
# tests come first.
set -euo pipefail
cd "$(dirname "$0")/.."

options=(--quiet --locked --release --manifest-path render/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}/render")
if [[ ${1-} == --test ]]; then
    # What `cargo clippy` does, but on what is compiled anyway: a check of its own would go through all of Typst once more.
    RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__ cargo test "${options[@]}"
fi
exec cargo build "${options[@]}"
