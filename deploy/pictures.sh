#!/usr/bin/env bash
# Makes docs/images/invoice-{in,ke}.png: the first pages of an Indian and a Kenyan invoice of the running demo. Needs curl,
# and pdftoppm (poppler-utils).   deploy/pictures.sh [port of the demo, 8080]
set -euo pipefail
cd "$(dirname "$0")/.."

port=${1:-8080}
mkdir -p docs/images
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ask() {
    curl -sf "http://$1/graphql" ${token:+-H "authorization: Bearer $token"} -H 'content-type: application/json' -d "$2"
}

picture() {
    local host=$1.localhost:$port name=$2 filter=$3 token='' url
    token=$(ask "$host" '{"query":"mutation { sessionCreate(input: {email: \"owner@'"$1"'.example\", password: \"trunkline-demo\"}) { session { accessToken } userErrors { message } } }"}' |
        grep -o '"accessToken":"[^"]*"' | cut -d'"' -f4)
    url=$(ask "$host" '{"query":"{ invoices(first: 1, filter: {status: '"$filter"'}) { nodes { pdfUrl } } }"}' |
        grep -o '"pdfUrl":"[^"]*"' | cut -d'"' -f4)
    curl -sf "http://$host$url" -H "authorization: Bearer $token" -o "$work/$name.pdf"
    pdftoppm -r 90 -f 1 -l 1 -singlefile -png "$work/$name.pdf" "docs/images/$name"
    echo "docs/images/$name.png: $url of $1"
}

picture tarang invoice-in ISSUED
picture pwani invoice-ke PAID
