"""Count by strace what a command asks of a shared folder, in the units of shared_folder.py."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)")
# The calls that are requests of their own, by their names in shared_folder.py.
KINDS = {
    "stat": "stat", "newfstatat": "stat", "statx": "stat", "lstat": "stat", "access": "access",
    "faccessat": "access", "faccessat2": "access", "mkdir": "mkdir", "mkdirat": "mkdir",
    "rename": "rename", "renameat": "rename", "renameat2": "rename", "unlink": "unlink",
    "unlinkat": "unlink", "rmdir": "rmdir", "chmod": "chmod", "fchmodat": "chmod",
    "utimensat": "utime", "readlink": "readlink", "flock": "lock", "fsync": "fsync",
}  # fmt: skip
ONCE = {"read": "read", "pread64": "read", "write": "write", "pwrite64": "write",
        "getdents64": "listing"}  # fmt: skip


def count(command: list[str], folder: Path, cwd: Path | None = None) -> Counter[str]:
    """Run a command, and return its operations on the shared folder by kind.

    Raises CalledProcessError if it fails.
    """
    with tempfile.TemporaryDirectory() as traces:
        names = ",".join((*KINDS, *ONCE, "open", "openat"))
        strace = ["strace", "-ff", "-y", "-qq", "-e", "signal=none", "-s", "200",
                  "-e", f"trace=?{names.replace(',', ',?')}", "-o", f"{traces}/t"]  # fmt: skip
        subprocess.run([*strace, *command], check=True, capture_output=True, cwd=cwd)
        kinds: Counter[str] = Counter()
        for trace in Path(traces).iterdir():
            with trace.open(encoding="utf-8", errors="replace") as lines:
                _count(lines, str(folder), kinds)
    return kinds


def _count(lines: object, folder: str, kinds: Counter[str]) -> None:
    used: dict[str, set[str]] = {}  # by open file: what it was used for
    for line in lines:  # type: ignore[attr-defined]
        found = CALL.match(line)
        if found is None or folder not in line:
            continue
        name, arguments, code = found.groups()
        handle = arguments.partition("<")[0]
        if name in ("open", "openat"):
            listed = "O_DIRECTORY" in arguments
            kinds["listing" if listed else "open"] += 1
            if int(code) >= 0:
                used[code] = set(ONCE.values()) if listed else set()
        elif name in ONCE:
            if ONCE[name] not in used.setdefault(handle, set()):
                used[handle].add(ONCE[name])
                kinds[ONCE[name]] += 1
        elif name == "fsync" and Path(arguments.partition("<")[2].rstrip(">")).is_dir():
            continue  # as in shared_folder.py
        elif "AT_EMPTY_PATH" not in arguments:  # which asks about an open file
            kind = "rmdir" if "AT_REMOVEDIR" in arguments else KINDS[name]
            kinds[kind] += 1
