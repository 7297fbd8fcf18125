/* SPDX-License-Identifier: MIT */
/* ctx_aarch64.S - the first frame of a fiber, for AAPCS64.
 *
 * x0 holds pass, x19 entry, x29 0. The entry function is jumped to, with a return address that it
 * must not use: a call would leave an entry on the processor's list of return addresses that no
 * return takes off. An undefined return address is how DWARF says "outermost". Unwinders look up
 * the byte before a return address, hence the nop before that address: it belongs to this frame,
 * not to the function before. */

#if defined(__aarch64__)

        .text
        .p2align 4
        .globl  rvi_ctx_first_frame
        .hidden rvi_ctx_first_frame
        .type   rvi_ctx_first_frame, %function
        .globl  rvi_ctx_start
        .hidden rvi_ctx_start
rvi_ctx_first_frame:
        .cfi_startproc
        .cfi_undefined x30
        nop
1:      brk     1
rvi_ctx_start:
        hint    36                      /* bti j */
        adr     x30, 1b
        mov     x16, x19
        br      x16
        .cfi_endproc
        .size   rvi_ctx_first_frame, . - rvi_ctx_first_frame

/* This object keeps to branch target identification (bit 0): without the mark the linker would turn
 * it off for the whole program. */
        .section .note.gnu.property, "a", %note
        .p2align 3
        .word   4
        .word   16
        .word   5
        .asciz  "GNU"
        .word   0xc0000000
        .word   4
        .word   1
        .word   0

#endif

        .section .note.GNU-stack, "", %progbits
