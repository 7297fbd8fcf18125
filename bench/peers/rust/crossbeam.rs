// SPDX-License-Identifier: MIT

// Crossbeam's bounded channel between threads; where there is one worker, there is no peer in it.
mod bench;

use bench::{batches, main_of, not_here, param, param_upto};
use crossbeam_channel::{bounded, Receiver, Sender};

fn produce(ch: Sender<i64>, each: i64) {
    for i in 0..each {
        ch.send(i).expect("closed");
    }
}

fn consume(ch: Receiver<i64>, each: i64, alone: bool) {
    for i in 0..each {
        let message = ch.recv().expect("closed");
        assert!(!alone || message == i, "a message is out of order");
    }
}

fn bench_chan() {
    if param_upto("workers", 1, 2) == 1 {
        not_here();
    }
    let pairs = param("pairs", 1);
    let capacity = param("capacity", 128) as usize;
    batches(1_000_000, |ops| {
        let (sender, receiver) = bounded(capacity);
        std::thread::scope(|s| {
            for _ in 0..pairs {
                let (sender, receiver) = (sender.clone(), receiver.clone());
                s.spawn(move || consume(receiver, ops / pairs, pairs == 1));
                s.spawn(move || produce(sender, ops / pairs));
            }
        });
    });
}

fn main() {
    main_of("crossbeam", &[("chan", bench_chan)]);
}
