/* SPDX-License-Identifier: MIT */
/* ctx_x86_64.S - the first frame of a fiber, for the System V ABI of x86-64.
 *
 * The entry function is jumped to with rvi_ctx_start as its return address: not called from here,
 * which would leave an entry on the processor's list of return addresses that no return takes off.
 * An undefined return address is how DWARF says "outermost". Unwinders look up the byte before a
 * return address, hence the nop: it makes rvi_ctx_start belong to this frame, not to the function
 * before.
 *
 * No .note.gnu.property: without it the linker drops the shadow stack mark from whatever contains
 * this file, and the loader leaves shadow stacks off, which do not know of other stacks. */

#if defined(__x86_64__)

        .text
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
        ud2
        .cfi_endproc
        .size   rvi_ctx_first_frame, . - rvi_ctx_first_frame

#endif

        .section .note.GNU-stack, "", @progbits
