"""Compilers, assemblers, linkers and what drives them: short lives, many processes, pipes and temporary files."""

import inputs
from program import Program

CXX = """
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <vector>
template <int N> struct Deep { static int f(int x) { return Deep<N - 1>::f(x * 3 + N) ^ N; } };
template <> struct Deep<0> { static int f(int x) { return x; } };
int main() {
    std::map<std::string, std::vector<std::unique_ptr<std::string>>> m;
    for (int i = 0; i < 5000; i++) m["k" + std::to_string(i % 97)].push_back(std::make_unique<std::string>(i % 50, 'x'));
    size_t n = 0; for (auto &p : m) for (auto &s : p.second) n += s->size();
    std::regex r("k([0-9]+)"); std::smatch s; std::string last = m.rbegin()->first; std::regex_match(last, s, r);
    std::ostringstream o; o << n << ' ' << s[1] << ' ' << Deep<200>::f(5); std::cout << o.str() << std::endl;
}
"""

RUST = """
use std::collections::BTreeMap; use std::sync::mpsc; use std::thread;
fn main() {
    let (tx, rx) = mpsc::channel();
    let handles: Vec<_> = (0..6u64).map(|t| { let tx = tx.clone(); thread::spawn(move || {
        for i in 0..2000u64 { tx.send((i % 53, format!("{}-{}", t, i * t))).unwrap(); } }) }).collect();
    drop(tx); let mut m: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (k, v) in rx { m.entry(k).or_default().push(v); }
    for h in handles { h.join().unwrap(); }
    println!("{} {} {}", m.len(), m.values().map(|v| v.len()).sum::<usize>(), m[&7].iter().map(|s| s.len()).sum::<usize>());
}
"""

ASM = """
section .data
    text db "assembled", 10
section .text
global _start
%assign i 0
%rep 2000
label_ %+ i:
    add rax, i
    xor rbx, rax
%assign i i+1
%endrep
_start:
    mov rax, 1
    mov rdi, 1
    mov rsi, text
    mov rdx, 10
    syscall
    mov rax, 60
    mov rdi, 5
    syscall
"""

GRAMMAR_Y = """
%{
#include <stdio.h>
int yylex(void); void yyerror(const char *s) { printf("error: %s\\n", s); }
%}
%token NUMBER
%left '+' '-'
%left '*' '/'
%%
input: | input line ;
line: '\\n' | e '\\n' { printf("%d\\n", $1); } ;
e: NUMBER | e '+' e { $$ = $1 + $3; } | e '-' e { $$ = $1 - $3; } | e '*' e { $$ = $1 * $3; } | '(' e ')' { $$ = $2; } ;
%%
int main(void) { return yyparse(); }
"""

GRAMMAR_L = """
%{
#include <stdlib.h>
#include "calc.tab.h"
%}
%option noyywrap nounput noinput
%%
[0-9]+  { yylval = atoi(yytext); return NUMBER; }
[ \\t]+ ;
.|\\n    { return yytext[0]; }
%%
"""

CMAKE = """cmake_minimum_required(VERSION 3.10)
project(parts C)
add_library(parts STATIC a.c b.c)
add_executable(app main.c)
target_link_libraries(app parts)
"""

PARTS = {
    "a.c": inputs.c_source(20, 1).replace("int main(void)", "int part_a(void)"),
    "b.c": inputs.c_source(20, 2).replace("int main(void)", "int part_b(void)"),
    "main.c": "int part_a(void); int part_b(void);\nint main(void) { return part_a() + part_b(); }\n",
}

MAKEFILE = """objects := a.o b.o main.o $(patsubst %,gen%.o,1 2 3 4 5 6)
app: $(objects)
\tgcc -o $@ $^
gen%.c: ; @echo 'int gen$*(void) { return $*; }' > $@
%.o: %.c ; @gcc -O1 -c -o $@ $<
.PRECIOUS: gen%.c
"""

