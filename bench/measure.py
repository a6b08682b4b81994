"""measure: what a server's processes cost: CPU, memory, kernel's sockets.

An account is a control group of its own where one may be made (cgroup v2,
whose cpu.stat counts every process, those that ended included), else the
tree of processes in /proc.
"""

import contextlib
import os
import pathlib
import re
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def own_cgroup():
    """The folder of our own cgroup v2, None where there is none."""
    mount = None
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        words = line.split()
        if words[2] == "cgroup2":
            mount = pathlib.Path(words[1])
    line = re.search(r"^0::/(.*)$",
                     pathlib.Path("/proc/self/cgroup").read_text(), re.M)
    return mount / line.group(1) if mount and line else None


class Accounts:
    """Makes accounts; a context manager that removes their groups."""

    def __init__(self, use_cgroup=True):
        self.home = own_cgroup() if use_cgroup else None
        self.folder = None
        self.count = 0

    def __enter__(self):
        if self.home is not None:
            folder = self.home / f"kaya-bench-{os.getpid()}"
            try:
                folder.mkdir()
                with self._inside(folder):
                    pass
                self.folder = folder
            except OSError:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        return self

    def __exit__(self, *unused):
        if self.folder is not None:
            for group in [*self.folder.iterdir(), self.folder]:
                if group.is_dir():
                    with contextlib.suppress(OSError):
                        group.rmdir()

    @property
    def method(self):
        return "cgroup v2" if self.folder is not None else "/proc"

    @contextlib.contextmanager
    def _inside(self, group):
        """Be in the group for a moment: children are born where we are."""
        (group / "cgroup.procs").write_text("0")
        try:
            yield
        finally:
            (self.home / "cgroup.procs").write_text("0")

    def start(self, make):
        """Start a server by make(), in an account of its own: both."""
        if self.folder is None:
            server = make()
            return server, Account(None, server.pid)
        self.count += 1
        group = self.folder / str(self.count)
        group.mkdir()
        with self._inside(group):
            server = make()
        return server, Account(group, server.pid)


class Account:
    def __init__(self, group, pid):
        self.group = group
        self.pid = pid

    def close(self):
        """After the server's end."""
        if self.group is not None:
            end = time.monotonic() + 10
            while time.monotonic() < end:
                try:
                    self.group.rmdir()
                    return
                except OSError:
                    time.sleep(0.02)

    def pids(self):
        if self.group is not None:
            text = (self.group / "cgroup.procs").read_text()
            return [int(word) for word in text.split()]
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for task in _listed(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError):
                    text = pathlib.Path(
                        f"/proc/{pid}/task/{task}/children").read_text()
                    todo += [int(word) for word in text.split()]
        return found

    def cpu_s(self):
        """Seconds of CPU of all its processes, those that ended too."""
        if self.group is not None:
            text = (self.group / "cpu.stat").read_text()
            return int(re.search(r"usage_usec (\d+)", text).group(1)) / 1e6
        return sum(process_cpu_s(pid) for pid in self.pids())

    def settled_cpu_s(self):
        """The same, once nothing moves any more."""
        before = self.cpu_s()
        for _ in range(50):
            time.sleep(0.1)
            now = self.cpu_s()
            if now - before < 0.001:
                return now
            before = now
        return before

    def pss_kb(self, part="Pss"):
        """Pss_Anon leaves out what is read from files: libraries, of which
        each has the less the more others use them."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(rf"^{part}:\s+(\d+)", text,
                                       re.M).group(1))
        return total

    def sockets(self):
        """The inodes of its sockets."""
        found = set()
        for pid in self.pids():
            for fd in _listed(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    name = os.readlink(f"/proc/{pid}/fd/{fd}")
                    if name.startswith("socket:["):
                        found.add(int(name[8:-1]))
        return found

    def kernel_kb(self):
        """What its sockets hold in the kernel; None where nobody tells."""
        size = object_bytes()
        own = self.sockets()
        total = len(own) * size["sock_inode_cache"] if size else 0
        for name, options in (("TCP", "-t"), ("UNIX", "-x")):
            for inode, waiting in socket_buffers(options):
                if inode in own:
                    total += waiting + (size.get(name, 1024) if size else 0)
        return total / 1024 if size else None


def process_cpu_s(pid):
    """Of one process and of the children that it has waited for."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        words = [int(word) for word in
                 text[text.rindex(")") + 2:].split()[11:15]]
    except OSError:
        return 0
    # A process that has lived for some milliseconds has no tick to show; its
    # threads' own clocks count in nanoseconds.
    own = 0
    for task in _listed(f"/proc/{pid}/task"):
        try:
            told = pathlib.Path(
                f"/proc/{pid}/task/{task}/schedstat").read_text()
            own += int(told.split()[0]) / 1e9
        except OSError:
            own = 0
            break
    return (own or sum(words[:2]) / TICKS) + sum(words[2:]) / TICKS


def _listed(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def object_bytes():
    """The kernel's size of a TCP socket, a UNIX socket, an inode and file."""
    try:
        text = pathlib.Path("/proc/slabinfo").read_text()
    except OSError:
        return None
    size = {}
    for line in text.splitlines():
        words = line.split()
        if words[0] in ("TCP", "UNIX", "UNIX-STREAM", "sock_inode_cache",
                        "filp"):
            size[words[0]] = int(words[3])
    if "TCP" not in size or "sock_inode_cache" not in size:
        return None
    size["UNIX"] = size.get("UNIX", size.get("UNIX-STREAM", 1024))
    size["sock_inode_cache"] += size.get("filp", 256)
    return size


def socket_buffers(options):
    """Of each socket its inode and the bytes of its buffers."""
    told = subprocess.run(["ss", "-Hanme", options], capture_output=True,
                          text=True, check=True).stdout
    # The memory stands in the socket's own line or in the one behind it.
    for line in re.sub(r"\n\s+", " ", told).splitlines():
        words = line.split()
        inode = re.search(r"\bino:(\d+)", line)
        if options == "-x" and len(words) > 5:
            inode = re.match(r"(\d+)$", words[5])
        memory = re.search(
            r"skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+),o(\d+)", line)
        if inode:
            yield (int(inode.group(1)),
                   sum(map(int, memory.groups())) if memory else 0)
