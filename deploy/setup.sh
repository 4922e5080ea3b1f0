#!/usr/bin/env bash
# Installs what `make demo` (and, with --test, `make test`) needs and this machine lacks. Says so first. Debian 12; as root
# or with sudo. None of Debian's own services is started, and none that runs is touched.
set -euo pipefail
cd "$(dirname "$0")/.."

for_tests=false
[[ ${1-} == --test ]] && for_tests=true

have() { command -v "$1" >/dev/null 2>&1; }
die() {
    echo "setup: $*" >&2
    exit 1
}
as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        die "this needs root: $*"
    fi
}

have cargo || die "Rust is missing: install it from https://rustup.rs, then run this again"

packages=()
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
[[ -x /usr/sbin/freeradius ]] || packages+=(freeradius)
compgen -G '/usr/lib/freeradius/rlm_sql_postgresql.so' >/dev/null || packages+=(freeradius-postgresql)
have radclient || packages+=(freeradius-utils)
have cc || packages+=(gcc libc6-dev)
have curl || packages+=(curl)
if $for_tests; then
    have pdftotext || packages+=(poppler-utils)
    have zbarimg || packages+=(zbar-tools)
    # The journals are read by both programs.
    have hledger || packages+=(hledger)
    have bean-query || packages+=(beancount)
fi
if $for_tests && [[ ! -x .trunkline/venv/bin/python ]]; then
    python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || packages+=(python3-venv)
fi

# Debian starts a service as soon as it is installed, unless policy-rc.d forbids it, and makes a PostgreSQL cluster, unless
# createcluster.conf forbids it. Both files are put back as they were.
policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.conf
restore() {
    local file
    for file in "$policy" "$clusters"; do
        if [[ -e $file.trunkline-was ]]; then
            as_root mv -f "$file.trunkline-was" "$file"
        fi
    done
    if [[ -e $policy ]] && grep -q 'trunkline setup' "$policy"; then
        as_root rm -f "$policy"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2
}

if ((${#packages[@]})); then
    have apt-get || die "missing: ${packages[*]}; install them by this system's own means"
    echo "setup: installing with apt, without starting any service: ${packages[*]}" >&2
    trap restore EXIT
    restore
    [[ ! -e $policy ]] || as_root cp -p "$policy" "$policy.trunkline-was"
    printf '#!/bin/sh\n# trunkline setup: no service starts while packages are installed\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    as_root apt-get update -q >&2
    if [[ " ${packages[*]} " == *" postgresql "* ]]; then
        apt_install postgresql-common
        as_root cp -p "$clusters" "$clusters.trunkline-was"
        as_root sed -i -E 's/^#?create_main_cluster.*/create_main_cluster = false/' "$clusters"
    fi
    apt_install "${packages[@]}"
    restore
    trap - EXIT
fi

if $for_tests; then
    python=.trunkline/venv/bin/python
    if [[ ! -x $python ]]; then
        echo "setup: making .trunkline/venv with graphql-core, for the contract check" >&2
        python3 -m venv .trunkline/venv
    fi
    "$python" -c 'import graphql' 2>/dev/null || "$python" -m pip install -q --disable-pip-version-check 'graphql-core>=3.2,<3.3'
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "setup: building cargo-deny into ~/.cargo/bin (some minutes, once)" >&2
        cargo install -q --locked cargo-deny
    fi
fi
