#!/bin/sh
# Tells the shop what the ERP delivered: order states and tracking numbers. Does nothing where [shipments] is empty.
set -u
CRON=$(dirname "$(readlink -f "$0")")/../..
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

run_brekzsync shipments import
