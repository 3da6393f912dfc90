"""A component's own Python: what it gives, what it may not, and what is said where it fails. Each in a real process."""

from __future__ import annotations

import logging
import os
import textwrap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from merkhet.contract.component import PythonStep
from merkhet.errors import Refused
from merkhet.workloads.cgroup import Limits
from merkhet.workloads.components import python, sandbox

LIMITS = Limits(memory=700 * 1024**2, cpus=2.0)
TABLE = pa.table({"AGE": [30, None, 41], "name": ["Ada", "Bo", None]})
FAR = 60.0  # seconds; longer than anything here takes

LANDLOCK = sandbox.landlock_version() > 0  # of this kernel; without it there is no temporary folder, and no network


def run(source: str, table: pa.Table = TABLE, *, personal: bool = False, **more: Any) -> pa.Table:
    """What function ``f`` of the source makes of a table."""
    step = PythonStep(entrypoint="f", source=textwrap.dedent(source), **{"timeout_seconds": FAR, **more})
    return python.apply(step, table, LIMITS, what="component clean-ages 2", personal=personal)


def refusal(source: str, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        run(source, **more)
    return caught.value


def body(*lines: str) -> str:
    """A function of these lines that gives the table back at the end."""
    return "\n    ".join(["def f(table):", *lines, "return table"])


@pytest.fixture(params=[pytest.param(True, id="as the kernel has it"), pytest.param(False, id="without Landlock")])
def files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways in which files are shut."""
    if not request.param:
        monkeypatch.setattr(sandbox, "landlock_version", lambda: 0)
    return bool(request.param)


def test_a_function_makes_a_table_of_a_table(files: bool) -> None:
    found = run("""
        import pyarrow.compute as pc

        def f(table):
            return table.append_column("adult", pc.greater_equal(table["AGE"], 41))
    """)
    assert found.to_pylist() == [
        {"AGE": 30, "name": "Ada", "adult": False},
        {"AGE": None, "name": "Bo", "adult": None},
        {"AGE": 41, "name": None, "adult": True},
    ]


def test_the_usual_libraries_and_threads_are_there(files: bool) -> None:
    found = run("""
        import json, re, statistics, datetime, threading
        import numpy as np
        import scipy.stats

        def f(table):
            ranks = []
            threads = [threading.Thread(target=lambda: ranks.append(scipy.stats.rankdata([2, 1])[0])) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return table.append_column("n", [np.full(len(table), sum(ranks))])
    """)
    assert found["n"].to_pylist() == [16.0] * 3


def test_a_temporary_folder_can_be_written_and_is_gone_afterwards() -> None:
    source = body(
        "import pathlib, pyarrow, tempfile",
        "with tempfile.TemporaryDirectory() as folder:",
        "    (pathlib.Path(folder) / 'x').write_text('there')",
        "    said = (pathlib.Path(folder) / 'x').read_text()",
        "table = table.append_column('said', [[said] * 3]).append_column('cwd', [[str(pathlib.Path.cwd())] * 3])",
    )
    if not LANDLOCK:
        assert refusal(source).reason == "ComponentFailed"
        return
    found = run(source)
    assert found["said"][0].as_py() == "there"
    assert not Path(found["cwd"][0].as_py()).exists()


def test_the_same_rows_give_the_same_table_where_the_code_goes_through_a_set() -> None:
    source = body("import pyarrow", "table = pyarrow.table({'s': list({str(n) for n in range(100)})})")
    assert run(source).equals(run(source))


OTHERS = {
    "starts a process by fork": "import os; os.fork()",
    "starts a process by forkpty": "import os; os.forkpty()",
    "is a fork bomb": "import os\n    while True: os.fork()",
    "starts a program": "import subprocess; subprocess.run(['/bin/true'])",
    "starts a shell": "import subprocess; subprocess.check_output('id', shell=True)",
    "becomes a program": "import os; os.execv('/bin/true', ['true'])",
    "starts a process by a library": "from multiprocessing import Process, popen_fork; popen_fork.Popen(Process())",
    "opens a socket": "import socket; socket.socket()",
    "opens a socket of the machine": "import socket; socket.socket(socket.AF_UNIX)",
    "opens a socket of the kernel": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "opens a pair of sockets of which one may go elsewhere": "import socket; socket.socketpair(type=socket.SOCK_DGRAM)",
    "ends its parent": "import os; os.kill(os.getppid(), 9)",
    "ends everybody": "import os; os.kill(-1, 9)",
    "has signals sent to its parent": "import fcntl, os; fcntl.fcntl(1, fcntl.F_SETOWN, os.getppid())",
    "has other signals sent": "import fcntl; fcntl.fcntl(1, 10, 9)",
    "types for others": "import fcntl; fcntl.ioctl(1, 0x5412, b'x')",
    "limits its parent": "import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))",
    "changes rights": "import os; os.chmod({secret!r}, 0)",
    "changes times": "import os; os.utime({secret!r})",
    "cuts a file": "import os; os.truncate({secret!r}, 0)",
    "reads the store": "open({secret!r}).read()",
    "writes to the store": "open({secret!r}, 'w')",
    "adds to the store": "open({secret!r} + '.new', 'w')",
    "deletes from the store": "import os; os.unlink({secret!r})",
    "links into the store": "import os; os.link({secret!r}, 'here')",
    "lists the store": "import os; os.listdir(os.path.dirname({secret!r}))",
    "reads secrets": "import os; os.listdir('/var/run'); open('/var/run/secrets/token')",
    "reads passwords": "open('/etc/passwd')",
    "reads its parent's environment": "import os; open(f'/proc/{{os.getppid()}}/environ')",
    "looks through its parent": "import os; open(f'/proc/{{os.getppid()}}/root' + {secret!r})",
    "writes to its parent's memory": "import os; open(f'/proc/{{os.getppid()}}/mem', 'r+b')",
    "reads its task": "open('../request.json')",
    "makes memory that nobody counts": "import os; os.memfd_create('x')",
}


@pytest.mark.parametrize("doing", [pytest.param(code, id=what) for what, code in OTHERS.items()])
def test_what_is_of_others_stays_out_of_reach(doing: str, files: bool, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("theirs")
    before = secret.stat()
    refused = refusal(body(doing.format(secret=str(secret))))
    assert refused.reason == "ComponentFailed"
    assert "PermissionError" in str(refused) or "[Errno 18]" in str(refused)  # a link from one folder to another
    assert secret.read_text() == "theirs"
    assert (secret.stat().st_mode, secret.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert list(tmp_path.iterdir()) == [secret]


RAW = {  # calls that Python has no words for, by their number on x86_64 and aarch64
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "io_uring_setup": (425, 425),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "keyctl": (250, 219),
    "vfork": (58, None),
    "shmget": (29, 194),
    "semop": (65, 193),
    "msgrcv": (70, 188),
    "userfaultfd": (323, 282),
    "inotify_init1": (294, 26),
    "openat2, without Landlock": (437, 437),
}


def test_calls_to_the_kernel_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "landlock_version", lambda: 0)
    at = sandbox.MACHINES[os.uname().machine][0]
    numbers = [numbers[at] for numbers in RAW.values() if numbers[at] is not None]
    found = run(
        body(
            "import ctypes, pyarrow",
            "libc = ctypes.CDLL(None, use_errno=True)",
            "found = []",
            f"for number in {numbers}:",
            "    found.append(ctypes.get_errno() if libc.syscall(number, 0, 0, 0, 0, 0) < 0 else 0)",
            "    ctypes.set_errno(0)",
            "table = pyarrow.table({'errors': found})",
        )
    )
    assert found["errors"].to_pylist() == [1] * len(numbers)  # EPERM


@pytest.mark.parametrize("number", [0x40000000 | 41, 0x40000000 | 57, 462, 9999])
def test_calls_by_another_numbering_and_newer_ones_are_not_there(number: int) -> None:
    code = f"libc.syscall({number}, 2, 1, 0)"
    found = run(
        body(
            "import ctypes, pyarrow",
            "libc = ctypes.CDLL(None, use_errno=True)",
            f"table = pyarrow.table({{'gave': [{code}], 'error': [ctypes.get_errno()]}})",
        )
    )
    assert found.to_pylist() == [{"gave": -1, "error": 38}]  # ENOSYS


def test_event_loops_run(files: bool) -> None:
    """They talk to themselves by a pair of sockets."""
    source = "import asyncio, selectors, socket\n" + body(
        "socket.socketpair()[0].setblocking(False)", "asyncio.run(asyncio.sleep(0))"
    )
    assert run(source).num_rows == 3


def test_what_an_import_does_by_itself_is_held_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Landlock the source's modules are imported before its first line."""
    monkeypatch.setattr(sandbox, "landlock_version", lambda: 0)
    (tmp_path / "greedy.py").write_text(
        "import os, socket\ntried = []\n"
        "for act in (os.fork, socket.socket):\n"
        "    try: act(); tried.append('done')\n"
        "    except PermissionError: tried.append('refused')\n"
    )
    packages = python._packages()
    for package in Path(packages).iterdir():
        (tmp_path / package.name).symlink_to(package)
    monkeypatch.setattr(python, "_packages", lambda: str(tmp_path))
    found = run("import greedy, pyarrow\ndef f(table):\n    return pyarrow.table({'tried': greedy.tried})")
    assert found["tried"].to_pylist() == ["refused", "refused"]


def test_the_environment_has_nothing_of_the_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERKHET_TASK", "secret")
    found = run(body("import os, pyarrow", "table = pyarrow.table({'names': sorted(os.environ)})"))
    assert set(found["names"].to_pylist()) == set(python._environment(Path()))


def test_the_network_is_there_where_it_is_asked_for() -> None:
    if not LANDLOCK:
        assert refusal(body("pass"), network=True).reason == "NoSandbox"
        return
    source = body(
        "import socket", "socket.create_server(('127.0.0.1', 0)).close()", "socket.getaddrinfo('localhost', 1)"
    )
    assert run(source, network=True).num_rows == 3
    unix = refusal(body("import socket", "socket.socket(socket.AF_UNIX)"), network=True)
    assert "PermissionError" in str(unix)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param(
            "def f(table):\n    return table['AGE', 1]\n", "component clean-ages 2, line 2: ", id="an exception"
        ),
        pytest.param(
            "def g(row):\n    return row['AGE']\n\ndef f(table):\n    return g({})",
            "component clean-ages 2, line 2: KeyError: 'AGE'",
            id="in a function that another one calls",
        ),
        pytest.param("x = 1\nraise ValueError('no')", "line 2: ValueError: no", id="while the source is read"),
        pytest.param("def f(table)\n    return 1", "line 1: SyntaxError: expected ':'", id="syntax"),
        pytest.param("def f(table):\n  a\n b", "line 3: IndentationError: ", id="indentation"),
        pytest.param("\0", "SyntaxError: ", id="a byte that no source has"),
        pytest.param("\n\nimport nothing_there", "line 3: ModuleNotFoundError: No module named", id="no such module"),
        pytest.param("def g(table): pass", "there is no function f; the source has g", id="no such function"),
        pytest.param("f = 3", "there is no function f; the source has none", id="no function at all"),
        pytest.param(body("import sys", "sys.exit(0)"), "line 3: SystemExit: 0", id="it leaves"),
        pytest.param(body("raise KeyboardInterrupt"), "line 2: KeyboardInterrupt", id="it interrupts"),
        pytest.param(body("f(table)"), "line 2: RecursionError: ", id="it calls itself for ever"),
        pytest.param(body("import os", "os._exit(0)"), "ended its process with code 0 and gave no table", id="it ends"),
        pytest.param(
            body("import os", "os.abort()"), "ended its process by signal 6 and gave no table", id="it aborts"
        ),
        pytest.param(body("import ctypes", "ctypes.string_at(0)"), "by signal 11", id="it crashes"),
        pytest.param("def f(table): pass", "f gives nothing, wanted a pyarrow Table", id="gives nothing"),
        pytest.param("def f(table): return [1]", "f gives a list, wanted a pyarrow Table", id="gives a list"),
        pytest.param("def f(table): return 1", "f gives an int, wanted", id="gives a number"),
        pytest.param(
            "class DataFrame: pass\ndef f(table): return DataFrame()",
            "f gives a DataFrame, wanted a pyarrow Table; pyarrow.Table.from_pandas makes one",
            id="gives a frame",
        ),
        pytest.param(body("table = table.append_column('x', [[[1]] * 3])"), "column x as list", id="gives lists"),
        pytest.param(body("table = table.append_column('x', [[None] * 3])"), "column x as null", id="gives nulls"),
        pytest.param(body("table = table.append_column('age', table['AGE'])"), "more than one column age", id="twice"),
        pytest.param(
            body("table = table.rename_columns(['a', ''])"), "a column named ''", id="a column without a name"
        ),
        pytest.param(
            body("table = table.rename_columns(['a', '\\x1b[2J'])"), "a column named '\\x1b", id="a wild name"
        ),
        pytest.param(body("table = table.select([])"), "0 columns; wanted 1 to 1000", id="no column"),
        pytest.param(
            body("import pyarrow", "table = pyarrow.table({f'c{n}': [1] for n in range(1001)})"),
            "1001 columns; wanted 1 to 1000",
            id="too many columns",
        ),
        pytest.param(
            "class E(Exception):\n  def __str__(self): raise E\ndef f(table):\n  raise E",
            "line 4: E",
            id="an exception that cannot be told",
        ),
    ],
)
def test_a_fault_is_told_with_its_line(source: str, words: str) -> None:
    refused = refusal(source)
    assert words in str(refused)
    assert str(refused).startswith("component clean-ages 2")
    assert refused.reason == "ComponentFailed"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("bytearray(2 << 30)", "OutOfMemory", id="at once"),
        pytest.param("kept = []\n    while True: kept.append(bytearray(8 << 20))", "OutOfMemory", id="bit by bit"),
        pytest.param("import mmap\n    mmap.mmap(-1, 2 << 30)", "ComponentFailed", id="shared"),
        pytest.param("import numpy\n    numpy.ones(300_000_000)", "ComponentFailed", id="in a library"),
    ],
)
def test_memory_ends_at_its_limit(source: str, reason: str) -> None:
    refused = refusal(body(source))
    assert refused.reason in {"OutOfMemory", reason}
    assert "line 2" in str(refused) or "line 3" in str(refused)


