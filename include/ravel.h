/* SPDX-License-Identifier: MIT */
/* ravel.h - everything Ravel offers: include this one, or only the concepts that you use. */
#pragma once

#include <ravel/addr.h>
#include <ravel/barrier.h>
#include <ravel/blocking.h>
#include <ravel/chan.h>
#include <ravel/child.h>
#include <ravel/def.h>
#include <ravel/executor.h>
#include <ravel/file.h>
#include <ravel/foreground.h>
#include <ravel/fork.h>
#include <ravel/future.h>
#include <ravel/inspect.h>
#include <ravel/io.h>
#include <ravel/job.h>
#include <ravel/latch.h>
#include <ravel/local.h>
#include <ravel/net.h>
#include <ravel/once.h>
#include <ravel/print.h>
#include <ravel/queue.h>
#include <ravel/resolve.h>
#include <ravel/run.h>
#include <ravel/rwlock.h>
#include <ravel/scope.h>
#include <ravel/select.h>
#include <ravel/signal.h>
#include <ravel/sim.h>
#include <ravel/strand.h>
#include <ravel/stream.h>
#include <ravel/sync.h>
#include <ravel/task.h>
#include <ravel/ticker.h>
#include <ravel/time.h>
#include <ravel/tls.h>
