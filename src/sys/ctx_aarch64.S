/* SPDX-License-Identifier: MIT */
/* ctx_aarch64.S - the stack switch for AAPCS64.
 *
 * Saves x19 to x28, the frame pointer x29, the link register x30 and the low halves of v8 to v15
 * (d8 to d15): all that a call preserves. x18 is the platform's and left alone.
 *
 * The continuation is reached by ret, not br: a return site is no landing pad, and with branch
 * target identification an indirect br to it would fault.
 *
 * The two stacks have the same layout, so the unwind rules hold across the exchange of sp: before
 * it they describe the stack that is left, after it the one that is entered. */

#if defined(__aarch64__)

#define FRAME_BYTES 160

        .text
        .p2align 6
        .globl  rvi_ctx_switch
        .hidden rvi_ctx_switch
        .type   rvi_ctx_switch, %function

        /* x0: void **save_sp, x1: void *to_sp, x2: void *pass */
rvi_ctx_switch:
        .cfi_startproc
        hint    34                      /* bti c */
        sub     sp, sp, FRAME_BYTES
        .cfi_adjust_cfa_offset FRAME_BYTES
        stp     x19, x20, [sp, 0]
        .cfi_rel_offset x19, 0
        .cfi_rel_offset x20, 8
        stp     x21, x22, [sp, 16]
        .cfi_rel_offset x21, 16
        .cfi_rel_offset x22, 24
        stp     x23, x24, [sp, 32]
        .cfi_rel_offset x23, 32
        .cfi_rel_offset x24, 40
        stp     x25, x26, [sp, 48]
        .cfi_rel_offset x25, 48
        .cfi_rel_offset x26, 56
        stp     x27, x28, [sp, 64]
        .cfi_rel_offset x27, 64
        .cfi_rel_offset x28, 72
        stp     x29, x30, [sp, 80]
        .cfi_rel_offset x29, 80
        .cfi_rel_offset x30, 88
        stp     d8, d9, [sp, 96]
        .cfi_rel_offset d8, 96
        .cfi_rel_offset d9, 104
        stp     d10, d11, [sp, 112]
        .cfi_rel_offset d10, 112
        .cfi_rel_offset d11, 120
        stp     d12, d13, [sp, 128]
        .cfi_rel_offset d12, 128
        .cfi_rel_offset d13, 136
        stp     d14, d15, [sp, 144]
        .cfi_rel_offset d14, 144
        .cfi_rel_offset d15, 152
        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1
        mov     x0, x2
        ldp     x29, x30, [sp, 80]
        ldp     x19, x20, [sp, 0]
        ldp     x21, x22, [sp, 16]
        ldp     x23, x24, [sp, 32]
        ldp     x25, x26, [sp, 48]
        ldp     x27, x28, [sp, 64]
        ldp     d8, d9, [sp, 96]
        ldp     d10, d11, [sp, 112]
        ldp     d12, d13, [sp, 128]
        ldp     d14, d15, [sp, 144]
        add     sp, sp, FRAME_BYTES
        .cfi_adjust_cfa_offset -FRAME_BYTES
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        ret
        .cfi_endproc
        .size   rvi_ctx_switch, . - rvi_ctx_switch

/* The first frame of a fiber: x0 holds pass, x19 entry, x29 0. An undefined return address is how
 * DWARF says "outermost". Unwinders look up the byte before a return address, hence the nop: it
 * makes the address of a fiber that has not run yet belong to this frame, not to the function
 * before. */
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
rvi_ctx_start:
        blr     x19
        brk     1
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
