"""Interpreters and other runtimes of languages: each brings a heap, a collector or an arena of its own."""

import inputs
from program import Program

PYTHON = """
import collections, hashlib, json, re, sys
rows = json.load(open("orders.json"))
by_town = collections.defaultdict(list)
for row in rows:
    by_town[row["town"]].append(row)
for town in sorted(by_town):
    print(town, len(by_town[town]), round(sum(r["amount"] for r in by_town[town]), 2))
words = collections.Counter(re.findall(r"[a-z]+", open("words.txt").read()))
print(words.most_common(12))
tree = {}
for word in words:
    node = tree
    for letter in word:
        node = node.setdefault(letter, {})
print(hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest())
print(sys.getrefcount(None) > 100, (3 ** 20000).bit_length())
"""

PYTHON_POOL = """
import concurrent.futures, hashlib, multiprocessing, queue, threading, zlib
def work(n):
    data = bytes((n * i) % 251 for i in range(20000))
    return n, hashlib.sha1(zlib.compress(data)).hexdigest(), sum(len(str(i)) for i in range(2000))
if __name__ == "__main__":
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for row in pool.map(work, range(60)):
            print(*row)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print(sum(r[2] for r in pool.map(work, range(40))))
    box, out = queue.Queue(8), []
    def consume():
        while (item := box.get()) is not None:
            out.append(item * 2)
    threads = [threading.Thread(target=consume) for _ in range(8)]
    for thread in threads: thread.start()
    for i in range(5000): box.put([i])
    for thread in threads: box.put(None)
    for thread in threads: thread.join()
    print(len(out), sum(map(sum, out)))
"""

PERL = """
use strict; use warnings;
my (%count, @lines);
open my $in, '<', 'words.txt' or die; while (<$in>) { chomp; push @lines, $_; $count{$_}++ for split; }
my @top = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
print "$_ $count{$_}\\n" for @top[0..19];
my $text = join ' ', @lines; my $n = () = $text =~ /(ka|lo)(\\w+?)(mi|st)/g; print "$n\\n";
$text =~ s/([aeiou])/uc $1/ge; print length $text, ' ', substr($text, 1000, 40), "\\n";
for my $i (1..4) { my $pid = fork; if (!$pid) { my @a = map { $_ x $i } 1..5000; exit @a % 7 } waitpid $pid, 0; print $? >> 8, "\\n"; }
print sort({ $a <=> $b } map { $_ * 7 % 1009 } 1..5), "\\n"; exit 3;
"""

LUA = """
local count, n = {}, 0
for line in io.lines("words.txt") do for w in line:gmatch("%a+") do count[w] = (count[w] or 0) + 1; n = n + 1 end end
local keys = {} for k in pairs(count) do keys[#keys + 1] = k end table.sort(keys)
for i = 1, 20 do print(keys[i], count[keys[i]]) end
local t = setmetatable({}, {__index = function(t, k) local v = k < 2 and k or t[k-1] + t[k-2]; t[k] = v; return v end})
print(n, t[80], #string.rep("x", 100000))
local co = coroutine.wrap(function() for i = 1, 1000 do coroutine.yield({i}) end end)
local s = 0 for i = 1, 1000 do s = s + co()[1] end print(s)
"""

RUBY = """
require 'json'; require 'digest'
rows = JSON.parse(File.read('orders.json'))
rows.group_by { |r| r['town'] }.sort.each { |t, rs| puts "#{t} #{rs.size} #{rs.sum { |r| r['amount'] }.round(2)}" }
words = File.read('words.txt').scan(/\\w+/).tally.sort_by { |w, n| [-n, w] }.first(10)
p words
threads = 8.times.map { |i| Thread.new { (1..3000).map { |k| (k * i).to_s(7) }.join.sum } }
p threads.map(&:value)
puts Digest::SHA256.hexdigest(rows.flat_map { |r| r['tags'] }.join), (3**3000).to_s.size
GC.start; exit 5
"""

PHP = """<?php
$rows = json_decode(file_get_contents('orders.json'), true);
$by = []; foreach ($rows as $r) { $by[$r['town']][] = $r['amount']; } ksort($by);
foreach ($by as $town => $amounts) { printf("%s %d %.2f\\n", $town, count($amounts), array_sum($amounts)); }
preg_match_all('/\\b(ka|ve)\\w+/', file_get_contents('words.txt'), $m); $c = array_count_values($m[0]); ksort($c);
print_r(array_slice($c, 0, 10)); echo md5(serialize($rows)), ' ', strlen(str_repeat('abc', 300000)), "\\n";
"""

