#!/bin/sh
# Tells the marketplace what became of its orders. Does nothing where [marketplace] is empty.
set -u
CRON=$(dirname "$(readlink -f "$0")")/../..
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

run_brekzsync orders push-status
