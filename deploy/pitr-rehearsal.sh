#!/usr/bin/env bash
# Rehearses what docs/operations/backup.md describes, on this machine, in a directory of its own: payments, a base backup,
# more payments, a disaster, recovery to the second before it; then looks whether books, roles, grants and the sealed
# secrets are what they were. Needs Debian's PostgreSQL and the `trunkline` binary (TRUNKLINE=…, else it is built).
set -euo pipefail
cd "$(dirname "$0")/.."

export TRUNKLINE_SECRET_KEY=rehearsal-key-0123456789-0123456789 TRUNKLINE_LOG=error
export TRUNKLINE_ADMIN_EMAIL=admin@trunkline.example TRUNKLINE_ADMIN_PASSWORD=rehearsal-admin
TRUNKLINE=${TRUNKLINE:-${CARGO_TARGET_DIR:-target}/debug/trunkline}
[[ -x $TRUNKLINE ]] || cargo build -q --workspace
bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -1)
dir=$(mktemp -d /tmp/trunkline-pitr-XXXXXX)
pids=()

say() { printf '%-60s %s\n' "$1" "${2-}"; }
fail() {
    echo "FAILED: $*" >&2
    tail -n 20 "$dir"/*.log >&2 || true
    exit 1
}
# PostgreSQL refuses root.
as_postgres() {
    if [[ $EUID -eq 0 ]]; then
        (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "$@")
    else
        "$@"
    fi
}
finish() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    for data in data recovered; do
        [[ ! -f $dir/$data/postmaster.pid ]] || as_postgres "$bin/pg_ctl" -D "$dir/$data" -m immediate stop >/dev/null || true
    done
    rm -rf "$dir"
}
trap finish EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$url" -c "$1"; }
start_postgres() { # directory, port
    as_postgres "$bin/pg_ctl" -D "$dir/$1" -l "$dir/$1.log" -w -t 120 -o "-p $2 -k $dir" start >/dev/null || fail "PostgreSQL did not start"
    url=postgres://postgres@127.0.0.1:$2/trunkline
    export DATABASE_URL=$url
}
serve() {
    port=$(free_port)
    TRUNKLINE_DRAIN_SECONDS=0 TRUNKLINE_LISTEN=127.0.0.1:$port "$TRUNKLINE" serve --work >>"$dir/serve.log" 2>&1 &
    pids+=($!)
    server=$!
    for _ in {1..300}; do
        curl -sf "http://127.0.0.1:$port/healthz" >/dev/null && return
        sleep 0.1
    done
    fail "trunkline serve does not answer"
}
ask() { curl -s "http://nila.localhost:$port/graphql" --resolve "nila.localhost:$port:127.0.0.1" ${token:+-H "authorization: Bearer $token"} --json "$1"; }
pick() { { grep -o "\"$1\":\"[^\"]*\"" || true; } | head -1 | cut -d'"' -f4; }
sign_in() {
    token=''
    token=$(ask '{"query":"mutation { sessionCreate(input: {email: \"nila@nila.example\", password: \"a-good-password\"}) { session { accessToken } userErrors { message } } }"}' | pick accessToken)
    [[ -n $token ]] || fail "nobody can sign in"
}
pay() { # how often
    local n answer
    for ((n = 0; n < $1; n++)); do
        answer=$(ask '{"query":"mutation($i: PaymentRecordInput!) { paymentRecord(input: $i) { payment { id } userErrors { message } } }",
            "variables":{"i":{"subscriberId":"'"$subscriber"'","amount":"'$((100 + n))'.25","method":"CASH","idempotencyKey":"'"$(cat /proc/sys/kernel/random/uuid)"'"}}}')
        [[ -n $(pick id <<<"$answer") ]] || fail "no payment: $answer"
    done
}
# Number and sum of payments, every account of the books, and whether a transfer hangs in the air.
books() {
    sql "SELECT 'payments', count(*), sum(amount) FROM $schema.payment
         UNION ALL SELECT 'transfers', count(*), sum(amount) FROM $schema.ledger_transfer
         UNION ALL SELECT a.kind || ' ' || a.detail, count(t.id),
             sum(CASE WHEN t.debit_account_id = a.id THEN t.amount ELSE -t.amount END)
             FROM $schema.ledger_account a JOIN $schema.ledger_transfer t ON a.id IN (t.debit_account_id, t.credit_account_id)
             GROUP BY 1 ORDER BY 1"
}
roles() {
    sql "SELECT r.rolname, r.rolcanlogin, r.rolinherit, (SELECT string_agg(g.rolname, ',' ORDER BY g.rolname) FROM pg_auth_members m
             JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid) FROM pg_roles r WHERE r.rolname LIKE 'tl\_%' ORDER BY 1"
}

mkdir -p "$dir/archive" && chmod 755 "$dir"
[[ $EUID -ne 0 ]] || chown -R postgres "$dir"
as_postgres "$bin/initdb" -D "$dir/data" -U postgres -E UTF8 --locale=C.UTF-8 --no-instructions -A trust >/dev/null
cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
wal_level = replica
archive_mode = on
archive_command = 'test ! -f $dir/archive/%f && cp %p $dir/archive/%f.part && mv $dir/archive/%f.part $dir/archive/%f'
archive_timeout = 60
max_locks_per_transaction = 1024
CONF
start_postgres data "$(free_port)"
psql -X -q "${url%/*}/postgres" -c 'CREATE DATABASE trunkline'
"$TRUNKLINE" migrate >/dev/null
TRUNKLINE_OWNER_PASSWORD=a-good-password "$TRUNKLINE" tenant create --slug nila --name Nila --template in-broadband \
    --owner-name 'Nila Das' --owner-email nila@nila.example >/dev/null
schema=$(sql "SELECT role_name FROM platform.tenant WHERE slug = 'nila'")
serve
sign_in
subscriber=$(ask '{"query":"mutation($i: SubscriberCreateInput!) { subscriberCreate(input: $i) { subscriber { id } userErrors { message } } }",
    "variables":{"i":{"name":"Asha Rao","address":{"line1":"8 Beach Road","city":"Kozhikode","region":"KL","country":"IN"}}}}' | pick id)
[[ -n $subscriber ]] || fail "no subscriber"
pay 20
say 'an ISP with payments' "$(sql "SELECT count(*) FROM $schema.payment")"

begun=$(date +%s%N)
as_postgres "$bin/pg_basebackup" -d "${url%/*}/postgres" -D "$dir/base" -c fast -X none 2>/dev/null
say 'base backup taken while it served, ms' $((($(date +%s%N) - begun) / 1000000))
pay 20
wanted=$(books)
wanted_roles=$(roles)
moment=$(sql 'SELECT clock_timestamp()')
say 'the last good moment' "$moment"
say 'payments then' "$(sql "SELECT count(*) FROM $schema.payment")"
sleep 1
pay 3
sql "DROP TABLE $schema.payment CASCADE; DELETE FROM $schema.ledger_transfer; DELETE FROM platform.signing_key;
     GRANT SELECT ON ALL TABLES IN SCHEMA radius TO PUBLIC" 2>/dev/null
say 'disaster: payments dropped, books emptied, keys deleted' "$(sql "SELECT to_regclass('$schema.payment') IS NULL")"
sql 'SELECT pg_switch_wal()' >/dev/null
for _ in {1..100}; do
    [[ $(sql 'SELECT last_archived_wal IS NOT NULL AND (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE $$%.ready$$) = 0 FROM pg_stat_archiver') == t ]] && break
    sleep 0.1
done
kill "$server"
wait "$server" || true
as_postgres "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null
say 'WAL segments in the archive' "$(find "$dir/archive" -type f | wc -l)"

begun=$(date +%s%N)
as_postgres cp -a "$dir/base" "$dir/recovered"
as_postgres tee -a "$dir/recovered/postgresql.auto.conf" >/dev/null <<CONF
archive_mode = off
restore_command = 'cp $dir/archive/%f %p'
recovery_target_time = '$moment'
recovery_target_action = 'promote'
CONF
as_postgres touch "$dir/recovered/recovery.signal"
start_postgres recovered "$(free_port)"
for _ in {1..600}; do
    [[ $(sql 'SELECT pg_is_in_recovery()') == f ]] && break
    sleep 0.1
done
say 'recovered and writable after, ms' $((($(date +%s%N) - begun) / 1000000))

[[ $(books) == "$wanted" ]] || fail "the books differ: $(books) instead of $wanted"
say 'the books are those of the last good moment' "$(books | head -1)"
[[ $(roles) == "$wanted_roles" ]] || fail "roles differ"
say 'roles and memberships are the same' "$(roles | wc -l)"
"$TRUNKLINE" migrate status >"$dir/status.log" || fail "trunkline migrate status: $(cat "$dir/status.log")"
say 'trunkline migrate status: no drift in tables and grants' "$(tail -1 "$dir/status.log")"
[[ $(sql "SELECT count(*) FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
          WHERE p.oid = 'pg_catalog.set_config(text,text,boolean)'::regprocedure AND a.grantee = 0") == 0 ]] || fail 'set_config is open again'
say 'set_config is still nobody'"'"'s' yes
serve
sign_in
say 'the owner signs in; the sealed signing key opens' yes
pay 1
say 'payments go on' "$(sql "SELECT count(*) FROM $schema.payment")"

platform=$(sql 'SELECT platform_role FROM platform.installation')
if as_postgres "$bin/pg_dump" -d "$url" -f /dev/null --role="$platform" 2>/dev/null; then
    fail 'pg_dump works as a role that may not call set_config'
fi
as_postgres "$bin/pg_dump" -d "$url" -Fc -f "$dir/logical.dump"
say 'pg_dump as the superuser, bytes (as another role: refused)' "$(stat -c %s "$dir/logical.dump")"
echo 'The rehearsal went well.'