def test_a_result_beyond_the_limit_is_refused() -> None:
    source = body(
        "import pyarrow",
        "text = pyarrow.array(['x' * 1_000_000])",
        "table = pyarrow.table({'x': pyarrow.chunked_array([text] * 400)})",
    )
    assert "f gives more than 280 MiB, the most a result may have" in str(refusal(source))


def test_a_file_beyond_the_limit_is_refused() -> None:
    written = body("with open('x', 'wb') as file:", "    while True: file.write(bytes(1 << 24))")
    assert ("OSError: [Errno 27] File too large" if LANDLOCK else "PermissionError") in str(refusal(written))


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("while True: pass", id="busy"),
        pytest.param("import time; time.sleep(1000)", id="asleep"),
        pytest.param("while True: print('x' * 10_000)", id="endless output"),
        pytest.param(
            "import signal, time\n    for n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\n    time.sleep(1000)",
            id="ignores signals",
        ),
        pytest.param(
            "import threading, time\n    threading.Thread(target=time.sleep, args=[99]).start()\n    time.sleep(99)",
            id="in threads",
        ),
    ],
)
def test_time_ends_at_its_limit(source: str) -> None:
    refused = refusal(body(source), timeout_seconds=1.5)
    assert refused.reason == "ComponentTimeout"
    assert "was not done after 1.5 s" in str(refused)


