/* SPDX-License-Identifier: MIT */
/* ctx_x86_64.S - the stack switch for the System V ABI of x86-64.
 *
 * The continuation is reached by ret. The processor predicts a ret from its own list of calls, which
 * belongs to the stack that was left; but nearly all switches of a scheduler have the same call
 * site and the same callers, so that the list is right. Rejected: pop and an indirect jump. It is
 * faster between two bare fibers (3.4 ns against 8.8 with unlike call sites), but leaves the list
 * one entry too long, and then every frame that returns after the switch is mispredicted: a yield
 * through the scheduler took twice as long.
 *
 * The two stacks have the same layout, so the unwind rules hold across the exchange of rsp: before
 * it they describe the stack that is left, after it the one that is entered.
 *
 * No .note.gnu.property: without it the linker drops the shadow stack mark from whatever contains
 * this file, and the loader leaves shadow stacks off, which do not know of other stacks. */

#if defined(__x86_64__)

        .text
        .p2align 6
        .globl  rvi_ctx_switch
        .hidden rvi_ctx_switch
        .type   rvi_ctx_switch, @function

        /* rdi: void **save_sp, rsi: void *to_sp, rdx: void *pass */
rvi_ctx_switch:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        movq    %rdx, %rax
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        ret
        .cfi_endproc
        .size   rvi_ctx_switch, . - rvi_ctx_switch

/* The first frame of a fiber: rax holds pass, rbx entry, rbp 0. An undefined return address is how
 * DWARF says "outermost". Unwinders look up the byte before a return address, hence the nop: it
 * makes the address of a fiber that has not run yet belong to this frame, not to the function
 * before. */
        .p2align 4
        .globl  rvi_ctx_first_frame
        .hidden rvi_ctx_first_frame
        .type   rvi_ctx_first_frame, @function
        .globl  rvi_ctx_start
        .hidden rvi_ctx_start
rvi_ctx_first_frame:
        .cfi_startproc
        .cfi_undefined %rip
        nop
rvi_ctx_start:
        movq    %rax, %rdi
        callq   *%rbx
        ud2
        .cfi_endproc
        .size   rvi_ctx_first_frame, . - rvi_ctx_first_frame

#endif

        .section .note.GNU-stack, "", @progbits
