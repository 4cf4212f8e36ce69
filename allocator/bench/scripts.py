"""The scripts that interpreters run, and the clients of the servers."""

PYTHON = """
import ast, collections, json, re, sys
chance = int(sys.argv[1])
data = json.load(open('data.json'))
words = collections.Counter(word for line in open('text') for word in line.split())
tree = {i: {'key': str(i), 'list': [i, i + 1]} for i in range(40000)}
text = json.dumps([tree[i] for i in range(0, 40000, 7)])
source = ''.join(f'def f{i}(a, b=[{i}]):\\n    return [x * {i} for x in a if x not in b] + b[{i % 9}:]\\n' for i in range(1200))
names = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
for i in range(150000):
    tree[(i * 7919 + chance) % 40000] = {'key': 'v%d' % i, 'list': [i]}
print(len(text), len(words), len(names), sum(len(one['name']) for one in data), len(re.findall('a.b', text)))
"""

PERL = """
open F, 'text'; while (<F>) { for (split) { $c{$_}++; push @{$p{substr $_, 0, 2}}, $.; } }
my @k = sort { $c{$b} <=> $c{$a} } keys %c; my $n = 0; $n += @{$p{$_}} for keys %p;
for my $i (1 .. 100000) { my %h = (id => $i, name => "n$i", list => [$i, $i + 1]); $keep[$i % 5000] = \\%h; }
print scalar @k, " $n ", scalar @keep, "\\n";
"""

LUA = """
local t = {} for i = 1, 200000 do t[i] = {name = 'n' .. i, at = {i, i * 2}} end
local s = {} for i = 1, 200000, 3 do s[#s + 1] = t[i].name .. t[i].at[2] end print(#table.concat(s))
for i = 1, 400000 do t[i % 1000] = {name = 'again' .. i} end
for line in io.lines('text') do for word in line:gmatch('%a+') do t[word] = (t[word] or 0) + 1 end end
"""

AWK = """{ for (i = 1; i <= NF; i++) { count[$i]++; at[substr($i, 1, 3) NR % 700] = $i } line[NR % 3000] = $0 }
END { for (k in at) n++; for (k in line) { split(line[k], part, "a"); m += length(part[1]) } print n, m, length(count) }"""

TCL = """
set f [open text]; while {[gets $f line] >= 0} { foreach w [split $line] { dict incr count $w; lappend by([string length $w]) $w } }
foreach k [array names by] { set by($k) [lsort -unique $by($k)] }
for {set i 0} {$i < 150000} {incr i} { set kept([expr {$i % 5000}]) [list $i "name $i" [expr {$i * 2}]] }
puts [dict size $count]
"""

GROFF = r"""awk '{ print ".PP"; print; if (NR % 5 == 0) print ".IP \\(bu 3"; if (NR % 40 == 0) print ".SH PART " NR }
    NR == 5000 { exit }' text | (echo .TH IN 1; cat) > in.1; exec troff -man -Tutf8 in.1"""

# Bounded: each connection sends its requests in batches of 50 and reads every answer.
MEMCACHED_CLIENT = r"""
import random, socket, sys, time
path, seed = sys.argv[1], int(sys.argv[2])
def connect():
    for _ in range(500):
        try:
            one = socket.socket(socket.AF_UNIX); one.connect(path); return one
        except OSError:
            time.sleep(0.02)
    sys.exit(1)
chance, lines = random.Random(seed), [connect() for _ in range(8)]
value = bytes(chance.choices(range(97, 123), k=9000))
def answers(line, count):
    got = b''
    while got.count(b'END\r\n') + got.count(b'STORED\r\n') + got.count(b'DELETED\r\n') + got.count(b'NOT_FOUND\r\n') < count:
        part = line.recv(1 << 20)
        if not part: sys.exit(2)
        got += part
for batch in range(3000):
    line, text = lines[batch % 8], []
    for _ in range(50):
        key, what = b'key%d' % chance.randrange(40000), chance.random()
        if what < .4:
            size = min(int(chance.lognormvariate(5.5, 1.2)), 8900)
            text.append(b'set %b 0 0 %d\r\n%b\r\n' % (key, size, value[:size]))
        else:
            text.append((b'get %b\r\n' if what < .95 else b'delete %b\r\n') % key)
    line.sendall(b''.join(text)); answers(line, 50)
"""

# Eight connections that are kept, and others for one request each.
WEB_CLIENT = r"""
import random, socket, sys, time
port, chance = int(open('port').read()), random.Random(int(sys.argv[1]))
def connect():
    for _ in range(500):
        try:
            return socket.create_connection(('127.0.0.1', port))
        except OSError:
            time.sleep(0.02)
    sys.exit(5)
def ask(line, last):
    line.sendall(b'GET /page%d.html HTTP/1.1\r\nHost: here\r\nAccept-Encoding: none\r\nX-Number: %d\r\n%b\r\n'
                 % (chance.randrange(20), chance.randrange(10 ** 9), b'Connection: close\r\n' if last else b''))
    got = b''
    while b'\r\n\r\n' not in got:
        part = line.recv(1 << 16)
        if not part: sys.exit(2)
        got += part
    head, _, body = got.partition(b'\r\n\r\n')
    if not head.startswith(b'HTTP/1.1 200'): sys.exit(3)
    missing = int(head.lower().partition(b'content-length:')[2].split()[0]) - len(body)
    while missing > 0:
        missing -= len(line.recv(1 << 16)) or sys.exit(4)
lines = [connect() for _ in range(8)]
for request in range(12000):
    ask(lines[request % 8], False)
    if request % 8 == 0:
        with connect() as one: ask(one, True)
"""
