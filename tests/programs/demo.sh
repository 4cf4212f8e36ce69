#!/bin/sh
# make demo: the main job on three real programs that the set-up guarantees. Records them, replays them on
# every allocator found, writes the report and says where.   demo.sh BUILD [OUTPUT]
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=$1
out=${2:-$here/demo-out}
export B="$build"
heaptape=$here/heaptape
say() { printf 'demo: %s\n' "$*" >&2; }

if [ -e "$out" ] && [ ! -f "$out/results.json" ] && [ -n "$(ls -A "$out")" ]; then
    say "$out exists and is not a results folder; name another with: make demo out=FOLDER"
    exit 4
fi
rm -rf "$out"
mkdir -p "$out/tapes"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# A shop's order book: inserts, indexes, joins, updates and deletes, all in memory.
cat >"$work/orders.sql" <<'SQL'
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, town TEXT);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INT, item TEXT, amount REAL, placed TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
  INSERT INTO customer SELECT i, 'customer ' || i, 'town ' || (i % 97) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
  INSERT INTO orders SELECT i, 1 + (i * 7919) % 4000, 'item ' || (i * 31 % 997), i % 113 + 0.5, date('2024-01-01', (i % 365) || ' days') FROM n;
CREATE INDEX by_customer ON orders(customer);
CREATE INDEX by_item ON orders(item, placed);
SELECT town, count(*), round(sum(amount), 2) FROM orders JOIN customer ON customer.id = orders.customer GROUP BY town ORDER BY 3 DESC LIMIT 5;
SELECT item, group_concat(placed, ' ') FROM (SELECT * FROM orders ORDER BY item) GROUP BY item LIMIT 1;
UPDATE orders SET item = item || ' (returned)' WHERE id % 11 = 0;
DELETE FROM orders WHERE id % 5 = 0;
SELECT count(DISTINCT item), max(length(item)) FROM orders;
SQL

say 'recording 1/3: gcc compiles a file of this project, its children followed'
"$heaptape" record -o "$out/tapes/gcc.tape" -- gcc -std=gnu11 -O2 -D_GNU_SOURCE -DHEAPTAPE_VERSION='"demo"' \
    -I"$here" -c "$here/tests/programs/indexer.c" -o "$work/indexer.o"
say 'recording 2/3: sqlite3 runs a script'
"$heaptape" record -o "$out/tapes/sqlite3.tape" -- sqlite3 :memory: <"$work/orders.sql" >"$work/orders.out"
say 'recording 3/3: indexer, four threads and a merger over /usr/include'
"$heaptape" record -o "$out/tapes/indexer.tape" -- "$build/tests/indexer" 4 /usr/include/linux >"$work/indexer.out"

# The compile's work is done by cc1: of gcc's family of tapes the one with most events.
gcc=$(for tape in "$out"/tapes/gcc*.tape; do
    printf '%s\t%s\n' "$("$heaptape" trace info --format=json "$tape" | sed -n 's/^ *"events": *\([0-9]*\).*/\1/p' | head -n 1)" "$tape"
done | sort -rn | head -n 1 | cut -f 2)

say 'replaying the three on every allocator found'
"$heaptape" bench "$gcc" "$out/tapes/sqlite3.tape" "$out/tapes/indexer.tape" --max-time=2s -o "$out"
say 'writing the report'
"$heaptape" report "$out" >/dev/null
say "done: open $out/report.html   (charts: $out/charts, figures: $out/results.json)"