def test_a_thread_that_goes_on_does_not_keep_the_result_back() -> None:
    source = body("import threading, time", "threading.Thread(target=time.sleep, args=(1000,)).start()")
    assert run(source).num_rows == 3


def test_processor_time_ends_at_its_limit() -> None:
    source = body("import resource", "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))", "while True: pass")
    assert refusal(source).reason == "ComponentKilled"


def test_limits_cannot_be_raised() -> None:
    source = body("import resource", "resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))")
    assert refusal(source).reason == "ComponentFailed"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("b''", id="nothing"),
        pytest.param("b'ARROW1' + bytes(100)", id="something else"),
        pytest.param("b'x' * 100_000", id="anything"),
    ],
)
def test_a_forged_outcome_is_believed_in_nothing(written: str) -> None:
    """The code may write to any file that its process has open."""
    source = body(
        "import os",
        "for number in range(3, 64):",
        "    try: os.ftruncate(number, 0), os.pwrite(number, b'{\"problem\": null}', 0), "
        f"os.pwrite(number, {written}, 0) if number % 2 else None",
        "    except OSError: pass",
        "os._exit(0)",
    )
    assert refusal(source).reason == "ComponentFailed"


def test_what_it_prints_goes_to_the_log_up_to_a_bound(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run(body("import sys", "print('hello')", "print('trouble', file=sys.stderr)", "print('y' * 3, end='')"))
    assert {"component clean-ages 2: hello", "component clean-ages 2: trouble"} <= set(caplog.messages)
    caplog.clear()
    run(body("for _ in range(100_000): print('x' * 9)"))
    assert sum(map(len, caplog.messages)) < 500_000
    assert caplog.messages[-1] == "component clean-ages 2 printed 934464 bytes more, which are not shown"


def test_with_personal_columns_nothing_of_the_values_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refused = refusal(body("print(table['name'])", "raise ValueError(table['name'][0].as_py())"), personal=True)
    assert str(refused) == "component clean-ages 2, line 3: ValueError"
    assert "Ada" not in caplog.text
    assert "which are not shown" in caplog.text


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param(
            body("raise type(table['name'][0].as_py(), (Exception,), {})()"),
            "component clean-ages 2, line 2: an exception of its own",
            id="as the name of an exception",
        ),
        pytest.param(
            body("return type(table['name'][0].as_py(), (), {})()"),
            "component clean-ages 2: f gives no pyarrow Table, or there is no such function",
            id="as the name of what it gives",
        ),
        pytest.param(
            body(
                "import json, os",
                "said = {'problem': 'NoSandbox', 'said': table['name'][0].as_py()}",
                "for number in range(3, 64):",
                "    try: os.ftruncate(number, 0), os.pwrite(number, json.dumps(said).encode(), 0)",
                "    except OSError: pass",
                "os._exit(0)",
            ),
            "component clean-ages 2 is not run, because it could not be held",
            id="as why it was not run",
        ),
        pytest.param(
            body("import pyarrow", "table = table.append_column(table['name'][0].as_py(), [[[1]] * 3])"),
            "component clean-ages 2 gives column 3 as list, which",
            id="as the name of a column",
        ),
    ],
)
def test_values_reach_no_message_by_another_way(source: str, words: str) -> None:
    assert "Ada" in str(refusal(source))
    refused = str(refusal(source, personal=True))
    assert refused.startswith(words)
    assert "Ada" not in refused


