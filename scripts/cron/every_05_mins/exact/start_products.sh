#!/bin/sh
# Puts the products that changed into the outbox (products.output), for Exact Globe to import.
set -u
CRON=$(dirname "$(readlink -f "$0")")/../..
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

run_brekzsync products export
