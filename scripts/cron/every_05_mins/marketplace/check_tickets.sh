#!/bin/sh
# Asks the marketplace what it made of the order statuses it was told. Does nothing where [marketplace] is empty.
set -u
CRON=$(dirname "$(readlink -f "$0")")/../..
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

run_brekzsync tickets check
