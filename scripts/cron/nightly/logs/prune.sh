#!/bin/sh
# Forgets attempts, ended runs and rows of deleted records older than log.keep.
set -u
CRON=$(dirname "$(readlink -f "$0")")/../..
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

run_brekzsync logs prune
