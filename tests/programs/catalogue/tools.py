"""Shells, text tools, archivers, cryptography: the small programs of which everything else is made."""

import inputs
from program import Program

WORDS = {"words.txt": inputs.text}
BIG = {"data": lambda: inputs.mixed(3_000_000)}

# For every shell that reads POSIX: functions, pipes, here documents, subshells, background jobs, traps.
SHELL = """
f() { local_n=$1; while [ "$local_n" -gt 0 ]; do printf '%s ' "$local_n"; local_n=$((local_n - 1)); done; echo; }
f 12; x=; i=0; while [ $i -lt 300 ]; do x="$x$i,"; i=$((i + 1)); done; echo "${#x} ${x%,*}" | cut -c 1-60
for w in $(head -n 20 words.txt); do case $w in ka*|*mi) echo "$w";; esac; done | sort | uniq -c
(cd / && pwd); echo "$(printf '%s\\n' a b c | while read -r l; do echo "[$l]"; done)"; cat <<END
here $((6 * 7)) ${y:-nothing}
END
for j in 1 2 3 4; do (sleep 0.0$j; exit "$j") & wait $! || echo "job $?"; done
trap 'echo leaving' EXIT; set -- one "two words" three; for a in "$@"; do echo "<$a>"; done; seq 200 | sed -n 's/9$/nine/p' | tr -d '\\n'; echo; exit 3
"""

ZSH = """
typeset -A h; for w in ${=$(<words.txt)}; do (( h[$w]++ )); done; print -l ${(ok)h[1,10]} | head -n 10
a=({1..2000}); print $#a ${a[-1]} ${(j:,:)a[1,20]}; print ${(U)${(s:,:)$(echo a,b,c)}}; print -- ${(l:20::.:)a[5]}; exit 4
"""

FISH = """
set -l words (cat words.txt | string split ' '); count $words; string match -r '^ka.*mi$' $words | sort -u | head -n 8
for i in (seq 30); set -a l (math "$i * $i"); end; echo $l[-3..-1]; function g; string repeat -n 3 $argv; end; g ab; exit 6
"""

AWK = """
{ for (i = 1; i <= NF; i++) { n[$i]++; len += length($i) } line[NR % 50] = line[NR % 50] substr($0, 1, 3) }
END { for (w in n) if (n[w] > 18) print w, n[w] | "sort"; close("sort"); printf "%d %d %s\\n", NR, len, line[7]
  for (i = 0; i < 3000; i++) { s = s sprintf("%x", i); if (length(s) > 2000) s = substr(s, 1000) } print toupper(substr(s, 1, 30)); gsub(/[0-9]+/, "#", s); print length(s) }
"""

M4 = """define(`fact', `ifelse($1, 0, 1, `eval($1 * fact(decr($1)))')')dnl
define(`loop', `ifelse($1, 0, , `$1 loop(decr($1))')')dnl
fact(10) loop(300)
include(words.txt)dnl
translit(`shout', `a-z', `A-Z') len(loop(100)) syscmd(`echo from a shell')
"""

COREUTILS = """
mkdir -p tree/a/b tree/c; i=0; while [ $i -lt 60 ]; do echo "$i" >"tree/$(echo a a/b c . | cut -d ' ' -f $((i % 4 + 1)))/f$i"; i=$((i + 1)); done
find tree -type f | sort | head -n 30; ls -R tree | cksum; find tree -name 'f*5' -exec cat {} + ; du -a --apparent-size tree | wc -l
cut -d ' ' -f 2,4 words.txt | sort -u | tail -n 5; tac words.txt | head -n 2; paste words.txt words.txt | md5sum; comm -12 words.txt words.txt 2>/dev/null | wc -l; split -n l/4 words.txt part.
sha512sum words.txt part.*; od -A d -t x1z words.txt | tail -n 3; shuf --random-source=words.txt -i 1-50 | xargs -n 7; factor 123456789012345677; date -d @1700000000; cp -a tree tree2; diff -r tree tree2; stat -c '%s %F' words.txt tree; expr 3 \\* 7; rm -r tree2
sed 's/a/A/' words.txt >changed; diff -u words.txt changed | tail -n 4
"""

GPG = """
export GNUPGHOME="$TMPDIR/g"; mkdir -m 700 "$GNUPGHOME"; echo disable-scdaemon >"$GNUPGHOME/gpg-agent.conf"
g() { gpg --batch --quiet --no-permission-warning --faked-system-time 20240101T000000! "$@"; }
g --passphrase '' --quick-gen-key 'Made Up <made@up>' ed25519 sign never 2>/dev/null
g --passphrase secret --pinentry-mode loopback --symmetric -o sealed data; g --passphrase secret --pinentry-mode loopback -d sealed 2>/dev/null | cksum
g --detach-sign -o data.sig data; g --verify data.sig data >/dev/null 2>&1 && echo good; echo x >>data; g --verify data.sig data 2>/dev/null || echo "bad $?"
g --print-md sha256 words.txt; gpgconf --kill all
"""

