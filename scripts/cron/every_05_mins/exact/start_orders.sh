#!/bin/sh
# Settles what the ERP has of the orders and refunds that went out. Then has the agent beside Exact Globe fetch and
# import those that are due, orders first; where there is none ([agent] host is not set), puts them into the outbox.
set -u
CRON=$(dirname "$(readlink -f "$0")")/../..
# shellcheck source=scripts/cron/lib.sh
. "$CRON/lib.sh"

worst=0
run_brekzsync orders settle
note_worst "$?"
for kind in orders refunds; do
    run_brekzsync agent start "$kind" --if-configured
    code=$?
    if [ "$code" -eq 4 ]; then
        run_brekzsync "$kind" export
        code=$?
    fi
    note_worst "$code"
done
exit "$worst"
