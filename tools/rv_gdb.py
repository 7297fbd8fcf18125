# SPDX-License-Identifier: MIT
"""Ravel's tasks in gdb, in a live process and in a core file.

    (gdb) source PREFIX/share/ravel/rv_gdb.py
    (gdb) info rv-tasks                 all tasks of all runtimes
    (gdb) rv-task 17 bt                 the backtrace of one, by its number or its name
    (gdb) rv-task 17 apply CMD          any command in its innermost frame outside the runtime

Needs the debug information of libravel. Tasks are found in the workers' slabs (src/sched/slab.c): a
descriptor is alive when it is in a scope's list, or is the first task. Those of two runtimes can
have the same number: all are shown.

A parked task's context (src/sys/ctx.h) is shown to gdb as the caller of the selected thread's
innermost frame, by an unwinder that is on for the length of a command. No register is written, which
a core file would not allow.
"""

import gdb
import gdb.unwinder

WHERE_MOST = 1000  # tasks whose place is looked up; beyond, the list would take its time

REGISTERS = {  # of struct rvi_ctx, by gdb's names
    "i386:x86-64": {"rip": "pc", "rsp": "sp", "rbp": "fp", "rbx": "base"},
    "aarch64": {"pc": "pc", "sp": "sp", "x29": "fp", "x19": "base"},
}


# ---- finding tasks -------------------------------------------------------------------------------

def words(enum, prefix):
    """{value: "lower case words"} of an enumeration."""
    fields = gdb.lookup_type(f"enum {enum}").fields()
    return {f.enumval: f.name[len(prefix):].lower().replace("_", " ") for f in fields}


def schedulers():
    sched = gdb.parse_and_eval("rvi_scheds")
    while sched:
        yield sched
        sched = sched["next_sched"]


def descriptors(slab):
    """Every descriptor that was ever taken; of the newest chunk only the first part was."""
    chunk, end = slab["chunks"], slab["fresh"]
    kind = gdb.lookup_type("struct rvi_task")
    while chunk:
        first = int(chunk["tasks"][0].address)
        for address in range(first, int(end), int(slab["stride"])):
            yield gdb.Value(address).cast(kind.pointer())
        chunk = chunk["next"]
        if chunk:
            end = chunk["end"]


def tasks():
    """(task, its worker or NULL) of all that are alive."""
    for sched in schedulers():
        for i in range(int(sched["worker_count"])):
            for task in descriptors(sched["workers"][i]["slab"]):
                if task["sibling"]["next"] or task == sched["first_task"]:
                    yield task


def home_of(task):
    """The worker that it lives on, None before it has begun."""
    home = task["home"].cast(gdb.lookup_type("struct rvi_worker").pointer())
    return home if home else None


def name_of(task):
    return (task["own_name"] if task["own_name"] else task["site"]["name"]).string()


def is_running(task):
    home = home_of(task)
    return home is not None and home["here"] and home["here"]["task"] == task


def state_of(task):
    if is_running(task):
        return "running"
    if not home_of(task):
        return "not begun"
    state = words("rvi_task_state", "RVI_TASK_")[int(task["state"])]
    if state.startswith("parked"):
        return words("rvi_why", "RVI_WHY_")[int(task["why"])]
    return state


# ---- its frames ----------------------------------------------------------------------------------

class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class TaskUnwinder(gdb.unwinder.Unwinder):
    """Takes the selected thread's innermost frame for one that the task's context has called."""

    def __init__(self):
        super().__init__("ravel-task")
        self.context = None
        self.level_zero = None
        self.enabled = False

    def __call__(self, pending):
        if self.context is None:
            return None
        registers = REGISTERS.get(pending.architecture().name())
        if registers is None:
            return None
        sp_name = "rsp" if "rsp" in registers else "sp"
        pc_name = "rip" if "rip" in registers else "pc"
        sp = pending.read_register(sp_name)
        if int(sp) != self.level_zero:
            return None
        info = pending.create_unwind_info(FrameId(sp, pending.read_register(pc_name)))
        for register, member in registers.items():
            kind = pending.read_register(register).type
            info.add_saved_register(register, self.context[member].cast(kind))
        return info


UNWINDER = TaskUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


