#!/bin/sh
# Has the agent beside Exact Globe fetch and import the products that changed; where there is none ([agent] host is
# not set), puts them into the outbox (products.output) instead.
set -u
CRON=$(dirname "$(readlink -f "$0")")/../..
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

run_brekzsync agent start products --if-configured
code=$?
if [ "$code" -ne 4 ]; then exit "$code"; fi
run_brekzsync products export
