"""The process in which a component's own Python runs: a program by itself, started by ``python.py``.

Everything is shut before the first line of the component: memory, processor time and sizes by rlimits, files by
Landlock, programs, processes, network and the rest of the kernel by seccomp. Nothing of it can be opened again,
whatever the code does, and it needs no privilege. The standard library and pyarrow alone, not Merkhet.

Where the kernel has no Landlock no file can be opened at all, once the modules that the source names are imported.
*Source:* seccomp(2), landlock(7), linux/filter.h; numbers of system calls from the kernel's tables.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import errno
import importlib.machinery
import json
import os
import platform
import resource
import signal
import struct
import sys
import traceback
from pathlib import Path
from types import CodeType
from typing import Any

SOURCE = "<component>"  # what tracebacks call the component's source
REQUEST, ROWS, RESULT, OUTCOME, ROOM = "request.json", "rows.arrow", "result.arrow", "outcome.json", "room"
SAID = 400  # characters of an exception's text

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CAPABILITIES = 0x20080522  # the version of capset's words

# The calls refused, as (x86_64, aarch64); None where the machine has no such call.
Numbers = tuple[int | None, int | None]
REFUSED: dict[str, Numbers] = {
    # Other programs and processes; threads are clone with CLONE_THREAD.
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "ptrace": (101, 117),
    "kcmp": (312, 272),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # Doors around a filter, and large parts of the kernel.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "syslog": (103, 116),
    # Mounts and namespaces.
    "mount": (165, 40),
    "umount2": (166, 39),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "mount_setattr": (442, 442),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "vhangup": (153, 58),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    # Memory that no rlimit counts, and what the pod's containers share.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    # What Landlock leaves to the owner of a file, and the store's files have the same owner.
    "truncate": (76, 45),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "utime": (132, None),
    "utimes": (235, None),
    "utimensat": (280, 88),
    "futimesat": (261, None),
    # Names of files that others make.
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
}
# Refused besides where there is no Landlock: whatever opens or changes a file by its name.
BY_NAME: dict[str, Numbers] = {
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "creat": (85, None),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "mknod": (133, None),
    "mknodat": (259, 33),
}
# Looked at by their arguments: the first, and of the last three the second, which says what is to be done.
CLONE: Numbers = (56, 220)
CLONE3: Numbers = (435, 435)  # its flags are in memory, which a filter cannot see
SOCKET: Numbers = (41, 198)
OWN_ONLY: tuple[Numbers, ...] = ((62, 129), (234, 131), (302, 261))  # kill, tgkill, prlimit64: this process alone
FCNTL: Numbers = (72, 25)
IOCTL: Numbers = (16, 29)
SOCKETPAIR: Numbers = (53, 199)
SIGNALS_TO_OTHERS = (8, 15, 10)  # F_SETOWN, F_SETOWN_EX, F_SETSIG
TERMINALS_OF_OTHERS = (0x5412, 0x541C, 0x8901, 0x8902)  # TIOCSTI, TIOCLINUX, FIOSETOWN, SIOCSPGRP
LAST_KNOWN = 451  # newer calls are as if the kernel had none of them, and so are those of x32
CLONE_THREAD = 0x10000
AF_INET, AF_INET6 = 2, 10
# Two ends for each other, which event loops want; one for datagrams could be sent anywhere on the machine. With
# SOCK_CLOEXEC and SOCK_NONBLOCK or without.
STREAMS = (0x1, 0x80001, 0x801, 0x80801)

# The same on all machines.
SECCOMP = {"x86_64": 317, "aarch64": 277}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # which of the numbers, and the audit's word
SET_MODE_FILTER, TSYNC = 1, 1
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
LOAD, IS, ABOVE, BITS, RETURN = 0x20, 0x15, 0x25, 0x45, 0x06  # BPF: ld, jeq, jgt, jset, ret
NUMBER, MACHINE, FIRST, SECOND = 0, 4, 16, 24  # offsets in seccomp_data

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # landlock_…
RULESET_VERSION, PATH_BENEATH = 1, 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
EXECUTE, REFER, MAKE_DEVICES, IOCTL_DEV = 1 << 0, 1 << 13, 1 << 6 | 1 << 11, 1 << 15
# Of the kernel's version of Landlock: how many rights it knows.
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
NEWEST_RIGHTS = 16
SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/localtime",
          "/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/urandom")  # fmt: skip
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services",
           "/etc/ssl", "/etc/pki", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates")  # fmt: skip


class NoSandbox(Exception):
    """The kernel does not give what holds the component's code; it is not run."""


class NoResult(Exception):
    """The component gives nothing that can be used; the message says what."""


def landlock_version() -> int:
    """The kernel's version of Landlock, 0 where it has none."""
    return max(0, int(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(RULESET_VERSION))))


