#!/bin/sh
# Compares the stock of every item with the ERP's and writes what differs; does nothing while [stock] says nothing.
set -u
CRON=$(dirname "$(readlink -f "$0")")/../..
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

run_brekzsync stock sweep