TCL = """
set f [open words.txt]; set words [split [string map {\\n { }} [read $f]]]; close $f
foreach w $words { dict incr count $w }
foreach w [lrange [lsort [dict keys $count]] 1 20] { puts "$w [dict get $count $w]" }
proc fib n { expr {$n < 2 ? $n : [fib [expr {$n-1}]] + [fib [expr {$n-2}]]} }
puts [fib 19]; puts [string length [string repeat abc 100000]]; puts [llength [lsort -unique $words]]
"""

GUILE = """
(use-modules (ice-9 rdelim) (ice-9 threads) (srfi srfi-1))
(define table (make-hash-table))
(call-with-input-file "words.txt" (lambda (port)
  (let loop ((line (read-line port))) (unless (eof-object? line)
    (for-each (lambda (w) (hash-set! table w (+ 1 (hash-ref table w 0)))) (string-split line #\\space)) (loop (read-line port))))))
(define pairs (sort (hash-map->list cons table) (lambda (a b) (string<? (car a) (car b)))))
(for-each (lambda (p) (display p) (newline)) (take pairs 15))
(display (par-map (lambda (n) (fold + 0 (iota (* n 1000)))) (iota 12))) (newline)
(display (string-length (number->string (expt 7 9000)))) (newline)
"""

NODE = """
const fs = require('fs'), zlib = require('zlib'), crypto = require('crypto');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (!isMainThread) {
  const m = new Map(); for (let i = 0; i < 30000; i++) m.set('k' + (i * workerData % 997), [i]);
  parentPort.postMessage([workerData, m.size, crypto.createHash('sha1').update([...m.keys()].join()).digest('hex')]);
} else {
  const rows = JSON.parse(fs.readFileSync('orders.json')); const by = {};
  for (const r of rows) (by[r.town] ??= []).push(r.amount);
  for (const t of Object.keys(by).sort()) console.log(t, by[t].length, by[t].reduce((a, b) => a + b).toFixed(2));
  const text = fs.readFileSync('words.txt'); console.log(zlib.gunzipSync(zlib.gzipSync(text)).equals(text));
  Promise.all([1, 2, 3, 4].map(n => new Promise(done => { const w = new Worker(__filename, { workerData: n }); w.on('message', done); })))
    .then(all => { console.log(all); process.exitCode = 6; });
}
"""

JAVA = """
import java.nio.file.*; import java.util.*; import java.util.concurrent.*; import java.util.stream.*;
public class Words {
    public static void main(String[] a) throws Exception {
        var words = Files.lines(Path.of("words.txt")).flatMap(l -> Arrays.stream(l.split(" "))).collect(Collectors.toList());
        var count = new TreeMap<>(words.parallelStream().collect(Collectors.groupingByConcurrent(w -> w, Collectors.counting())));
        count.entrySet().stream().limit(20).forEach(e -> System.out.println(e.getKey() + " " + e.getValue()));
        var pool = Executors.newFixedThreadPool(24);
        var parts = new ArrayList<Future<Long>>();
        for (int i = 0; i < 60; i++) { final int n = i;
            parts.add(pool.submit(() -> { long s = 0; for (int k = 0; k < 20000; k++) s += new int[k % 60 + n].length; return s; })); }
        long sum = 0; for (var p : parts) sum += p.get();
        pool.shutdown(); System.out.println(sum); System.exit(7);
    }
}
"""

ERLANG = """
Worker = fun(N) -> lists:sum([ (X * N) rem 97 || X <- lists:seq(1, 3000) ]) end,
Self = self(),
Pids = [ spawn(fun() -> Self ! {self(), Worker(N)} end) || N <- lists:seq(1, 2000) ],
Sum = lists:sum([ receive {P, R} -> R end || P <- Pids ]),
{ok, Text} = file:read_file("words.txt"),
Count = lists:foldl(fun(W, M) -> maps:update_with(W, fun(V) -> V + 1 end, 1, M) end, #{}, binary:split(Text, [<<" ">>, <<"\\n">>], [global])),
io:format("~p ~p~n~p~n", [Sum, maps:size(Count), lists:sublist(lists:sort(maps:to_list(Count)), 12)]),
io:format("~s~n", [binary:encode_hex(crypto_free(Text))]),
halt(4).
""".replace("binary:encode_hex(crypto_free(Text))", "integer_to_list(erlang:crc32(Text))")