def main(folder: Path) -> None:
    """Run the request of a folder and leave its outcome there; does not return."""
    request = json.loads((folder / REQUEST).read_text())
    _end_with_parent(request["parent"])
    sys.path.append(request["packages"])
    outcome = (folder / OUTCOME).open("w", encoding="utf-8")
    leave, flush = os._exit, (sys.stdout.flush, sys.stderr.flush)
    try:
        found = _run(request, folder)
    except BaseException as error:  # whatever the component raises, SystemExit too, is an outcome
        found = _told(error)
    json.dump(found, outcome)
    outcome.close()
    for each in flush:
        each()
    leave(0)


def _run(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    code = _compiled(request["source"])
    sink = (folder / RESULT).open("wb")
    with Path("/proc/self/statm").open("rb", buffering=0) as sizes:
        _shut_files(request, folder)
        import pyarrow as pa  # noqa: PLC0415 - only now: it starts a thread, and Landlock holds for threads begun later

        stream = pa.memory_map(str(folder / ROWS))
        if not request["landlock"]:
            # What an import does of its own accord is held as well, but for the files that it is read from.
            _shut_calls(network=False, by_name=False)
            _import_named(request["source"])
        _limit(request, pages=int(sizes.read().split()[0]))
    _shut_calls(network=request["network"], by_name=not request["landlock"])
    result = _function(code, request["entrypoint"])(pa.ipc.open_file(stream).read_all())
    if not isinstance(result, pa.Table):
        hint = "; pyarrow.Table.from_pandas makes one" if type(result).__name__ == "DataFrame" else ""
        raise NoResult(f"{request['entrypoint']} gives {_article(result)}, wanted a pyarrow Table{hint}")
    _leave(result, sink, request)
    return {"problem": None}


def _leave(result: Any, sink: Any, request: dict[str, Any]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - is there by now

    try:
        with sink, pa.ipc.new_file(sink, result.schema) as writer:  # the last bytes are written when it is closed
            writer.write_table(result)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        size = request["file_bytes"] // 1024**2
        raise NoResult(f"{request['entrypoint']} gives more than {size} MiB, the most a result may have") from None


def _compiled(source: str) -> CodeType:
    return compile(source, SOURCE, "exec", dont_inherit=True)


def _function(code: CodeType, entrypoint: str) -> Any:
    module = type(sys)("component")
    sys.modules["component"] = module  # dataclasses and pickle look a class's module up
    exec(code, module.__dict__)  # noqa: S102 - this is what the sandbox is for
    function = getattr(module, entrypoint, None)
    if not callable(function):
        found = [name for name, value in vars(module).items() if type(value).__name__ == "function"]
        raise NoResult(f"there is no function {entrypoint}; the source has {', '.join(found[:10]) or 'none'}")
    return function


def _article(value: Any) -> str:
    name = type(value).__name__[:64]
    return "nothing" if value is None else f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def _import_named(source: str) -> None:
    """Import what the source imports while files can be opened; what is not there the source itself will tell."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: S112 - the import in the source says it, with its line
                continue
    # What else a library tries to import when it is used is not there, rather than there and shut.
    sys.meta_path.remove(importlib.machinery.PathFinder)


def _told(error: BaseException) -> dict[str, Any]:
    """An exception in words that ``python.py`` understands."""
    if isinstance(error, NoSandbox | NoResult):
        return {"problem": type(error).__name__, "said": str(error)[:SAID]}
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == SOURCE else None
    if line is None:
        frames = [number for frame, number in traceback.walk_tb(error.__traceback__)
                  if frame.f_code.co_filename == SOURCE]  # fmt: skip
        line = frames[-1] if frames else None
    try:
        said = error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:  # a component's own __str__
        said = ""
    memory = isinstance(error, MemoryError) or type(error).__name__ == "ArrowMemoryError"
    return {
        "problem": "Memory" if memory else "Exception",
        "type": type(error).__name__[:64],
        "compiled": not isinstance(error, SyntaxError) or error.filename != SOURCE,
        "line": line,
        "said": said[:SAID],
    }


def _limit(request: dict[str, Any], pages: int) -> None:
    taken = pages * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: taken + request["memory_bytes"],
        resource.RLIMIT_CPU: request["cpu_seconds"],
        resource.RLIMIT_FSIZE: request["file_bytes"],
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
    }
    for kind, amount in limits.items():
        highest = resource.getrlimit(kind)[1]
        amount = amount if highest == resource.RLIM_INFINITY else min(amount, highest)  # noqa: PLW2901
        resource.setrlimit(kind, (amount, amount))


def _end_with_parent(parent: int) -> None:
    _libc().prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _shut_files(request: dict[str, Any], folder: Path) -> None:
    """From here on only the interpreter's own files can be read, and only the ``ROOM`` written."""
    with contextlib.suppress(OSError):  # where memory runs out after all, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    os.chdir(folder / ROOM)
    libc = _libc()
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise NoSandbox(f"no_new_privs cannot be set: {_reason()}")
    # Our pods have no capability; where a person tries this as root, limits hold as well.
    if libc.capset(struct.pack("=Ii", CAPABILITIES, 0), bytes(24)):
        raise NoSandbox(f"capabilities cannot be given up: {_reason()}")
    if not request["landlock"]:
        return  # see _shut_calls
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise NoSandbox(f"{threads} threads run already, and Landlock would hold for one")
    known = (1 << RIGHTS.get(landlock_version(), NEWEST_RIGHTS)) - 1
    ruleset = libc.syscall(CREATE_RULESET, struct.pack("=Q", known), ctypes.c_size_t(8), ctypes.c_uint(0))
    if ruleset < 0:
        raise NoSandbox(f"Landlock: {_reason()}")
    for path in (*SYSTEM, *request["readable"], *(NETWORK if request["network"] else ()), str(folder / ROWS)):
        _allow(libc, ruleset, path, READ_FILE | READ_DIR)
    _allow(libc, ruleset, str(folder / ROOM), known & ~(EXECUTE | MAKE_DEVICES | IOCTL_DEV))
    if libc.syscall(RESTRICT_SELF, ruleset, ctypes.c_uint(0)):
        raise NoSandbox(f"Landlock: {_reason()}")
    os.close(ruleset)


def _reason() -> str:
    return os.strerror(ctypes.get_errno())


def _allow(libc: Any, ruleset: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # this image has none
        return
    try:
        rights = rights if os.path.isdir(path) else READ_FILE  # noqa: PTH112 - as the kernel sees the opened one
        if libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, opened), ctypes.c_uint(0)):
            raise NoSandbox(f"Landlock, {path}: {_reason()}")
    finally:
        os.close(opened)


def _shut_calls(*, network: bool, by_name: bool) -> None:
    machine = platform.machine()
    if machine not in MACHINES:
        raise NoSandbox(f"no list of system calls is known for {machine}, only for {' and '.join(MACHINES)}")
    program = filter_program(machine, os.getpid(), network=network, by_name=by_name)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))  # sock_fprog
    if _libc().syscall(SECCOMP[machine], SET_MODE_FILTER, ctypes.c_uint(TSYNC), header):
        raise NoSandbox(f"seccomp: {_reason()}")


