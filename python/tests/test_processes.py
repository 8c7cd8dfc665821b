"""Threads, forks, other processes: sessions in programs that are more than one."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import environment, trained

from leapstone import InferenceSession, SessionOptions


@pytest.fixture(scope="module")
def session() -> InferenceSession:
    """A trained network on two threads."""
    options = SessionOptions()
    options.intra_op_num_threads = 2
    return InferenceSession(trained("resnet-digits")[0], options)


def answer(session: InferenceSession) -> bytes:
    """The bits of what the session says to its network's test input."""
    return b"".join(array.tobytes() for array in session.run(None, trained("resnet-digits")[1]))


def send_answer(session: InferenceSession, connection: Any) -> None:
    connection.send(answer(session))


# ---- Pickles -----------------------------------------------------------------------------------------


def test_a_session_pickles_as_its_path_and_options(
    session: InferenceSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained("resnet-digits")[0].parent)
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("leapstone.concurrency", "3")
    data = pickle.dumps(InferenceSession("resnet-digits.onnx", options))
    assert len(data) < 1000
    monkeypatch.chdir(tmp_path)
    copy = pickle.loads(data)
    assert copy._engine is None
    assert answer(copy) == answer(session)
    assert copy._engine is not None
    assert copy.get_session_options().intra_op_num_threads == 1
    assert copy.get_session_options().get_session_config_entry("leapstone.concurrency") == "3"


def test_a_session_of_bytes_pickles_with_them(session: InferenceSession) -> None:
    model = trained("resnet-digits")[0].read_bytes()
    assert answer(pickle.loads(pickle.dumps(InferenceSession(model)))) == answer(session)


# ---- Forks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_agree(session: InferenceSession, method: str) -> None:
    wanted = answer(session)
    context = multiprocessing.get_context(method)
    ends = [context.Pipe(duplex=False) for _ in range(4)]
    processes = [context.Process(target=send_answer, args=(session, theirs)) for _, theirs in ends]
    started = time.monotonic()
    for process in processes:
        process.start()
    for (mine, _), process in zip(ends, processes):
        assert mine.poll(2 if method == "fork" else 60), f"{process} gave no answer"
        assert mine.recv() == wanted
    if method == "fork":
        assert time.monotonic() - started < 2
    for process in processes:
        process.join(10)
        assert process.exitcode == 0
    assert answer(session) == wanted


def test_a_pool_of_forked_processes(session: InferenceSession) -> None:
    wanted = answer(session)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert set(pool.map(answer, [session] * 6)) == {wanted}


