"""Databases and servers: each is started, put under load, asked for something that can be compared, and shut down by
the entry itself. What a server keeps lies in TMPDIR; its port is one that the runner found free."""

import inputs
from program import Program

# Waits for a TCP port, a socket or a file: at most 20 seconds, which a server under a recorder never needs.
WAIT = """
wait_for() { i=0; until "$@" >/dev/null 2>&1; do i=$((i + 1)); [ $i -lt 400 ] || { echo "not up: $*"; exit 99; }; sleep 0.05; done; }
gone() { wait "$1" || echo "server: status $?"; }
"""

ORDERS_SQL = """
CREATE TABLE customer(id INTEGER PRIMARY KEY, name VARCHAR(40), town VARCHAR(40));
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INT, item VARCHAR(40), amount INT);
INSERT INTO customer WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, concat('customer ', i), concat('town ', i % 37) FROM n;
INSERT INTO orders WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) SELECT i, 1 + (i * 7919) % 900, concat('item ', i * 31 % 97), i % 113 FROM n;
CREATE INDEX by_customer ON orders(customer);
SELECT town, count(*), sum(amount) FROM orders JOIN customer ON customer.id = orders.customer GROUP BY town ORDER BY 3 DESC, 1 LIMIT 8;
UPDATE orders SET item = concat(item, ' (returned)') WHERE id % 11 = 0;
DELETE FROM orders WHERE id % 5 = 0;
SELECT count(DISTINCT item), max(length(item)) FROM orders;
"""

SQLITE = ORDERS_SQL.replace("concat('customer ', i)", "'customer ' || i").replace("concat('town ', i % 37)", "'town ' || (i % 37)").replace(
    "concat('item ', i * 31 % 97)", "'item ' || (i * 31 % 97)").replace("concat(item, ' (returned)')", "item || ' (returned)'").replace(
    "i < 9", "i < 129") + "SELECT nothing FROM nowhere;\n.dump customer\n"

POSTGRES = WAIT + """
bin=$(echo /usr/lib/postgresql/*/bin)
"$bin/initdb" -A trust -N -U owner --no-instructions -D "$TMPDIR/db" >/dev/null
"$bin/postgres" -D "$TMPDIR/db" -k "$TMPDIR" -h '' -c shared_buffers=4MB -c logging_collector=off -c fsync=off -c max_connections=12 2>"$TMPDIR/log" & server=$!
wait_for "$bin/pg_isready" -q -h "$TMPDIR" -U owner
for i in 1 2 3; do "$bin/psql" -q -h "$TMPDIR" -U owner -d postgres -tc "SELECT sum(i * $i) FROM generate_series(1, 20000) i" >"$TMPDIR/$i" & clients="${clients-} $!"; done
wait $clients; cat "$TMPDIR/1" "$TMPDIR/2" "$TMPDIR/3"
"$bin/psql" -q -h "$TMPDIR" -U owner -d postgres -f orders.sql
kill -INT $server; gone $server
"""

MARIADB = WAIT + """
mariadb-install-db --no-defaults --datadir="$TMPDIR/db" --auth-root-authentication-method=normal --skip-test-db --innodb-log-file-size=4M >/dev/null 2>&1
mariadbd --no-defaults --datadir="$TMPDIR/db" --socket="$TMPDIR/sock" --pid-file="$TMPDIR/pid" --skip-networking --innodb-buffer-pool-size=8M --innodb-log-file-size=4M --key-buffer-size=1M 2>"$TMPDIR/log" & server=$!
sql() { mariadb --no-defaults --socket="$TMPDIR/sock" -uroot "$@"; }
wait_for sql -e 'SELECT 1'
sql -e 'CREATE DATABASE shop'
sql shop <orders.sql
for i in 1 2 3 4; do sql shop -Ne "SELECT sum(seq * $i) FROM seq_1_to_50000" >"$TMPDIR/$i" & clients="${clients-} $!"; done
wait $clients; cat "$TMPDIR/1" "$TMPDIR/4"
sql -e 'SHUTDOWN'; gone $server
"""

REDIS = WAIT + """
redis-server --port "$PORT" --bind 127.0.0.1 --save '' --dir "$TMPDIR" --io-threads 2 --daemonize no >"$TMPDIR/log" & server=$!
cli() { redis-cli -p "$PORT" "$@"; }
wait_for cli ping
redis-benchmark -p "$PORT" -q -n 3000 -c 20 -P 4 -t set,get,lpush,sadd,zadd -r 500 >/dev/null
cli flushall
i=0; while [ $i -lt 400 ]; do echo "SET key:$i $i"; echo "ZADD board $((i * 7919 % 1000)) m$i"; echo "APPEND key:$((i % 9)) x$i"; i=$((i + 1)); done | cli | sort | uniq -c | sort -rn | head -n 3
cli zrange board 0 9 withscores; cli get key:7; cli dbsize; cli eval "local s = 0 for i = 1, 1000 do s = s + i end return s" 0
cli shutdown nosave || true; gone $server
"""

