// SPDX-License-Identifier: MIT

// The same things with Tokio: workers=1 is its current-thread scheduler, workers=2 its
// multi-threaded one, where who runs where is the scheduler's own choice. Its tasks are state
// machines without a stack. Its channel has no rendezvous and one consumer: two consumers share the
// receiving end under Tokio's own lock, as its manual advises.
mod bench;

use bench::{batches, main_of, not_here, now, param, param_text, percentile, result};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, Mutex, Notify};
use tokio::task::yield_now;

fn runtime(workers: i64) -> Runtime {
    let mut builder = if workers == 1 {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    let workers = workers as usize;
    builder.worker_threads(workers).max_blocking_threads(1).enable_time().build().expect("runtime")
}

/// Run to its end on a worker: block_on() alone would drive it from outside the workers.
fn run_on<F: Future<Output = ()> + Send + 'static>(rt: &Runtime, main: F) {
    rt.block_on(async { tokio::spawn(main).await.expect("a task panicked") });
}

async fn join_all<T>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await.expect("a task panicked"));
    }
    results
}

fn bench_yield() {
    let tasks = param("tasks", 2);
    let rt = runtime(1);
    batches(500_000, |ops| {
        let yields = move || async move {
            for _ in 0..ops / tasks {
                yield_now().await;
            }
        };
        run_on(&rt, async move {
            join_all((0..tasks).map(|_| tokio::spawn(yields())).collect()).await;
        });
    });
}

async fn spawn_and_join(ops: i64) {
    for _ in 0..ops {
        tokio::spawn(async {}).await.expect("a task panicked");
    }
}

async fn spawn_and_yield(ops: i64) {
    for _ in 0..ops {
        tokio::spawn(async {});
        yield_now().await;
    }
}

fn bench_spawn() {
    let yields = param_text("how", "close") == "yield";
    let rt = runtime(1);
    batches(500_000, |ops| {
        if yields {
            run_on(&rt, spawn_and_yield(ops))
        } else {
            run_on(&rt, spawn_and_join(ops))
        }
    });
}

fn bench_million() {
    let rt = runtime(param("workers", 1));
    batches(1_000_000, |ops| {
        run_on(&rt, async move {
            join_all((0..ops).map(|_| tokio::spawn(async {})).collect()).await;
        });
    });
}

async fn pingpong(capacity: usize, ops: i64) {
    let (ping, mut pinged) = mpsc::channel(capacity);
    let (pong, mut ponged) = mpsc::channel(capacity);
    let other = tokio::spawn(async move {
        for _ in 0..ops {
            let ball: i64 = pinged.recv().await.expect("closed");
            pong.send(ball).await.expect("closed");
        }
    });
    for i in 0..ops {
        ping.send(i).await.expect("closed");
        assert_eq!(ponged.recv().await, Some(i), "the wrong ball came back");
    }
    other.await.expect("a task panicked");
}

fn bench_pingpong() {
    let capacity = param("capacity", 1) as usize;
    if capacity == 0 {
        not_here();
    }
    let rt = runtime(1);
    batches(200_000, |ops| run_on(&rt, pingpong(capacity, ops)));
}

async fn produce(ch: mpsc::Sender<i64>, each: i64) {
    for i in 0..each {
        ch.send(i).await.expect("closed");
    }
}

async fn consume(mut ch: mpsc::Receiver<i64>, each: i64) {
    for i in 0..each {
        assert_eq!(ch.recv().await, Some(i), "a message is out of order");
    }
}

async fn consume_shared(ch: Arc<Mutex<mpsc::Receiver<i64>>>, each: i64) {
    for _ in 0..each {
        ch.lock().await.recv().await.expect("closed");
    }
}

async fn flow(pairs: i64, capacity: usize, each: i64) {
    let (sender, receiver) = mpsc::channel(capacity);
    let mut all = Vec::new();
    for _ in 0..pairs {
        all.push(tokio::spawn(produce(sender.clone(), each)));
    }
    if pairs == 1 {
        all.push(tokio::spawn(consume(receiver, each)));
    } else {
        let shared = Arc::new(Mutex::new(receiver));
        all.extend((0..pairs).map(|_| tokio::spawn(consume_shared(shared.clone(), each))));
    }
    join_all(all).await;
}

fn bench_chan() {
    let rt = runtime(param("workers", 1));
    let pairs = param("pairs", 1);
    let capacity = param("capacity", 128) as usize;
    batches(500_000, |ops| run_on(&rt, flow(pairs, capacity, ops / pairs)));
}

/// A job is a task, its future the handle.
async fn jobs(in_flight: i64, ops: i64) {
    let mut started = Vec::with_capacity(in_flight as usize);
    for first in (0..ops).step_by(in_flight as usize) {
        started.extend((first..first + in_flight).map(|i| tokio::spawn(async move { i })));
        for (i, job) in (first..).zip(started.drain(..)) {
            assert_eq!(job.await.expect("a job panicked"), i, "the wrong result");
        }
    }
}

/// A round trip to one thread of the pool for blocking calls.
fn bench_blocking_jobs() {
    let rt = runtime(1);
    batches(5_000, |ops| {
        for i in 0..ops {
            let job = rt.spawn_blocking(move || i);
            assert_eq!(rt.block_on(job).expect("a job panicked"), i, "the wrong result");
        }
    });
}

