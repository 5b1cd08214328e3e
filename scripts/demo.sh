#!/bin/sh
# make demo: the demo shop, exported, one document shown, and what to try next. Leaves everything under demo/.
set -eu
cd "$(dirname "$0")/.."
scripts/setup/environment.sh core

VENV=${VENV:-.venv}
brekzsync=$VENV/bin/brekzsync
export_products="$brekzsync --config demo/brekzsync.toml products export"
item=demo/outbox/items/18-0.xml # has a bit of everything: price, special price, VAT, brand, image, EAN

step() { printf '\n$ %s\n' "$*"; }

step "$brekzsync demo up"
"$brekzsync" demo up

step "$export_products"
# Some of the demo's products are incomplete on purpose: 3 is "finished, but some records failed".
"$brekzsync" --config demo/brekzsync.toml products export || [ $? = 3 ]

step "cat $item   (indented)"
"$VENV/bin/python" -c '
import pathlib, sys
from brekzsync.exact.eexact.items import pretty
print(pretty(pathlib.Path(sys.argv[1]).read_bytes()), end="")' "$item"

cat <<EOF_NEXT

Try next:
  Change a price in the shop, then export again: that item is sent, alone.
    $VENV/bin/python -c "import sqlite3; c = sqlite3.connect('demo/shop.db'); c.execute('UPDATE ps_product_shop SET price = 19.95 WHERE id_product = 7'); c.commit()"
    $export_products
  Ask why a product is not in Exact, and what to do about it:
    ${export_products% export} diagnose 2-202
  Send its orders, play Exact, and see that each is there once:
    $brekzsync --config demo/brekzsync.toml orders export
    $brekzsync demo import
    $brekzsync --config demo/brekzsync.toml orders export
  Compare the shop's stock with Exact's, and write what differs:
    $brekzsync --config demo/brekzsync.toml stock diff
    $brekzsync --config demo/brekzsync.toml stock sweep
  Tell its marketplace, in another terminal, what became of its orders, and see what it makes of that:
    $brekzsync demo marketplace
    $brekzsync --config demo/brekzsync.toml orders push-status
    $brekzsync --config demo/brekzsync.toml tickets check
  See what would be sent, with nothing written:
    $export_products --full --dry-run
  The same for a program to read:
    $export_products --json

Which product of the demo shows which rule: src/brekzsync/demo/data/README.md
EOF_NEXT
