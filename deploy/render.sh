#!/usr/bin/env bash
# Builds the program that typesets documents (`render/`, with Typst) into target/render. It takes some minutes the first time;
# the server works without it, and says of PDFs that they are not available, until it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
exec cargo build --quiet --locked --release --manifest-path render/Cargo.toml --target-dir "$target/render" "$@"