class InTask:
    """While this is entered, frames() are those of the task."""

    def __init__(self, task):
        self.task = task

    def __enter__(self):
        self.thread = gdb.selected_thread()
        self.is_running = is_running(self.task)
        if self.is_running:
            select_thread(int(home_of(self.task)["thread_id"]))
        elif not self.task["ctx"]:
            raise gdb.GdbError("the task has not begun: it has no stack yet")
        else:
            newest = gdb.newest_frame()
            UNWINDER.level_zero = int(newest.read_register("sp"))
            context = gdb.lookup_type("struct rvi_ctx").pointer()
            UNWINDER.context = self.task["ctx"].cast(context).dereference()
            UNWINDER.enabled = True
            gdb.invalidate_cached_frames()
        return self

    def __exit__(self, *_):
        UNWINDER.context = None
        UNWINDER.enabled = False
        gdb.invalidate_cached_frames()
        if self.is_running:
            self.thread.switch()

    def frames(self):
        frame = gdb.newest_frame()
        if not self.is_running:
            frame = frame.older()
        while frame is not None and frame.is_valid():
            yield frame
            frame = frame.older()


def select_thread(lwp):
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == lwp:
            thread.switch()
            return
    raise gdb.GdbError(f"the thread {lwp} that runs the task is not here")


def own_folder():
    """Where the library's sources are: of the file that has the list of schedulers."""
    symbol = gdb.lookup_global_symbol("rvi_scheds") or gdb.lookup_static_symbol("rvi_scheds")
    return symbol.symtab.fullname().rsplit("/", 2)[0]


def is_ours(frame):
    symtab = frame.find_sal().symtab
    function = frame.name() or ""
    ours = function.startswith(("rvi_ctx_", "rvi_stack_")) or function == "fiber_main"
    return ours or symtab is not None and symtab.fullname().startswith(own_folder() + "/")


def place_of(frame):
    sal = frame.find_sal()
    name = frame.name() or f"{frame.pc():#x}"
    return f"{name} at {sal.symtab.filename}:{sal.line}" if sal.symtab else name


def where(task):
    """The first place outside the library; what is known when there is none."""
    try:
        with InTask(task) as at:
            for frame in at.frames():
                if not is_ours(frame):
                    return place_of(frame)
    except gdb.error:
        pass
    except gdb.GdbError:
        pass
    return "-"


# ---- the commands --------------------------------------------------------------------------------

class InfoTasks(gdb.Command):
    """List the tasks of all Ravel runtimes: number, name, state or what it waits for, worker, where
it was started, where it is."""

    def __init__(self):
        super().__init__("info rv-tasks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        print(f"{'task':>6}  {'worker':>6}  {'state':16}  name, started at, in")
        count = 0
        for task in tasks():
            home = home_of(task)
            place = where(task) if home and count < WHERE_MOST else "-"
            worker = int(home["index"]) if home else "-"
            site = f"{task['site']['file'].string()}:{int(task['site']['line'])}"
            print(f"{int(task['id']):6}  {worker:>6}  {state_of(task):16}  '{name_of(task)}', "
                  f"{site}, {place}")
            count += 1
        print(f"{count} tasks")


def chosen(word):
    found = [t for t in tasks() if str(int(t["id"])) == word or name_of(t) == word]
    if not found:
        raise gdb.GdbError(f"no task has the number or the name {word}")
    return found


def arguments_of(frame):
    try:
        block = frame.block()
        while block.function is None:
            block = block.superblock
        return ", ".join(f"{s.name}={s.value(frame).format_string(max_depth=1)}"
                         for s in block if s.is_argument)
    except (RuntimeError, gdb.error):
        return "?"


def print_backtrace(task):
    with InTask(task) as at:
        for number, frame in enumerate(at.frames()):
            sal = frame.find_sal()
            place = f" at {sal.symtab.filename}:{sal.line}" if sal.symtab else ""
            print(f"#{number:<2} {frame.pc():#018x} in {frame.name()} "
                  f"({arguments_of(frame)}){place}")


def apply(task, command):
    with InTask(task) as at:
        frames = list(at.frames())
        outside = [frame for frame in frames if not is_ours(frame)]
        (outside or frames)[0].select()
        gdb.execute(command)


class Task(gdb.Command):
    """rv-task N bt: print the backtrace of the Ravel task with that number, or name.
rv-task N apply COMMAND: do something in its innermost frame outside the runtime."""

    def __init__(self):
        super().__init__("rv-task", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        parts = argument.split(None, 2)
        if len(parts) == 2 and parts[1] == "bt":
            for task in chosen(parts[0]):
                print_backtrace(task)
        elif len(parts) == 3 and parts[1] == "apply":
            for task in chosen(parts[0]):
                apply(task, parts[2])
        else:
            raise gdb.GdbError("rv-task N bt, or rv-task N apply COMMAND")


InfoTasks()
Task()