MEMCACHED = WAIT + """
memcached -u "$(id -un)" -s "$TMPDIR/sock" -t 4 -m 16 & server=$!
wait_for test -S "$TMPDIR/sock"
python3 load.py "$TMPDIR/sock"
kill -TERM $server; gone $server
"""

MEMCACHED_LOAD = """
import socket, sys, threading
def session(n, out):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile("rwb")
    for i in range(1500):
        value = (f"{n}-{i}-" * (1 + i % 40)).encode(); f.write(b"set k%d-%d 0 0 %d\\r\\n%s\\r\\n" % (n, i % 300, len(value), value)); f.flush(); assert f.readline() == b"STORED\\r\\n"
    total = 0
    for i in range(300):
        f.write(b"get k%d-%d\\r\\n" % (n, i)); f.flush(); total += int(f.readline().split()[3]); f.readline(); f.readline()
    out[n] = total
out = {}
threads = [threading.Thread(target=session, args=(n, out)) for n in range(6)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(out.items()))
"""

WEB_PAGES = {"www/index.html": inputs.html_text, "www/words.txt": inputs.text}

# What every web server is asked: 600 requests, 8 at a time, then two pages and one that is not there.
WEB_LOAD = """
ab -q -n 600 -c 8 http://127.0.0.1:$PORT/index.html >"$TMPDIR/ab"; ab -q -k -n 600 -c 8 http://127.0.0.1:$PORT/words.txt >>"$TMPDIR/ab"
grep -E '^(Complete|Failed) requests|^Document Length' "$TMPDIR/ab"
curl -s http://127.0.0.1:$PORT/index.html http://127.0.0.1:$PORT/words.txt | cksum
curl -s -o /dev/null -w '%{http_code} %{content_type}\\n' http://127.0.0.1:$PORT/none
"""

NGINX_CONF = """
daemon off; worker_processes 2; pid nginx.pid; error_log log;
events { worker_connections 64; }
http { access_log off; gzip on; types { text/html html; text/plain txt; }
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server { listen 127.0.0.1:PORT_HERE; root ROOT_HERE; location /old { return 301 /index.html; } } }
"""

NGINX = WAIT + """
sed "s,PORT_HERE,$PORT,; s,ROOT_HERE,$PWD/www," nginx.conf >"$TMPDIR/nginx.conf"
nginx -p "$TMPDIR" -e "$TMPDIR/log" -c "$TMPDIR/nginx.conf" & server=$!
wait_for curl -s http://127.0.0.1:$PORT/
""" + WEB_LOAD + """
curl -s --compressed http://127.0.0.1:$PORT/words.txt | cksum
kill -QUIT $server; gone $server
"""

LIGHTTPD = WAIT + """
cat >"$TMPDIR/lighttpd.conf" <<END
server.document-root = "$PWD/www"
server.port = $PORT
server.bind = "127.0.0.1"
mimetype.assign = (".html" => "text/html", ".txt" => "text/plain")
END
lighttpd -D -f "$TMPDIR/lighttpd.conf" 2>"$TMPDIR/log" & server=$!
wait_for curl -s http://127.0.0.1:$PORT/
""" + WEB_LOAD + "kill -INT $server; gone $server\n"

APACHE = WAIT + """
cat >"$TMPDIR/apache.conf" <<END
ServerRoot "$TMPDIR"
ServerName localhost
Listen 127.0.0.1:$PORT
PidFile pid
ErrorLog log
User nobody
Group nogroup
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
TypesConfig /dev/null
AddType text/plain .txt
AddType text/html .html
StartServers 2
ThreadsPerChild 12
MaxRequestWorkers 24
DocumentRoot "$PWD/www"
END
apache2 -d "$TMPDIR" -f "$TMPDIR/apache.conf" -DFOREGROUND & server=$!
wait_for curl -s http://127.0.0.1:$PORT/index.html
""" + WEB_LOAD + "kill -TERM $server; gone $server\n"

