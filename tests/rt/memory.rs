//! Compares the memory functions with what they are to do, byte by byte.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

#[cfg(not(feature = "std"))]
mod heap;
#[allow(dead_code, unused_imports)]
#[path = "../../src/rt/mod.rs"]
mod rt;

use core::ffi::{c_char, c_int};
use core::hint::black_box;

#[cfg(feature = "std")]
fn main() -> std::process::ExitCode {
    run(rt::args()).into()
}

unsafe extern "C" {
    fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8;
    fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8;
    fn memset(to: *mut u8, byte: c_int, count: usize) -> *mut u8;
    fn memcmp(left: *const u8, right: *const u8, count: usize) -> c_int;
    fn bcmp(left: *const u8, right: *const u8, count: usize) -> c_int;
    fn strlen(string: *const c_char) -> usize;
}

type Copy = unsafe extern "C" fn(*mut u8, *const u8, usize) -> *mut u8;
type Compare = unsafe extern "C" fn(*const u8, *const u8, usize) -> c_int;

const LONGEST: usize = 300;
const ALIGNMENTS: usize = 16;
/// Room for two of the longest, aligned anyhow, with a margin on either side.
const SIZE: usize = 2 * (LONGEST + 3 * ALIGNMENTS);
type Arena = [u8; SIZE];

static ARENA: rt::Singleton<Arena> = rt::Singleton::new([0; SIZE]);

fn run(_: rt::Args) -> u8 {
    let arena = ARENA.take().expect("the first to ask");
    assert!(ARENA.take().is_none(), "given away twice");

    // `black_box`, or the compiler would act on what it knows of these names.
    moves(arena, black_box(memmove));
    copies(arena, black_box(memcpy));
    sets(arena);
    compares(arena, black_box(memcmp), true);
    compares(arena, black_box(bcmp), false);
    measures(arena);
    0
}

/// The byte that an untouched arena has at `index`: no two neighbourhoods alike.
fn original(index: usize) -> u8 {
    (index * 37 % 251) as u8
}

fn reset(arena: &mut Arena) {
    for (index, byte) in arena.iter_mut().enumerate() {
        *byte = original(index);
    }
}

fn moves(arena: &mut Arena, memmove: Copy) {
    // The source starts in the middle, the destination up to 40 bytes either side.
    let from = SIZE / 2 - LONGEST / 2;
    for count in 0..=LONGEST {
        for to in from - 40..=from + 40 {
            copy(arena, memmove, to, from, count);
        }
    }
}

fn copies(arena: &mut Arena, memcpy: Copy) {
    for count in 0..=LONGEST {
        for to in ALIGNMENTS..2 * ALIGNMENTS {
            for from in SIZE / 2..SIZE / 2 + ALIGNMENTS {
                copy(arena, memcpy, to, from, count);
                copy(arena, memcpy, from, to, count);
            }
        }
    }
}

fn copy(arena: &mut Arena, function: Copy, to: usize, from: usize, count: usize) {
    reset(arena);
    assert!(to.max(from) + count <= SIZE);
    let start = arena.as_mut_ptr();
    let target = start.wrapping_add(to);
    // SAFETY: both are the start of `count` bytes of the arena.
    let result = unsafe { function(target, start.wrapping_add(from), count) };
    assert_eq!(
        result, target,
        "{count} bytes from {from} to {to}: the result"
    );
    for (index, &byte) in arena.iter().enumerate() {
        let copied = (to..to + count).contains(&index);
        let expected = original(if copied { index - to + from } else { index });
        assert_eq!(
            byte, expected,
            "{count} bytes from {from} to {to}: at {index}"
        );
    }
}

fn sets(arena: &mut Arena) {
    let memset = black_box(memset as unsafe extern "C" fn(*mut u8, c_int, usize) -> *mut u8);
    for count in 0..=LONGEST {
        for to in ALIGNMENTS..2 * ALIGNMENTS {
            reset(arena);
            let target = arena[to..][..count].as_mut_ptr();
            // SAFETY: `count` bytes of the arena. Only the low byte of the value counts.
            let result = unsafe { memset(target, 0x5fe, count) };
            assert_eq!(result, target, "{count} bytes at {to}: the result");
            for (index, &byte) in arena.iter().enumerate() {
                let set = (to..to + count).contains(&index);
                let expected = if set { 0xfe } else { original(index) };
                assert_eq!(byte, expected, "{count} bytes at {to}: at {index}");
            }
        }
    }
}

fn compares(arena: &mut Arena, function: Compare, ordered: bool) {
    let compare = |left: &[u8], right: &[u8], count: usize| {
        assert!(count <= left.len().min(right.len()));
        // SAFETY: each is at least `count` bytes long.
        unsafe { function(left.as_ptr(), right.as_ptr(), count) }
    };
    let (left, right) = arena.split_at_mut(SIZE / 2);
    for start in 0..ALIGNMENTS {
        for count in 0..=LONGEST {
            // The byte that no longer counts differs.
            let left = &mut left[start..][..=count];
            let right = &mut right[ALIGNMENTS - start..][..=count];
            left.fill(5);
            right.fill(5);
            left[count] = 6;
            assert_eq!(compare(left, right, count), 0, "{count} equal bytes");
            for place in 0..count {
                // The first difference decides, and bytes have no sign.
                left[place] = 0x7f;
                right[place] = 0x80;
                left[place + 1] = 6;
                let (less, more) = (compare(left, right, count), compare(right, left, count));
                let right_order = less < 0 && more > 0;
                let difference = less != 0 && more != 0;
                assert!(
                    if ordered { right_order } else { difference },
                    "{count} bytes, different at {place}: {less}, {more}"
                );
                left[place] = 5;
                right[place] = 5;
                left[place + 1] = if place + 1 == count { 6 } else { 5 };
            }
        }
    }
}

fn measures(arena: &mut Arena) {
    let strlen = black_box(strlen as unsafe extern "C" fn(*const c_char) -> usize);
    for start in 0..ALIGNMENTS {
        for count in 0..=LONGEST {
            arena.fill(0x80);
            let string = &mut arena[start..][..=count];
            string[count] = 0;
            // SAFETY: the string ends with a zero, within the arena.
            let length = unsafe { strlen(string.as_ptr().cast()) };
            assert_eq!(length, count);
        }
    }
}
