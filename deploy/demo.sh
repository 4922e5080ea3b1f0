#!/usr/bin/env bash
# Runs a command (the demo) while the program that typesets documents is built, at the lowest priority and out of the demo's
# way. Until it is there, PDFs answer that they are not available yet; the server finds it by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
builder=
if [[ ! -x $target/render/release/trunkline-render ]]; then
    echo "demo: PDFs will be there once $target/render is built, in the background; $target/render.log tells" >&2
    # A process group of its own, so that all of the build can be ended.
    setsid nice -n 19 deploy/render.sh >"$target/render.log" 2>&1 </dev/null &
    builder=$!
fi
end() {
    [[ -z $builder ]] || kill -- "-$builder" 2>/dev/null || true
}
trap end EXIT
# Ctrl-C reaches the demo as well, which stops in order; we wait for it.
trap : INT TERM
"$@" &
demo=$!
code=0
wait "$demo" || code=$?
while kill -0 "$demo" 2>/dev/null; do
    code=0
    wait "$demo" || code=$?
done
exit "$code"
