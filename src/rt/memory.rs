//! The memory functions that compiled code calls without being asked, and the
//! `strlen` of `CStr::from_ptr`.
//!
//! They are assembly because the optimiser knows these loops: in Rust it would
//! turn the body of `memcpy` into a call to `memcpy`.

use core::arch::global_asm;

// `memcpy` is `memmove`: one comparison more, one function less.
#[cfg(target_arch = "x86_64")]
global_asm!(
    r"
    .globl memcpy, memmove, memset, memcmp, bcmp, strlen

memcpy:
memmove:
    mov   rax, rdi                // the result
    mov   rcx, rdx
    mov   r8, rdi
    sub   r8, rsi
    cmp   r8, rdx                 // does the destination begin within the source?
    jb    2f
    rep   movsb
    ret
2:
    lea   rdi, [rdi + rcx - 1]    // then from the last byte to the first
    lea   rsi, [rsi + rcx - 1]
    std
    rep   movsb
    cld                           // as the ABI has it between functions
    ret

memset:
    mov   r8, rdi
    mov   eax, esi
    mov   rcx, rdx
    rep   stosb
    mov   rax, r8
    ret

memcmp:
bcmp:
    xor   eax, eax
    xor   ecx, ecx
2:
    cmp   rcx, rdx
    je    3f
    movzx eax, byte ptr [rdi + rcx]
    movzx r8d, byte ptr [rsi + rcx]
    inc   rcx
    sub   eax, r8d                // the difference, and whether to go on
    je    2b
3:
    ret

strlen:
    mov   rax, -1
2:
    inc   rax
    cmp   byte ptr [rdi + rax], 0
    jne   2b
    ret
"
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    r"
    .globl memcpy, memmove, memset, memcmp, bcmp, strlen

memcpy:
memmove:
    mov   x3, x0                  // x0 stays, as the result
    sub   x4, x0, x1
    cmp   x4, x2                  // does the destination begin within the source?
    b.lo  4f
2:
    cmp   x2, #16
    b.lo  3f
    ldp   x4, x5, [x1], #16
    stp   x4, x5, [x3], #16
    sub   x2, x2, #16
    b     2b
3:
    cbz   x2, 7f
    ldrb  w4, [x1], #1
    strb  w4, [x3], #1
    sub   x2, x2, #1
    b     3b
4:
    add   x1, x1, x2              // then from the last byte to the first
    add   x3, x3, x2
5:
    cmp   x2, #16
    b.lo  6f
    ldp   x4, x5, [x1, #-16]!
    stp   x4, x5, [x3, #-16]!
    sub   x2, x2, #16
    b     5b
6:
    cbz   x2, 7f
    ldrb  w4, [x1, #-1]!
    strb  w4, [x3, #-1]!
    sub   x2, x2, #1
    b     6b
7:
    ret

memset:
    mov   x3, x0                  // x0 stays, as the result
    and   x1, x1, #0xff
    mov   x4, #0x0101010101010101
    mul   x1, x1, x4              // the byte, eight times
2:
    cmp   x2, #16
    b.lo  3f
    stp   x1, x1, [x3], #16
    sub   x2, x2, #16
    b     2b
3:
    cbz   x2, 4f
    strb  w1, [x3], #1
    sub   x2, x2, #1
    b     3b
4:
    ret

memcmp:
bcmp:
    mov   w5, wzr                 // no difference yet
2:
    cbz   x2, 3f
    ldrb  w3, [x0], #1
    ldrb  w4, [x1], #1
    sub   x2, x2, #1
    subs  w5, w3, w4
    b.eq  2b
3:
    mov   w0, w5
    ret

strlen:
    mov   x1, x0
2:
    ldrb  w2, [x1], #1
    cbnz  w2, 2b
    sub   x0, x1, x0
    sub   x0, x0, #1              // less the zero itself
    ret
"
);