fn bench_executor() {
    let (tier, in_flight) = (param_text("tier", "threads"), param("in_flight", 1));
    match (tier.as_str(), in_flight) {
        ("threads", 1) => bench_blocking_jobs(),
        ("tasks", 1..) => {
            let rt = runtime(1);
            batches(512_000, |ops| run_on(&rt, jobs(in_flight, ops)));
        }
        _ => not_here(),
    }
}

static WAITING: AtomicI64 = AtomicI64::new(0);

async fn park(gate: Arc<Notify>) {
    let opened = gate.notified();
    WAITING.fetch_add(1, Relaxed);
    opened.await;
}

async fn all_wait(tasks: i64) {
    while WAITING.load(Relaxed) < tasks {
        yield_now().await;
    }
}

async fn parked(tasks: i64) {
    let gate = Arc::new(Notify::new());
    let mut all = Vec::with_capacity(tasks as usize);
    let before = bench::memory_now();
    let begin = now();
    for _ in 0..tasks {
        all.push(tokio::spawn(park(gate.clone())));
    }
    all_wait(tasks).await;
    let ns = now() - begin;
    let after = bench::memory_now();
    let each = |bytes: i64| bytes as f64 / tasks as f64;
    result("resident", each(after.resident_bytes - before.resident_bytes), "bytes");
    result("page tables", each(after.page_table_bytes - before.page_table_bytes), "bytes");
    result("mappings", after.mappings as f64, "");
    result("first creation", each(ns), "ns");
    gate.notify_waiters();
    join_all(all).await;
}

fn bench_parked() {
    let tasks = param("tasks", 1_000_000);
    run_on(&runtime(1), parked(tasks));
}

/// Nanoseconds after `base`, when the first of all sleepers is due.
static FIRST_NS: AtomicI64 = AtomicI64::new(0);

async fn sleeper(gate: Arc<Notify>, base: Instant, after_first: i64) -> f64 {
    let opened = gate.notified();
    WAITING.fetch_add(1, Relaxed);
    opened.await;
    let when = base + Duration::from_nanos((FIRST_NS.load(Relaxed) + after_first) as u64);
    tokio::time::sleep_until(when.into()).await;
    when.elapsed().as_nanos() as f64 / 1000.0
}

async fn sleepers(tasks: i64, lead_ms: i64, spread_ms: i64) {
    let (gate, base) = (Arc::new(Notify::new()), Instant::now());
    let step = spread_ms * 1_000_000 / tasks;
    let spawn = |i| tokio::spawn(sleeper(gate.clone(), base, i * 611953 % tasks * step));
    let all: Vec<_> = (0..tasks).map(spawn).collect();
    all_wait(tasks).await;
    let used = bench::cpu();
    FIRST_NS.store(base.elapsed().as_nanos() as i64 + lead_ms * 1_000_000, Relaxed);
    gate.notify_waiters();
    let mut late = join_all(all).await;
    result("cpu", (bench::cpu() - used) as f64 / tasks as f64, "ns");
    result("late p99", percentile(&mut late, 99.0), "us");
}

fn bench_sleepers() {
    let tasks = param("tasks", 1_000_000);
    let rt = runtime(bench::param_upto("workers", 1, 1));
    let lead_ms = param("lead_ms", 2000);
    run_on(&rt, sleepers(tasks, lead_ms, param("spread_ms", 2000)));
}

async fn lateness(sleeps: i64, us: u64) {
    let mut late = Vec::new();
    for _ in 0..sleeps {
        let when = Instant::now() + Duration::from_micros(us);
        tokio::time::sleep_until(when.into()).await;
        late.push(when.elapsed().as_nanos() as f64 / 1000.0);
    }
    result("p50", percentile(&mut late, 50.0), "us");
    result("p99", percentile(&mut late, 99.0), "us");
}

fn bench_lateness() {
    let sleeps = param("sleeps", 300);
    run_on(&runtime(1), lateness(sleeps, param("us", 3000) as u64));
}

async fn sum_of_children(first: i64, leaves: i64) -> i64 {
    let (up, mut parts) = mpsc::channel(10);
    let share = leaves / 10;
    for i in 0..10 {
        tokio::spawn(node(up.clone(), first + i * share, share));
    }
    let mut sum = 0;
    for _ in 0..10 {
        sum += parts.recv().await.expect("closed");
    }
    sum
}

/// Boxed, because a future cannot contain itself.
fn node(
    up: mpsc::Sender<i64>,
    first: i64,
    leaves: i64,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let sum = if leaves == 1 { first } else { sum_of_children(first, leaves).await };
        up.send(sum).await.expect("closed");
    })
}

async fn skynet(leaves: i64) {
    sum_of_children(0, leaves).await; // warms the allocator
    let begin = now();
    assert_eq!(sum_of_children(0, leaves).await, leaves * (leaves - 1) / 2, "the sum is wrong");
    result("", (now() - begin) as f64 / leaves as f64, "ns");
}

fn bench_skynet() {
    let leaves = param("leaves", 1_000_000);
    run_on(&runtime(param("workers", 1)), skynet(leaves));
}

fn main() {
    main_of(
        "tokio",
        &[
            ("yield", bench_yield),
            ("spawn", bench_spawn),
            ("million", bench_million),
            ("pingpong", bench_pingpong),
            ("chan", bench_chan),
            ("executor", bench_executor),
            ("parked", bench_parked),
            ("sleepers", bench_sleepers),
            ("lateness", bench_lateness),
            ("skynet", bench_skynet),
        ],
    );
}
