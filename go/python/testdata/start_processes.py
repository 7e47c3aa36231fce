"""Processes of hosted code."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import shared_memory

go = None


def square(x):
    return x * x


def facts(_):
    """What a worker is like."""
    return sys.executable, "gophersnake.signals" in sys.modules, signal.getsignal(signal.SIGINT).__name__


def put(queue, x):
    queue.put(x * x)


def double(name, size):
    block = shared_memory.SharedMemory(name)
    for i in range(size):
        block.buf[i] *= 2
    block.close()


def all_kinds(method):
    """Every way to have work done by processes."""
    context = multiprocessing.get_context(method)
    answers = {"method": context.get_start_method()}
    with context.Pool(2) as pool:
        answers["pool"] = pool.map(square, range(4))
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        answers["executor"] = list(pool.map(square, range(4)))
    queue = context.Queue()
    process = context.Process(target=put, args=(queue, 7))
    process.start()
    answers["queue"] = queue.get(timeout=60)
    process.join()
    answers["exit"] = process.exitcode
    with context.Manager() as manager:
        shared = manager.list([1, 2])
        shared.append(3)
        answers["manager"] = list(shared)
    block = shared_memory.SharedMemory(create=True, size=4)
    block.buf[:4] = bytes([1, 2, 3, 4])
    process = context.Process(target=double, args=(block.name, 4))
    process.start()
    process.join()
    answers["shared"] = list(block.buf[:4])
    block.close()
    block.unlink()
    return answers


def worker_facts():
    with multiprocessing.Pool(1) as pool:
        executable, hosted, handler = pool.map(facts, [0])[0]
    return [executable == sys.executable, hosted, handler]


def with_joblib():
    from joblib import Parallel, delayed

    return Parallel(n_jobs=2)(delayed(square)(i) for i in range(5))


def sigpipe_of_child(from_thread):
    """Whether a child blocks SIGPIPE, and whether it ignores it."""
    with ThreadPoolExecutor(1) as pool:
        command = ["/bin/sh", "-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status"]
        run = pool.submit(subprocess.check_output, command, text=True).result if from_thread else None
        text = run() if run else subprocess.check_output(command, text=True)
        return [int(mask, 16) >> (signal.SIGPIPE - 1) & 1 for mask in text.split()[1::2]]


def terminate(method):
    """End a worker by SIGTERM."""
    process = multiprocessing.get_context(method).Process(target=time.sleep, args=(300,))
    process.start()
    time.sleep(0.2)
    process.terminate()
    process.join(30)
    return process.exitcode


def give(function):
    global go
    go = function


def fork(how):
    """Fork; the exit status of the child."""
    print("before", end="")
    child = os.fork()
    if child == 0:
        if how == "exit":
            sys.exit(3)
        if how == "text":
            sys.exit("reason")
        if how == "return":
            print("child", end="")
            return -1
        if how == "raise":
            raise ValueError("planted")
        if how == "go":
            go()
        if how == "thread":
            thread = threading.Thread(target=print, args=("in thread",))
            thread.start()
            return -1
        if how == "wait":
            grandchild = os.spawnl(os.P_NOWAIT, "/bin/sh", "sh", "-c", "exit 4")
            done, status = os.wait()
            assert done == grandchild
            os._exit(os.waitstatus_to_exitcode(status))
        if how == "handler":
            signal.signal(signal.SIGUSR1, lambda *_: os._exit(6))
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(60)
        if how == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)
        os._exit(5)
    print(" after")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def any_child():
    """What those are answered that wait for any child."""
    answers = []
    for wait in (
        lambda: os.wait(),
        lambda: os.wait3(0),
        lambda: os.waitpid(-1, os.WNOHANG),
        lambda: os.wait4(0, 0),
        lambda: os.waitid(os.P_ALL, 0, os.WEXITED),
    ):
        try:
            answers.append(str(wait()))
        except PermissionError as refusal:
            answers.append(refusal.strerror)
    return answers


def children(count):
    """The exit status of that many processes at once."""

    def run(i):
        return subprocess.run(["/bin/sh", "-c", f"exit {i % 100}"]).returncode == i % 100

    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(run, range(count)))


def later_children(count):
    async def run(i):
        process = await asyncio.create_subprocess_exec("/bin/sh", "-c", f"exit {i % 100}")
        return await process.wait() == i % 100

    async def together():
        return sum(await asyncio.gather(*map(run, range(count))))

    return asyncio.run(together())
