// SPDX-License-Identifier: MIT

// What Rayon can do of it: fork/join, and jobs for a pool from outside it. Its jobs cannot wait
// without holding their thread.
mod bench;

use bench::{batches, main_of, not_here, param, param_text};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::os::raw::c_long;

const WIDTH: i64 = 10;

fn pool(workers: i64) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(workers as usize).build().expect("pool")
}

fn make_global_pool() {
    let workers = param("workers", 1) as usize;
    ThreadPoolBuilder::new().num_threads(workers).build_global().expect("pool");
}

fn bench_spawn() {
    if param_text("how", "close") != "close" {
        not_here();
    }
    let one = pool(1);
    batches(500_000, |ops| {
        one.install(|| {
            for _ in 0..ops {
                rayon::scope(|s| s.spawn(|_| {}));
            }
        });
    });
}

fn bench_million() {
    let pool = pool(param("workers", 1));
    batches(1_000_000, |ops| {
        pool.scope(|s| {
            for _ in 0..ops {
                s.spawn(|_| {});
            }
        });
    });
}

fn fib(n: i64) -> i64 {
    if n < 2 {
        return n;
    }
    let (a, b) = rayon::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// A join from outside moves into the global pool, and all others follow it there.
extern "C" fn fib_in_pool(n: c_long) -> c_long {
    fib(n as i64) as c_long
}

fn bench_fork() {
    param_text("form", "typed");
    make_global_pool();
    bench::fib(fib_in_pool);
}

/// The sum over `count` neighbouring nodes of `leaves` each, split in halves by join().
fn sum_of(first: i64, leaves: i64, count: i64) -> i64 {
    if count == 1 {
        return if leaves == 1 { first } else { sum_of(first, leaves / WIDTH, WIDTH) };
    }
    let half = count / 2;
    let (a, b) = rayon::join(
        || sum_of(first, leaves, half),
        || sum_of(first + half * leaves, leaves, count - half),
    );
    a + b
}

extern "C" fn sum_in_pool(leaves: c_long) -> c_long {
    sum_of(0, leaves as i64, 1) as c_long
}

fn bench_skynet_fork() {
    make_global_pool();
    bench::sum_of_leaves(sum_in_pool);
}

fn bench_executor() {
    if param_text("tier", "threads") != "threads" {
        not_here();
    }
    let in_flight = param("in_flight", 1);
    let one = pool(1);
    if in_flight == 1 {
        batches(5_000, |ops| {
            for i in 0..ops {
                assert_eq!(one.install(|| i), i, "the wrong result");
            }
        });
        return;
    }
    let inputs: Vec<i64> = (0..in_flight).collect();
    let mut results = vec![0; in_flight as usize];
    batches(128_000, |ops| {
        for _ in (0..ops).step_by(in_flight as usize) {
            one.install(|| {
                let each_alone = inputs.par_iter().with_max_len(1);
                each_alone.map(|&i| i + 1).collect_into_vec(&mut results);
            });
        }
        assert_eq!(results.last(), Some(&in_flight), "the wrong result");
    });
}

fn main() {
    main_of(
        "rayon",
        &[
            ("spawn", bench_spawn),
            ("million", bench_million),
            ("fork", bench_fork),
            ("skynet-fork", bench_skynet_fork),
            ("executor", bench_executor),
        ],
    );
}