def filter_program(machine: str, process: int, *, network: bool, by_name: bool) -> bytes:
    """The BPF program of a machine: each call that is not refused is allowed. ``process`` is the one it is for."""
    at, word = MACHINES[machine]
    eperm, enosys = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
    code = [
        *(_load(MACHINE), _step(IS, word, 1, 0), _give(KILL)),
        *(_load(NUMBER), _step(ABOVE, LAST_KNOWN, 0, 1), _give(enosys)),
    ]
    refused = {**REFUSED, **(BY_NAME if by_name else {})}
    for numbers in refused.values():
        code += _when(numbers[at], [_give(eperm)])
    code += _when(CLONE3[at], [_give(enosys)])  # for libc to take clone instead
    code += _by_arguments(at, process, network=network, refuse=_give(eperm))
    return b"".join([*code, _give(ALLOW)])


def _by_arguments(at: int, process: int, *, network: bool, refuse: bytes) -> list[bytes]:
    """The calls that are allowed in part."""
    allow = _give(ALLOW)
    code = _when(CLONE[at], [_load(FIRST), _step(BITS, CLONE_THREAD, 0, 1), allow, refuse])
    for numbers in OWN_ONLY:
        # prlimit64 has 0 for itself; kill has it for the group, in which this process is alone.
        code += _when(numbers[at], [_load(FIRST), *_if_is(process, allow), *_if_is(0, allow), refuse])
    for call, commands in ((FCNTL, SIGNALS_TO_OTHERS), (IOCTL, TERMINALS_OF_OTHERS)):
        refusing = [step for command in commands for step in _if_is(command, refuse)]
        code += _when(call[at], [_load(SECOND), *refusing, allow])
    pairs = [step for kind in STREAMS for step in _if_is(kind, allow)]
    code += _when(SOCKETPAIR[at], [_load(SECOND), *pairs, refuse])
    families = [step for family in (AF_INET, AF_INET6) if network for step in _if_is(family, allow)]
    return code + _when(SOCKET[at], [_load(FIRST), *families, refuse])


def _if_is(value: int, answer: bytes) -> list[bytes]:
    return [_step(IS, value, 0, 1), answer]


def _when(number: int | None, steps: list[bytes]) -> list[bytes]:
    """Steps for one call, which end; a machine that has no such call needs none."""
    return [] if number is None else [_step(IS, number, 0, len(steps)), *steps]


def _load(offset: int) -> bytes:
    return _step(LOAD, offset)


def _give(answer: int) -> bytes:
    return _step(RETURN, answer)


def _step(operation: int, value: int, true: int = 0, false: int = 0) -> bytes:
    """One instruction; ``true`` and ``false`` are how many are passed over."""
    return struct.pack("=HBBI", operation, true, false, value)


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
