#!/bin/sh
# Every night: what lies under nightly/, in this order, then any script of your own put there.
set -u
CRON=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

run_scripts nightly \
    stock/sweep.sh \
    logs/prune.sh
