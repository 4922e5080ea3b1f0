#!/usr/bin/env bash
# All that must hold before a change lands (`make test`), or with `lint` all of it but the tests. Ends with a line per suite.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
python=target/venv/bin/python
report=()

check() {
    local name=$1 begun=$SECONDS
    shift
    echo "── $name"
    "$@" || {
        echo "FAILED: $name" >&2
        exit 1
    }
    report+=("$(printf '%-44s ok %8s' "$name" "$((SECONDS - begun)) s")")
}

schema_is_fresh() {
    cargo build -q --locked -p trunkline-api
    diff -u schema.graphql <("$target/debug/trunkline" schema) || {
        echo "schema.graphql is stale: trunkline schema > schema.graphql" >&2
        return 1
    }
}

# The contract is kept beside the repository; its copy here serves those who have nothing but a clone.
contract_is_kept() {
    local theirs=../shared/contract file
    if [[ -d $theirs ]]; then
        for file in core.graphql check.py; do
            cmp "$theirs/$file" "tests/contract/$file" || return 1
        done
    fi
    "$python" tests/contract/check.py schema.graphql --pending tests/contract-pending.txt tests/contract/*.graphql
}

# Suites are the crates' own tests and the modules of the tests crate; each line of the report is one of them.
tests_pass() {
    local log
    log=$(mktemp)
    trap 'rm -f "$log"' RETURN
    cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$log" || return 1
    while IFS= read -r line; do
        report+=("$line")
    done < <(awk '
        /^ *Running / { match($0, /deps\/[a-z_0-9]+-/); crate = substr($0, RSTART + 5, RLENGTH - 6); next }
        /^ *Doc-tests / { crate = $2 " (doc)"; next }
        /^test .* \.\.\. ok/ {
            n = split($2, part, "::")
            suite = crate
            if (crate == "suite") { suite = "suite " part[1]; if (n > 2) suite = suite "::" part[2] }
            if (!(suite in passed)) order[++suites] = suite
            passed[suite]++
        }
        END { for (i = 1; i <= suites; i++) printf "%-44s ok %8d tests\n", "test: " order[i], passed[order[i]] }
    ' "$log")
}

check 'format' cargo fmt --all --check
check 'clippy, warnings are errors' cargo clippy -q --workspace --all-targets --locked -- -D warnings
check 'schema.graphql is fresh' schema_is_fresh
check 'the contract is kept' contract_is_kept
# Without advisories: their database is a git fetch, which machines without the Internet at large cannot make.
check 'dependencies (cargo-deny)' cargo deny --offline check --hide-inclusion-graph bans licenses sources
if [[ ${1-} != lint ]]; then
    check 'tests' tests_pass
fi

echo
printf '%s\n' "${report[@]}"