HAPROXY = WAIT + """
python3 serve.py "$PORT2" 2>"$TMPDIR/log" & origin=$!
cat >"$TMPDIR/haproxy.conf" <<END
global
  nbthread 2
  maxconn 64
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen front
  bind 127.0.0.1:$PORT
  http-request set-header X-Way through
  server origin 127.0.0.1:$PORT2
END
wait_for curl -s http://127.0.0.1:$PORT2/
haproxy -f "$TMPDIR/haproxy.conf" 2>"$TMPDIR/log2" & server=$!
wait_for curl -s http://127.0.0.1:$PORT/
ab -q -n 150 -c 4 http://127.0.0.1:$PORT/index.html | grep -E '^(Complete|Failed) requests'
curl -s http://127.0.0.1:$PORT/index.html http://127.0.0.1:$PORT/words.txt | cksum
kill -USR1 $server; gone $server; kill -TERM $origin; gone $origin
"""

HAPROXY_ORIGIN = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
os.chdir("www")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""

UNBOUND = WAIT + """
cat >"$TMPDIR/unbound.conf" <<END
server:
  interface: 127.0.0.1@$PORT
  num-threads: 2
  username: ""
  chroot: ""
  directory: "$TMPDIR"
  pidfile: ""
  use-syslog: no
  logfile: "$TMPDIR/log"
  do-daemonize: no
  local-zone: "made.up." static
END
i=0; while [ $i -lt 250 ]; do echo "  local-data: \\"h$i.made.up. A 10.1.$((i % 9)).$i\\"" >>"$TMPDIR/unbound.conf"; i=$((i + 1)); done
unbound -d -c "$TMPDIR/unbound.conf" & server=$!
python3 ask.py "$PORT"
kill -TERM $server; gone $server
"""

UNBOUND_ASK = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.connect(("127.0.0.1", int(sys.argv[1])))
def ask(name):
    question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\\0\\0\\1\\0\\1"
    for attempt in range(30):
        try:
            s.send(struct.pack(">6H", attempt, 0x100, 1, 0, 0, 0) + question)
            answer = s.recv(2000)
            return ".".join(map(str, answer[-4:])) if answer[7] else f"rcode {answer[3] & 15}"
        except OSError:
            import time; time.sleep(0.1)
print([ask(f"h{i}.made.up") for i in range(0, 250, 5)], ask("nobody.made.up"), sum(len(ask(f"h{i % 250}.made.up")) for i in range(1500)))
"""

PROGRAMS = [
    Program("sqlite3", "database", "sqlite3", ("sqlite3", ":memory:"), stdin=SQLITE, status=1, shows="customer 12",
            note="ends with an error of its own"),
    Program("postgres", "database", "postgresql-15", POSTGRES, sees="postgres initdb psql", files={"orders.sql": ORDERS_SQL}, user="nobody", shows="town 3",
            note="a process per connection, workers, shared memory; refuses root", seconds=60),
    Program("mariadb", "database", "mariadb-server", MARIADB, sees="mariadbd mariadb", files={"orders.sql": ORDERS_SQL}, user="nobody", shows="town 3",
            note="a thread per connection", seconds=60),
    Program("redis", "server under load", "redis-server redis-tools", REDIS, sees="redis-server redis-benchmark redis-cli", shows="500500",
            note="jemalloc linked in; redis-benchmark with 20 clients"),
    Program("memcached", "server under load", "memcached python3", MEMCACHED, sees="memcached", files={"load.py": MEMCACHED_LOAD}, shows="(5, ",
            environment={"PYTHONMALLOC": "malloc"}, note="4 threads, 6 clients; slabs of its own"),
    Program("nginx", "server under load", "nginx-light apache2-utils curl", NGINX, sees="nginx ab curl", files={"nginx.conf": NGINX_CONF, **WEB_PAGES},
            shows="600", note="master and two workers"),
    Program("lighttpd", "server under load", "lighttpd apache2-utils curl", LIGHTTPD, sees="lighttpd ab", files=WEB_PAGES, shows="600",
            note="one process, one thread"),
    Program("apache2", "server under load", "apache2-bin apache2-utils curl", APACHE, sees="apache2 ab", files=WEB_PAGES, shows="600",
            note="processes of 12 threads; pools over malloc"),
    Program("haproxy", "server under load", "haproxy apache2-utils curl python3", HAPROXY, sees="haproxy python3", files={"serve.py": HAPROXY_ORIGIN, **WEB_PAGES}, shows="150",
            note="two threads, before a threaded python"),
    Program("unbound", "server under load", "unbound python3", UNBOUND, sees="unbound", files={"ask.py": UNBOUND_ASK}, shows="10.1.5.5",
            note="a resolver with two threads"),
]