def test_a_fork_while_other_threads_run(session: InferenceSession) -> None:
    wanted = answer(session)
    stop = threading.Event()

    def keep_running() -> None:
        while not stop.is_set():
            session.run(None, trained("resnet-digits")[1])

    threads = [threading.Thread(target=keep_running) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(25):
            mine, theirs = multiprocessing.get_context("fork").Pipe(duplex=False)
            process = multiprocessing.get_context("fork").Process(
                target=send_answer, args=(session, theirs))
            process.start()
            assert mine.poll(10), "the child of a running parent hangs"
            assert mine.recv() == wanted
            process.join(10)
            assert process.exitcode == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


# ---- Threads -----------------------------------------------------------------------------------------


def hammer(session: InferenceSession, seconds: float, threads: int = 8) -> tuple[int, int]:
    """Runs a session on threads for a while; the number of runs, and by how many bytes memory grew.

    Raises:
        AssertionError: an answer differs from the others in a bit.
    """
    inputs = trained("resnet-digits")[1]
    wanted = answer(session)
    counts, wrong = [0] * threads, []
    settled = threading.Barrier(threads + 1)
    stop = threading.Event()

    def work(index: int) -> None:
        for _ in range(20):
            session.run(None, inputs)
        settled.wait()
        while not stop.is_set():
            result = b"".join(array.tobytes() for array in session.run(None, inputs))
            counts[index] += 1
            if result != wanted:
                wrong.append(index)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    settled.wait()
    before = resident()
    time.sleep(seconds)
    grown = resident() - before
    stop.set()
    for worker in workers:
        worker.join()
    assert not wrong, f"{len(wrong)} answers differ"
    assert min(counts) > 0
    return sum(counts), grown


def resident() -> int:
    """Bytes of memory that the process has."""
    with open("/proc/self/status", encoding="ascii") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_threads_share_a_session(session: InferenceSession) -> None:
    seconds = float(os.environ.get("LEAPSTONE_TEST_SECONDS", "2"))
    runs, grown = hammer(session, seconds)
    print(f"{runs} runs of 8 threads in {seconds:g} s; memory grew by {grown / 2**20:.1f} MiB")
    assert grown < 8 * 2**20


def test_the_gil_is_released_while_running() -> None:
    options = SessionOptions()
    options.intra_op_num_threads = 1
    path, inputs, _ = trained("inception-resnet-digits")
    session = InferenceSession(path, options)
    inputs = {name: np.repeat(array, 64, axis=0) for name, array in inputs.items()}
    session.run(None, inputs)
    spins, running = 0, threading.Event()

    def run() -> None:
        running.set()
        for _ in range(5):
            session.run(None, inputs)
        running.clear()

    thread = threading.Thread(target=run)
    thread.start()
    running.wait()
    while running.is_set():
        spins += 1
    thread.join()
    assert spins > 1000


# ---- The process as a whole ---------------------------------------------------------------------------


def run_python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env={**environment(), **variables}, capture_output=True,
        text=True, timeout=120, check=False)


def test_importing_does_not_load_the_library() -> None:
    done = run_python("-c", "import leapstone\n"
                            "assert 'libleapstone' not in open('/proc/self/maps').read()\n"
                            "print(leapstone.__version__)\n"
                            "assert 'libleapstone' in open('/proc/self/maps').read()\n")
    assert done.returncode == 0, done.stderr
    version = (Path(__file__).resolve().parents[2] / "VERSION").read_text().strip()
    assert done.stdout.strip() == version


def test_a_missing_library_says_where_it_was_looked_for() -> None:
    done = run_python("-c", "import leapstone; leapstone.InferenceSession('x')",
                      LEAPSTONE_LIBRARY="/no/such/lib.so")
    assert "ImportError" in done.stderr and "/no/such" in done.stderr


def test_a_process_ends_with_sessions_and_outputs_alive() -> None:
    path, _, _ = trained("resnet-digits")
    done = run_python("-c", f"""
import leapstone, numpy, threading
session = leapstone.InferenceSession({os.fspath(path)!r})
shape = [extent if isinstance(extent, int) else 1 for extent in session.get_inputs()[0].shape]
feed = {{session.get_inputs()[0].name: numpy.zeros(shape, numpy.float32)}}
outputs = session.run(None, feed)
options = leapstone.RunOptions()
session.run(None, feed, options)
threading.Thread(target=lambda: [session.run(None, feed) for _ in range(50)], daemon=True).start()
""")
    assert (done.returncode, done.stderr) == (0, "")


def test_numpys_blas_threads_are_left_alone() -> None:
    path, _, _ = trained("resnet-digits")
    done = run_python("-c", f"""
import ctypes, numpy, leapstone, pathlib
maps = pathlib.Path("/proc/self/maps").read_text().split()
blas = ctypes.CDLL(next(name for name in maps if "numpy.libs" in name and "openblas" in name))
get, put = blas.scipy_openblas_get_num_threads64_, blas.scipy_openblas_set_num_threads64_
for threads in (1, 2):
    put(threads)
    wanted = get()
    session = leapstone.InferenceSession({os.fspath(path)!r})
    shape = [extent if isinstance(extent, int) else 1 for extent in session.get_inputs()[0].shape]
    session.run(None, {{session.get_inputs()[0].name: numpy.zeros(shape, numpy.float32)}})
    assert get() == wanted == threads, (get(), wanted, threads)
""")
    assert (done.returncode, done.stderr) == (0, "")
