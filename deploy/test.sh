#!/usr/bin/env bash
# All that must hold before a change lands (`make test`); with `lint` everything but the behaviour tests. Ends with a line
# for each suite.
set -euo pipefail
cd "$(dirname "$0")/.."

report=()

check() {
    local name=$1 begun=$SECONDS
    shift
    echo "── $name"
    "$@" || {
        echo "FAILED: $name" >&2
        exit 1
    }
    report+=("$(printf '%-52s ok %6d s' "$name" "$((SECONDS - begun))")")
}

# Suites are the crates' own tests and the modules of the tests crate (isolation, cancellation, RADIUS, …).
tests_pass() {
    local log line
    log=$(mktemp)
    cargo test --workspace --locked --no-fail-fast "$@" 2>&1 | tee "$log" || {
        rm -f "$log"
        return 1
    }
    while IFS= read -r line; do
        report+=("$line")
    done < <(awk '
        /^ *Running / { match($0, /deps\/[a-z_0-9]+-/); crate = substr($0, RSTART + 5, RLENGTH - 6); next }
        /^ *Doc-tests / { crate = $2 " (doc)"; next }
        /^test .* \.\.\. ok/ {
            split($2, part, "::")
            suite = crate
            if (crate == "suite") suite = part[1] == "storm" ? "cancellation (storm)" : part[1]
            if (!(suite in passed)) order[++suites] = suite
            passed[suite]++
        }
        END { for (i = 1; i <= suites; i++) printf "  %-50s ok %6d tests\n", order[i], passed[order[i]] }
    ' "$log")
    rm -f "$log"
}

check 'format' cargo fmt --all --check
check 'format of the renderer' cargo fmt --manifest-path render/Cargo.toml --check
check 'clippy, warnings are errors' cargo clippy -q --workspace --all-targets --locked -- -D warnings
# Without advisories: their database is a git fetch, which not every machine can make. See deny.toml.
check 'dependencies (cargo-deny)' cargo deny --log-level error check --hide-inclusion-graph bans licenses sources
check 'dependencies of the renderer' cargo deny --manifest-path render/Cargo.toml --config "$PWD/deny.toml" --log-level error check --hide-inclusion-graph bans licenses sources
if [[ ${1-} == lint ]]; then
    check 'schema and contract' cargo test -q --locked -p trunkline-tests --test suite -- contract:: tidy::
else
    check 'the renderer (Typst), its lints and tests' deploy/render.sh --test
    check 'tests' tests_pass
fi

echo
printf '%s\n' "${report[@]}"
