#!/bin/sh
# Compares the items that webhooks were about, and repairs what differs. Does nothing where none were received.
set -u
CRON=$(dirname "$(readlink -f "$0")")/../..
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

run_brekzsync inbox process