OCAML = """
type tree = Leaf | Node of tree * int * tree
let rec insert t x = match t with Leaf -> Node (Leaf, x, Leaf)
  | Node (l, y, r) -> if x < y then Node (insert l x, y, r) else if x > y then Node (l, y, insert r x) else t
let rec depth = function Leaf -> 0 | Node (l, _, r) -> 1 + max (depth l) (depth r)
let () = let t = ref Leaf in for i = 1 to 60000 do t := insert !t (i * 7919 mod 60013) done; Printf.printf "%d\\n" (depth !t)
"""

PROGRAMS = [
    Program("gcc", "compiler", "gcc", "gcc -O2 -g -o app big.c && ./app", sees="cc1 as ld app", files={"big.c": inputs.c_source},
            note="driver, cc1 (with a collector), as, collect2 and ld, by vfork"),
    Program("g++", "compiler", "g++", "g++ -O1 -o app app.cc && ./app", sees="cc1plus app", files={"app.cc": CXX}, note="templates; then C++ of its own"),
    Program("clang", "compiler", "clang", "clang -O2 -o app big.c && ./app", sees="clang app", files={"big.c": inputs.c_source},
            note="one large C++ program that compiles in its own process"),
    Program("gcc-lto", "compiler", "gcc", "gcc -O1 -flto=2 -pipe -o app a.c b.c main.c; ./app >out.txt || true", sees="lto1 lto-wrapper make",
            files=PARTS, shows="", note="link time: make started by ld's plugin"),
    Program("rustc", "compiler", "rustc", "/usr/bin/rustc -O -C codegen-units=4 app.rs && ./app", sees="rustc app", files={"app.rs": RUST},
            note="LLVM in threads; a Rust program with six threads", seconds=60),
    Program("ocamlopt", "compiler", "ocaml-nox gcc", "ocamlopt -o app app.ml && ./app", sees="ocamlopt app", files={"app.ml": OCAML},
            note="native code; a program that is all small blocks"),
    Program("gprolog", "compiler", "gprolog gcc", "gplc -S app.pl; gplc -c app.s; gplc -o app app.o && ./app", sees="gplc pl2wam wam2ma app",
            files={"app.pl": ":- initialization((findall(X, (between(1, 4000, Y), X is Y * Y mod 101), L), sort(L, S), write(S), nl, halt(3))).\n"},
            status=3, note="Prolog by way of assembly"),
    Program("nasm", "compiler", "nasm binutils", "nasm -felf64 -o app.o app.asm; ld -o app app.o; ld --version | head -n 1; nm app | wc -l; size app; objdump -d app | tail -n 3",
            sees="nasm ld nm objdump", files={"app.asm": ASM}, note="binutils"),
    Program("bison-flex", "compiler", "bison flex gcc m4", "bison -d calc.y; flex -o lex.c calc.l; gcc -o calc calc.tab.c lex.c; echo '(2+3)*7-1' | ./calc",
            sees="bison flex m4 calc", files={"calc.y": GRAMMAR_Y, "calc.l": GRAMMAR_L}, shows="34", note="both write through m4 in a pipe"),
    Program("make", "build tool", "make gcc", "make -s -j4 app; ls", sees="make cc1", files={"Makefile": MAKEFILE, **PARTS}, note="four jobs at once"),
    Program("cmake", "build tool", "cmake ninja-build gcc", "cmake -G Ninja -S src -B build >/dev/null; ninja -C build -j2 >/dev/null; ls build; build/app || echo $?",
            sees="cmake ninja app", files={f"src/{k}": v for k, v in {"CMakeLists.txt": CMAKE, **PARTS}.items()}, shows="libparts.a",
            ignore={"build/.ninja_*": "times of files and of steps", "build/CMakeFiles/*": "logs with times and names of temporary folders"},
            note="posix_spawn by cmake and ninja", seconds=60),
]
