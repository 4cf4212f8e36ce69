/*
 * vfork(): the child runs in its parent's memory, thread-local storage included, while the parent
 * stands still. Its allocations must not be recorded as the parent's, so the thread is
 * THREAD_VFORK until the parent goes on. The C library's posix_spawn(), system() and popen() do
 * not come here and allocate nothing in their children.
 *
 * The return address is kept in a register over the call, because the child, which returns first,
 * overwrites the stack word that it lay in.
 */
#include "recorder/preload/state.h"

_Static_assert(THREAD_VFORK == 3, "written below");
_Static_assert(__builtin_offsetof(struct thread_self, ready) == 0, "written below");
_Static_assert(__builtin_offsetof(struct thread_self, state) == 8, "written below");

__asm__(".text\n"
        ".globl vfork\n"
        ".type vfork, @function\n"
        ".p2align 4\n"
        "vfork:\n"
        "    .cfi_startproc\n"
        "    movq self@gottpoff(%rip), %rdx\n"
        "    movq %fs:(%rdx), %r8\n"   /* what was ready */
        "    movl %fs:8(%rdx), %esi\n" /* the state as it was */
        "    movl $3, %fs:8(%rdx)\n"   /* THREAD_VFORK */
        "    movq $0, %fs:(%rdx)\n"
        "    popq %rdi\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    .cfi_register %rip, %rdi\n"
        "    movl $58, %eax\n" /* SYS_vfork */
        "    syscall\n"
        "    pushq %rdi\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    testl %eax, %eax\n"
        "    jz 1f\n" /* the child keeps THREAD_VFORK */
        "    movl %esi, %fs:8(%rdx)\n"
        "    movq %r8, %fs:(%rdx)\n"
        "    js 2f\n"
        "1:  ret\n"
        "2:  negl %eax\n"
        "    pushq %rax\n"
        "    call __errno_location@PLT\n"
        "    popq %rcx\n"
        "    movl %ecx, (%rax)\n"
        "    movl $-1, %eax\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size vfork, .-vfork\n"
        ".globl __vfork\n"
        ".set __vfork, vfork\n");
