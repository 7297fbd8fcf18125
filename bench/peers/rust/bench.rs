// SPDX-License-Identifier: MIT

// bench.h seen from Rust: the peers here use the C code for parameters, clock and lines of JSON, so
// that a figure is made in one way whoever is measured. Only the main thread calls these.
#![allow(dead_code)] // no peer uses all of them

use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_long, c_void};

pub type Compute = extern "C" fn(c_long) -> c_long;
type Run = unsafe extern "C" fn(*mut c_void, c_long);

#[repr(C)]
pub struct Memory {
    pub resident_bytes: c_long,
    pub page_table_bytes: c_long,
    pub mappings: c_long,
}

extern "C" {
    fn bench_begin(bench: *const c_char, who: *const c_char, argc: c_int, argv: *mut *mut c_char);
    fn bench_param_upto(key: *const c_char, fallback: c_long, most: c_long) -> c_long;
    fn bench_param_text(key: *const c_char, fallback: *const c_char) -> *const c_char;
    fn bench_now() -> i64;
    fn bench_cpu() -> i64;
    fn bench_percentile(values: *mut f64, n: usize, percent: f64) -> f64;
    fn bench_batches(run: Run, arg: *mut c_void, ops: c_long);
    fn bench_fib(fib: Compute);
    fn bench_sum_of_leaves(sum: Compute);
    fn bench_result(part: *const c_char, value: f64, unit: *const c_char);
    fn bench_memory_now() -> Memory;
}

/// A string that C keeps: it is never freed, and a process has few.
fn keep(text: &str) -> *mut c_char {
    CString::new(text).expect("an argument with a zero byte").into_raw()
}

/// Find what the first argument names, tell bench.h, and run it.
pub fn main_of(who: &str, benches: &[(&str, fn())]) {
    let args: Vec<String> = std::env::args().collect();
    let name = args.get(1).map_or("", |s| s.as_str());
    let Some((_, run)) = benches.iter().find(|(bench, _)| *bench == name) else { not_here() };
    let argv: Vec<*mut c_char> = args[1..].iter().map(|arg| keep(arg)).collect();
    let count = argv.len() as c_int;
    unsafe { bench_begin(keep(name), keep(who), count, argv.leak().as_mut_ptr()) };
    run();
}

pub fn not_here() -> ! {
    std::process::exit(77)
}

pub fn param(key: &str, fallback: i64) -> i64 {
    param_upto(key, fallback, i32::MAX as i64)
}

pub fn param_upto(key: &str, fallback: i64, most: i64) -> i64 {
    unsafe { bench_param_upto(keep(key), fallback as c_long, most as c_long) as i64 }
}

pub fn param_text(key: &str, fallback: &str) -> String {
    let text = unsafe { CStr::from_ptr(bench_param_text(keep(key), keep(fallback))) };
    text.to_str().expect("an argument that is not UTF-8").to_owned()
}

pub fn now() -> i64 {
    unsafe { bench_now() }
}

pub fn cpu() -> i64 {
    unsafe { bench_cpu() }
}

pub fn memory_now() -> Memory {
    unsafe { bench_memory_now() }
}

pub fn percentile(values: &mut [f64], percent: f64) -> f64 {
    unsafe { bench_percentile(values.as_mut_ptr(), values.len(), percent) }
}

/// Call run(ops) several times and print the median of nanoseconds for one operation.
pub fn batches<F: FnMut(i64)>(ops: i64, mut run: F) {
    unsafe extern "C" fn call<F: FnMut(i64)>(arg: *mut c_void, ops: c_long) {
        (*arg.cast::<F>())(ops as i64)
    }
    let arg = std::ptr::addr_of_mut!(run).cast();
    unsafe { bench_batches(call::<F>, arg, ops as c_long) }
}

/// Measure fib(n), which `compute` forks to its leaves.
pub fn fib(compute: Compute) {
    unsafe { bench_fib(compute) }
}

/// Measure the sum over the leaves of a tree.
pub fn sum_of_leaves(compute: Compute) {
    unsafe { bench_sum_of_leaves(compute) }
}

/// Print one figure; an empty part adds nothing to the name.
pub fn result(part: &str, value: f64, unit: &str) {
    let part = if part.is_empty() { std::ptr::null_mut() } else { keep(part) };
    unsafe { bench_result(part, value, keep(unit)) }
}
