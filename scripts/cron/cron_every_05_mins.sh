#!/bin/sh
# Every five minutes: what lies under every_05_mins/, in this order, then any script of your own put there.
# A run that takes longer is no problem: the next one finds the lock held and goes on with the next script.
set -u
CRON=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

run_scripts every_05_mins \
    exact/start_products.sh \
    exact/start_orders.sh \
    exact/import_shipments.sh \
    marketplace/check_tickets.sh \
    marketplace/push_order_statuses.sh \
    inbox/process.sh