def test_the_types_of_a_feature_come_back() -> None:
    found = run(
        body(
            "import pyarrow as pa, datetime, decimal",
            "table = pa.table({",
            "    'word': pa.array(['a', 'b']).dictionary_encode(),",
            "    'day': pa.array([datetime.date(2024, 1, 1)] * 2, pa.date64()),",
            "    'view': pa.array(['a', None], pa.string_view()),",
            "    'amount': pa.array([decimal.Decimal('1.5')] * 2),",
            "    'small': pa.array([1, 2], pa.uint8()),",
            "    'time': pa.array([datetime.datetime(2024, 1, 1)] * 2, pa.timestamp('ns', 'UTC')),",
            "})",
        )
    )
    assert [str(column.type) for column in found.schema] == [
        *("string", "date32[day]", "string", "decimal128(2, 1)", "uint8", "timestamp[us, tz=UTC]")
    ]


def test_a_time_is_the_same_instant_whatever_its_zone_and_unit() -> None:
    kinds = ("'ns', 'Europe/Paris'", "'ms', '+02:00'", "'s', 'Nowhere/AtAll'", "'us', 'UTC'")
    columns = ", ".join(f"'{at}': pa.array([scale], pa.timestamp({kind}))" for at, kind in enumerate(kinds))
    columns = columns.replace("scale", "10**18", 1).replace("scale", "10**12", 1).replace("scale", "10**9", 1)
    found = run(body("import pyarrow as pa", f"table = pa.table({{{columns.replace('scale', '10**15')}}})"))
    assert {str(column.type) for column in found.columns} == {"timestamp[us, tz=UTC]"}
    assert {column.cast(pa.int64())[0].as_py() for column in found.columns} == {10**15}