PROLOG = """
:- initialization(main).
queens(N, Qs) :- numlist(1, N, Ns), permutation(Ns, Qs), safe(Qs).
safe([]). safe([Q|Qs]) :- no_attack(Q, Qs, 1), safe(Qs).
no_attack(_, [], _). no_attack(Q, [Q1|Qs], D) :- Q =\\= Q1 + D, Q =\\= Q1 - D, D1 is D + 1, no_attack(Q, Qs, D1).
main :- queens(7, Qs), write(Qs), nl, findall(X-Y, (between(1, 60, X), Y is X * X mod 17), L), msort(L, M), length(M, Len),
  write(Len), nl, atom_codes(A, "abc"), forall(between(1, 3000, I), (atom_concat(A, I, B), assertz(fact(B, I)))),
  aggregate_all(count, fact(_, _), C), write(C), nl, concurrent_maplist([X1, Y1]>>(Y1 is X1 ** 40 mod 1000007), [1,2,3,4,5,6], R), write(R), nl, halt(2).
"""

OCAML = """
let words = let ic = open_in "words.txt" in
  let rec go acc = match input_line ic with l -> go (List.rev_append (String.split_on_char ' ' l) acc) | exception End_of_file -> acc in go []
module M = Map.Make (String)
let count = List.fold_left (fun m w -> M.update w (function None -> Some 1 | Some n -> Some (n + 1)) m) M.empty words
let () = M.bindings count |> List.filteri (fun i _ -> i < 15) |> List.iter (fun (w, n) -> Printf.printf "%s %d\\n" w n);
  let rec sieve = function [] -> [] | p :: r -> p :: sieve (List.filter (fun x -> x mod p <> 0) r) in
  Printf.printf "%d %d\\n" (List.length (sieve (List.init 3000 (fun i -> i + 2)))) (M.cardinal count); exit 9
"""

SBCL = """
(let ((table (make-hash-table :test 'equal)))
  (with-open-file (in "words.txt") (loop for line = (read-line in nil) while line do (incf (gethash (subseq line 0 5) table 0))))
  (let ((all (sort (loop for k being the hash-keys of table using (hash-value v) collect (cons k v)) #'string< :key #'car)))
    (format t "~{~s~%~}~d~%" (subseq all 0 10) (length all))))
(defun tak (x y z) (if (<= x y) z (tak (tak (1- x) y z) (tak (1- y) z x) (tak (1- z) x y))))
(format t "~d ~d~%" (tak 14 8 3) (length (format nil "~d" (expt 3 20000))))
(sb-ext:exit :code 3)
"""

R = """
rows <- read.csv("orders.csv"); agg <- aggregate(amount ~ town, rows, sum); print(head(agg, 12))
fit <- lm(amount ~ id, rows); print(round(coef(fit), 6)); set.seed(3); m <- matrix(runif(6400), 80)
print(round(sum(solve(m %*% t(m) + diag(80))), 6)); l <- lapply(1:3000, function(i) paste0("x", i)); print(length(unique(unlist(l)))); quit(status = 2)
"""

TEXTBOOK = ("first-fit", "first-fit-fifo", "first-fit-address", "next-fit", "next-fit-address", "best-fit", "best-fit-address",
            "worst-fit", "segregated", "buddy", "bump")
DEEP = "modules loaded with RTLD_DEEPBIND free by libc what the preloaded allocator gave"

WORDS = {"words.txt": inputs.text}
ORDERS = {"orders.json": inputs.json_text}

