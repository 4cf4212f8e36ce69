"""Version control, debuggers, tests of the machine; and what cannot be recorded, with the line that says why."""

import inputs
from program import Normalise, Program

GIT = """
git init -q -b main r; cd r; git config user.name made; git config user.email made@up; git config gc.auto 0
i=0; while [ $i -lt 12 ]; do echo "line $i" >>f$((i % 4)); head -n $((i * 20 + 5)) ../words.txt >g; git add .; git commit -q -m "change $i"; i=$((i + 1)); done
git branch other HEAD~5; git checkout -q other; echo other >h; git add h; git commit -q -m other; git checkout -q main; git merge -q -m merge other
git log --graph --oneline --stat | head -n 40; git repack -q -a -d -f --threads=2; git gc -q; git fsck --strict; git diff HEAD~4 --stat; git blame -s g | tail -n 3; git grep -c kalo; git archive HEAD | cksum
git clone -q . ../copy; git -C ../copy rev-parse HEAD; git rebase -q HEAD~2 2>&1 | tail -n 2; git stash list; git bisect start HEAD HEAD~6 | head -n 1
"""

GIT_TIMES = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000", "GIT_CONFIG_NOSYSTEM": "1"}
GIT_IGNORE = {name: "times and inode numbers of files" for name in ("r/.git/index", "copy/.git/index")}

HG = """
export HGUSER=made HGPLAIN=1; hg init r; cd r
i=0; while [ $i -lt 3 ]; do head -n $((i * 40 + 5)) ../words.txt >f; hg commit -q -A -d '1700000000 0' -m "change $i"; i=$((i + 1)); done
hg log -p | cksum; hg annotate f | tail -n 2; hg verify -q; hg id
"""

SVN = """
svnadmin create r; svn -q checkout "file://$PWD/r" w; cp words.txt w/; svn -q add w/words.txt; svn -q commit -m one w; echo more >>w/words.txt; svn diff w | tail -n 4
svn -q commit -m two w; svn -q update w; svn cat -r 1 w/words.txt | cksum; svnadmin verify -q r; svnlook tree r; rm -rf r w
"""

GDB = """set pagination off
set confirm off
set debuginfod enabled off
set width 0
set print frame-arguments none
set startup-with-shell off
break step_3
run
bt
print *n
ptype struct node
continue
info breakpoints
delete
continue
info line main
"""

GO = """package main
import ("fmt"; "sort"; "strings"; "sync")
func main() { var w sync.WaitGroup; out := make([]string, 50)
 for i := range out { w.Add(1); go func(i int) { defer w.Done(); out[i] = strings.Repeat(fmt.Sprint(i), i%7) }(i) }
 w.Wait(); sort.Strings(out); fmt.Println(strings.Join(out, ",")) }
"""

STRESS = "stress-ng --quiet --seed 1 --malloc 2 --malloc-ops 4000 --malloc-bytes 4M --fork 2 --fork-ops 100 --vfork 1 --vfork-ops 50 --pthread 2 --pthread-ops 40 --sigsegv 1 --sigsegv-ops 30 --clone 1 --clone-ops 40 --timeout 20; echo \"status $?\""

STATIC = r"is statically linked, so nothing can be preloaded; use a dynamic build"

PROGRAMS = [
    Program("git", "version control", "git", GIT, sees="git", files={"words.txt": inputs.text}, environment=GIT_TIMES, ignore=GIT_IGNORE, shows="change 11", note="dozens of children; threads in repack", seconds=60),
    Program("mercurial", "version control", "mercurial", HG, sees="hg", files={"words.txt": inputs.text}, environment={"HGRCPATH": "", "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}, ignore={"r/.hg/*": "times of files"},
            note="python with C modules", seconds=60),
    Program("subversion", "version control", "subversion", SVN, sees="svn svnadmin", files={"words.txt": inputs.text}, note="pools of apr; sqlite inside"),
    Program("gdb", "debugger", "gdb gcc", "gdb -nx -q --batch -x run.gdb ./app", sees="gdb app", files={"run.gdb": GDB, "big.c": inputs.c_source}, prepare="gcc -g -O0 -o app big.c", shows="step_3",
            normalise=(Normalise("stdout", r"\(process \d+\)", "", "the process id"),),
            note="python and guile inside; the recorded program is debugged"),
    Program("strace", "debugger", "strace", "strace -qq -f -e trace=execve -o trace.txt sh -c 'ls words.txt | cat'; grep -c 'execve(' trace.txt", sees="strace ls cat", files={"words.txt": "x\n"}, ignore={"trace.txt": "process ids and addresses"},
            note="what is recorded is traced as well"),
    Program("valgrind", "debugger", "valgrind gcc", "valgrind -q --error-exitcode=9 ./app", sees="valgrind.bin", files={"big.c": lambda: inputs.c_source(12)}, prepare="gcc -g -O0 -o app big.c",
            says=r"nothing can be preloaded into them", note="valgrind itself is static and takes malloc's place in what it runs", seconds=60),
    Program("stress-ng", "many threads", "stress-ng", STRESS, sees="stress-ng", shows="status 0", note="malloc, fork, vfork, clone, threads and SIGSEGV, by turns", seconds=60),
    Program("go-build", "compiler", "golang-go", "go build -o app app.go; ./app", sees="go", files={"app.go": GO}, environment={"GOFLAGS": "-mod=mod -p=2", "GO111MODULE": "off", "CGO_ENABLED": "0"},
            says="nothing can be preloaded into them", note="go is dynamic; its compiler and what it makes are static", seconds=120),
    # ---- refused, before anything is started ------------------------------------------------------------------
    Program("busybox", "cannot be recorded", "busybox-static", ("busybox", "sort", "words.txt"), files={"words.txt": inputs.text}, refused=STATIC, note="static"),
    Program("gcc-static", "cannot be recorded", "gcc", ("./app",), files={"big.c": lambda: inputs.c_source(6)}, prepare="gcc -static -o app big.c", refused=STATIC, note="glibc linked in"),
    Program("go-static", "cannot be recorded", "golang-go", ("./app",), files={"app.go": GO}, prepare="CGO_ENABLED=0 GO111MODULE=off go build -o app app.go", refused=STATIC, note="Go calls no malloc", seconds=120),
    Program("musl", "cannot be recorded", "musl-tools gcc", ("./app",), files={"big.c": lambda: inputs.c_source(6)}, prepare="musl-gcc -o app big.c", refused=r"uses the loader .*musl.* and not glibc's", note="another C library"),
    Program("su", "cannot be recorded", "util-linux", ("su", "--version"), refused=r"is setuid, so the loader ignores preloaded libraries", note="setuid"),
]