@pytest.mark.parametrize("made", ["[1], pa.timestamp('ns', 'UTC')", "[2**60], pa.timestamp('s')"])
def test_a_time_that_would_change_is_refused(made: str) -> None:
    refused = refusal(body("import pyarrow as pa", f"table = pa.table({{'at': pa.array({made})}})"))
    assert "gives column 1 as timestamp[" in str(refused)
    assert "round it or leave it out" in str(refused)


def test_a_kernel_that_cannot_hold_it_runs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "sandbox.py"
    source = Path(sandbox.__file__).read_text()
    broken.write_text(source.replace("platform.machine()", "'z80'"))
    monkeypatch.setattr(python, "PROGRAM", broken)
    refused = refusal(body("print('ran')"))
    assert refused.reason == "NoSandbox"
    assert "could not be held" in str(refused)


@pytest.mark.parametrize("machine", sandbox.MACHINES)
@pytest.mark.parametrize("network", [False, True])
def test_filters_are_whole_on_every_machine(machine: str, network: bool) -> None:
    """No jump leads out of the program, and its end allows."""
    program = sandbox.filter_program(machine, 42, network=network, by_name=True)
    steps = [(program[at : at + 8]) for at in range(0, len(program), 8)]
    assert len(steps) < 4096  # the kernel's bound
    for at, step in enumerate(steps):
        assert at + 1 + max(step[2], step[3]) < len(steps) or step[0] == sandbox.RETURN
    assert steps[-1] == sandbox._give(sandbox.ALLOW)