PROGRAMS = [
    Program("python3", "interpreter", "python3", ("python3", "run.py"), files={"run.py": PYTHON, **WORDS, **ORDERS},
            environment={"PYTHONHASHSEED": "0"}, note="its own pools; malloc sees arenas and large objects"),
    Program("python3-malloc", "interpreter", "python3", ("python3", "run.py"), files={"run.py": PYTHON, **WORDS, **ORDERS},
            environment={"PYTHONHASHSEED": "0", "PYTHONMALLOC": "malloc"}, note="every object through malloc"),
    Program("python3-pools", "many threads", "python3", ("python3", "run.py"), files={"run.py": PYTHON_POOL},
            environment={"PYTHONMALLOC": "malloc"}, note="16 threads, then a pool of forked processes, then 8 threads on a queue"),
    Program("perl", "interpreter", "perl-base", ("perl", "run.pl"), files={"run.pl": PERL, **WORDS}, status=3,
            environment={"PERL_HASH_SEED": "0"}, note="forks"),
    Program("lua", "interpreter", "lua5.4", ("lua5.4", "run.lua"), files={"run.lua": LUA, **WORDS}, note="all by realloc"),
    Program("ruby", "interpreter", "ruby", ("ruby", "run.rb"), files={"run.rb": RUBY, **WORDS, **ORDERS}, status=5,
            note="conservative collector, threads"),
    Program("php", "interpreter", "php-cli", ("php", "-d", "opcache.enable=0", "run.php"), files={"run.php": PHP, **WORDS, **ORDERS},
            breaks_on=dict.fromkeys(("jemalloc", "mimalloc", "tcmalloc", "tbbmalloc", *TEXTBOOK), DEEP), note="an allocator of its own over mmap; modules with RTLD_DEEPBIND"),
    Program("tcl", "interpreter", "tcl", ("tclsh", "run.tcl"), files={"run.tcl": TCL, **WORDS},
            note="thread caches of its own over malloc"),
    Program("guile", "interpreter", "guile-3.0", ("guile", "--no-auto-compile", "-s", "run.scm"), files={"run.scm": GUILE, **WORDS},
            note="Boehm's collector beside malloc, parallel map"),
    Program("erlang", "many threads", "erlang-base", ("erl", "-noshell", "-noinput", "-eval", ERLANG), sees="beam.smp",
            files=WORDS, status=4, note="schedulers in threads, 2,000 processes, allocators of its own"),
    Program("swipl", "interpreter", "swi-prolog-nox", ("swipl", "-q", "run.pl"), files={"run.pl": PROLOG}, status=2,
            note="Prolog, with tcmalloc linked where Debian does"),
    Program("ocaml", "interpreter", "ocaml-nox", ("ocaml", "run.ml"), files={"run.ml": OCAML, **WORDS}, status=9, note="byte code"),
    Program("sbcl", "interpreter", "sbcl", ("sbcl", "--script", "run.lisp"), files={"run.lisp": SBCL, **WORDS}, status=3,
            note="Lisp image at a fixed address, heap by mmap, SIGSEGV as write barrier"),
    Program("R", "interpreter", "r-base-core", ("R", "--vanilla", "-s", "-f", "run.R"), sees="R", files={"run.R": R, "orders.csv": inputs.csv_text},
            status=2, note="a shell script that becomes R; BLAS"),
    Program("gforth", "interpreter", "gforth", ("gforth", "run.fs"), files={"run.fs": ": fib dup 2 < if else dup 1- recurse swap 2 - recurse + then ;\n"
            "23 fib . cr 100000 allocate throw dup 100000 42 fill dup 99999 + c@ . free throw cr bye\n"}, note="allocate and free as words"),
    Program("pari-gp", "mathematics", "pari-gp", ("gp", "-q", "-f", "run.gp"),
            files={"run.gp": "print(factor(2^128+1))\nprint(polroots(x^9-3*x+1)[1])\nprint(#Str(100000!))\nprint(bnfinit(x^4-10*x^2+1).cyc)\nprint(ellap(ellinit([1,1]),nextprime(10^12)))\nquit\n"},
            note="a stack of its own"),
    Program("node", "node", "nodejs", ("node", "run.js"), files={"run.js": NODE, **WORDS, **ORDERS}, status=6,
            note="V8, four worker threads, zlib and crypto"),
    Program("java", "JVM", "openjdk-17-jdk-headless", ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "-Xmx256m", "Words.java"), files={"Words.java": JAVA, **WORDS}, status=7,
            note="compiles in memory, then 24 threads; malloc is the VM's own"),
    Program("javac", "JVM", "openjdk-17-jdk-headless",
            ("/usr/lib/jvm/java-17-openjdk-amd64/bin/javac", "-J-Xmx256m", "Words.java"), files={"Words.java": JAVA}, note="the files that it makes"),
]
