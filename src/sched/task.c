/* SPDX-License-Identifier: MIT */
#include "sched/task.h"

#include "base/check.h"
#include "sched/sched.h"
#include "sched/spawn.h"
#include "sched/worker.h"
#include "sys/fence.h"

void rvi_task_call_attention(struct rvi_worker *w)
{
    if (rvi_deque_count(&w->fresh) > 1 || rvi_seam) /* simulated: as if the monitor had come */
        rvi_sched_wake_one(w->sched);
    else
        rvi_monitor_call(w->sched);
    rvi_point(RVI_POINT_SPAWN);
}

struct rvi_worker *rvi_task_home(struct rvi_task *task)
{
    rvi_fence_seq_cst();                  /* after the token was set; pairs: task-home */
    return rvi_load_seq_cst(&task->home); /* pairs: task-home */
}

void rvi_task_poke(struct rvi_task *task)
{
    uint8_t none = RVI_POKE_NONE;
    struct rvi_worker *home = rvi_task_home(task);

    if (home && rvi_cas_acq_rel(&task->poke, &none, RVI_POKE_SENT)) /* pairs: task-poke */
        rvi_worker_send(home, &task->poke_msg);
}

static void deliver_end(struct rvi_msg *msg, void *receiver)
{
    struct rvi_task *task = rvi_container_of(msg, struct rvi_task, msg);

    RV_DCHECK(receiver == task->birth);
    (void)receiver;
    task->ended(task);
}

static void go_home(struct rvi_task *task)
{
    if (task->birth == rvi_worker_self()) {
        task->ended(task);
        return;
    }
    task->msg.deliver = deliver_end;
    rvi_worker_send(task->birth, &task->msg);
}

void rvi_task_retire(struct rvi_task *task)
{
    if (rvi_exchange_acq_rel(&task->poke, RVI_POKE_CLOSED) != RVI_POKE_SENT) /* pairs: task-poke */
        go_home(task);
}

bool rvi_task_poke_is_here(struct rvi_task *task)
{
    struct rvi_worker *home = rvi_load_relaxed(&task->home);

    if (home != rvi_worker_self()) {
        rvi_worker_send(home, &task->poke_msg);
        return false;
    }
    if (rvi_load_relaxed(&task->poke) == RVI_POKE_SENT)
        return true;
    go_home(task); /* closed: it ended while the message was under way */
    return false;
}

void rvi_task_poke_done(struct rvi_task *task)
{
    rvi_store_release(&task->poke, RVI_POKE_ARRIVED); /* pairs: task-poke */
}

const char *rvi_task_name(const struct rvi_task *task)
{
    return task->own_name ? task->own_name : task->site->name;
}