OPENSSL = """
openssl dgst -sha256 -hmac key data; openssl enc -aes-256-cbc -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 00112233445566778899aabbccddeeff -in data -out sealed
openssl enc -d -aes-256-cbc -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 00112233445566778899aabbccddeeff -in sealed | cksum
{ printf '0.\\002\\001\\0000\\005\\006\\003+ep\\004"\\004 '; printf %s 'a seed of exactly 32 bytes long!'; } >key.der
openssl pkey -inform DER -in key.der -out key.pem; openssl pkey -in key.pem -pubout; openssl pkeyutl -sign -rawin -inkey key.pem -in words.txt | od -A n -t x1
openssl req -new -key key.pem -subj '/CN=made up/O=heap' -out request.pem; openssl req -in request.pem -noout -text -verify 2>&1 | head -n 9
openssl prime -generate -bits 64 >/dev/null; openssl asn1parse -in request.pem | head -n 8; openssl rsa -help 2>&1 | wc -l; openssl version
"""

PROGRAMS = [
    Program("bash", "shell", "bash", ("bash", "run.sh"), files={"run.sh": SHELL, **WORDS}, status=3, note="an allocator of its own in some builds; Debian's takes libc's"),
    Program("dash", "shell", "dash", ("dash", "run.sh"), files={"run.sh": SHELL, **WORDS}, status=3, note="vfork for each command"),
    Program("ksh", "shell", "ksh93u+m", ("ksh93", "run.sh"), files={"run.sh": SHELL, **WORDS}, sees="ksh93", status=3, note="brings vmalloc; longjmp out of commands"),
    Program("zsh", "shell", "zsh", ("zsh", "-f", "run.zsh"), files={"run.zsh": ZSH, **WORDS}, status=4, note="modules by dlopen"),
    Program("fish", "shell", "fish", ("fish", "-N", "run.fish"), files={"run.fish": FISH, **WORDS}, status=6, note="C++, threads"),
    Program("coreutils", "text tools", "coreutils findutils diffutils", COREUTILS.replace("diff -u words.txt changed", "diff -u --label a --label b words.txt changed"), sees="find sort sha512sum cp diff xargs",
            files=WORDS, note="some sixty short processes"),
    Program("sort-parallel", "text tools", "coreutils", ("sort", "--parallel=4", "-S", "2M", "-k", "3", "words.txt"), files={"words.txt": lambda: inputs.text(30000)},
            note="threads, and files when memory is short"),
    Program("grep", "text tools", "grep", "grep -nE '(ka|lo)+mi' words.txt | tail -n 20; grep -c -F -f short words.txt; grep -oP '(?<=qui)\\w+(?=ta)' words.txt | sort | uniq -c; grep -r zz . || echo \"none $?\"",
            sees="grep", files={"short": "bekalo\nminisa\nvelqui\n", **WORDS}, note="regular expressions and PCRE's JIT"),
    Program("sed", "text tools", "sed", ("sed", "-E", "-e", "s/([a-z]+) ([a-z]+)/\\2 \\1/g;$!N;P;D", "words.txt"), files=WORDS),
    Program("gawk", "text tools", "gawk", ("gawk", "-f", "run.awk", "words.txt"), files={"run.awk": AWK, **WORDS}),
    Program("mawk", "text tools", "mawk", ("mawk", "-f", "run.awk", "words.txt"), files={"run.awk": AWK, **WORDS}, note="its own small-block lists"),
    Program("jq", "text tools", "jq", ("jq", "-c", "group_by(.town) | map({town: .[0].town, n: length, total: (map(.amount) | add | floor), tags: [.[].tags[]] | unique | length})", "orders.json"),
            files={"orders.json": inputs.json_text}, note="small objects with reference counts"),
    Program("ripgrep", "text tools", "ripgrep", ("rg", "-j4", "--sort=path", "-n", "ka+lo(mi|ren)", "."), files={f"d{i}/words.txt": (lambda i=i: inputs.text(600, i)) for i in range(12)},
            note="Rust, threads"),
    Program("parallel", "text tools", "parallel", "seq 24 | parallel --will-cite -k -j4 'echo {} {%} | cut -d\" \" -f1; head -c {} words.txt | cksum'", sees="perl", files=WORDS,
            note="forks without end", seconds=60),
    Program("bc", "mathematics", "bc", ("bc", "-l", "run.bc"), files={"run.bc": "scale=220\n4*a(1)\ne(1)\n2^3000 % 10^40\ndefine f(n) { if (n < 2) return n; return f(n-1) + f(n-2); }\nf(16)\nquit\n"}),
    Program("dc", "mathematics", "dc", ("dc", "-e", "120k 2v p 7 300^ p [la1+dsa*pla15>y]sy 0sa1 lyx"), note="all numbers on the heap"),
    Program("m4", "text tools", "m4", ("m4", "run.m4"), files={"run.m4": M4, **WORDS}, note="obstacks"),
    Program("z3", "mathematics", "z3", ("z3", "-smt2", "run.smt2"), files={"run.smt2": "(declare-const x Int)(declare-const y Int)(declare-const b (_ BitVec 24))\n"
            "(assert (> (* x x) 1000))(assert (= (+ x (* 3 y)) 77))(assert (< x 90))(assert (> x 0))\n(check-sat)(get-model)\n(push)(assert (= (bvmul b b) #x123451))(check-sat)(pop)\n(exit)\n"},
            note="C++ with a counting layer over malloc"),
    Program("minisat", "mathematics", "minisat", "minisat -verb=0 in.cnf out.txt || echo \"status $?\"", sees="minisat", files={"in.cnf": inputs.cnf}, note="arenas by realloc"),
    Program("tar", "archiver", "tar gzip", "tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -czf x.tar.gz d data; tar -tvzf x.tar.gz; mkdir out; tar -xzf x.tar.gz -C out; diff -r d out/d",
            sees="tar gzip", files={**BIG, **{f"d/{i % 5}/f{i}": f"{i}\n" * i for i in range(80)}}),
    Program("gzip", "archiver", "gzip", "gzip -9nk data; gzip -dc data.gz | cksum; gzip -l data.gz; gzip -t words.txt || echo \"status $?\"", sees="gzip", files={**BIG, **WORDS}),
    Program("bzip2", "archiver", "bzip2", "bzip2 -k data; bzip2 -dc data.bz2 | cksum", sees="bzip2", files=BIG, note="few and large blocks"),
    Program("xz", "archiver", "xz-utils", "xz -T2 -3 -k --block-size=600KiB data; xz -dc data.xz | cksum; xz --robot -l data.xz", sees="xz", files=BIG, note="two threads"),
    Program("zstd", "archiver", "zstd", "zstd -q -T2 -12 data; zstd -dc data.zst | cksum; zstd -q --train d/* -o dictionary --maxdict=4096", sees="zstd",
            files={**BIG, **{f"d/f{i}": (lambda i=i: inputs.text(12, i)) for i in range(120)}}, note="a pool of threads"),
    Program("pigz", "archiver", "pigz", "pigz -p 4 -n -k data; pigz -dc data.gz | cksum", sees="pigz", files=BIG, note="pools of buffers handed from thread to thread"),
    Program("7zip", "archiver", "p7zip-full", "7z a -mmt=3 -mtm=off -bd x.7z data >/dev/null; 7z t x.7z | tail -n 4; 7z x -so x.7z data | cksum", sees="7z", files=BIG, note="C++, threads, large windows"),
    Program("brotli", "archiver", "brotli", "brotli -q 7 -k data; brotli -dc data.br | cksum", sees="brotli", files={"data": lambda: inputs.mixed(900_000)}),
    Program("openssl", "cryptography", "openssl", OPENSSL, sees="openssl", files={**BIG, **WORDS}, shows="MCowBQYDK2Vw"),
    Program("gpg", "cryptography", "gnupg gpg-agent", GPG, sees="gpg gpg-agent", files={"data": lambda: inputs.mixed(200_000), **WORDS}, shows="good", ignore={"sealed": "random session keys", "data.sig": "a key made anew each time"},
            note="an agent in the background, locked memory"),
    Program("ssh-keygen", "cryptography", "openssh-client", "ssh-keygen -q -t ed25519 -N '' -C made -f key; ssh-keygen -Y sign -f key -n file words.txt; ssh-keygen -Y check-novalidate -n file -s words.txt.sig <words.txt | cut -d ' ' -f 1-5; ssh-keygen -l -f key | cut -d ' ' -f 1,3,4",
            sees="ssh-keygen", files=WORDS, shows="Good", ignore={"key*": "made anew each time", "*.sig": "by a new key"}, note="memory that must not be swapped"),
    Program("curl", "network client", "curl", "curl -s file://$PWD/words.txt | cksum; curl -sS --parallel -o a file://$PWD/words.txt -o b file://$PWD/words.txt 2>/dev/null; curl -sS file:///none || echo \"status $?\"; curl -s -w '%{scheme} %{size_download}\\n' -o c file://$PWD/words.txt",
            sees="curl", files=WORDS),
    Program("rsync", "network client", "rsync", "rsync -a --stats d/ copy | grep -E 'files|bytes: '; echo more >>d/0/f5; rsync -ai --no-times --omit-dir-times -c d/ copy; diff -r d copy", sees="rsync",
            files={f"d/{i % 5}/f{i}": f"{i}\n" * i for i in range(80)}, note="two processes over a socket pair"),
]
