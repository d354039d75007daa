"""What the benches share: the programs under test as processes, waiting for them, and rows of figures."""

import math
import os
import pathlib
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
OPERATOR = os.environ.get("ENGAGE_OPERATOR") or str(TARGET / "release/engage-operator")
SIMULATOR = os.environ.get("ENGAGE_SIMULATOR") or str(TARGET / "release/engage-simulator")
PATIENCE = 120

running = []


def start(command, log, environment=None):
    with open(log, "ab") as output:
        running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment))
    return running[-1]


def stop(process):
    process.terminate()
    process.wait()
    running.remove(process)


def stop_all():
    for process in reversed(running):
        process.terminate()
    for process in running:
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(true, what):
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.002)


def memory(process):
    """Resident, and of it anonymous, in MB."""
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return tuple(int(values[key].split()[0]) / 1024 for key in ("VmRSS", "RssAnon"))


def cpu(process):
    """Seconds of processor time so far."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def row(*cells):
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def milliseconds(seconds):
    return f"{seconds * 1000:.0f} ms"


def median(values):
    return sorted(values)[len(values) // 2]


def percentile(seconds, percent):
    return milliseconds(sorted(seconds)[math.ceil(len(seconds) * percent / 100) - 1])


def spread(seconds):
    return f"{milliseconds(median(seconds))} (at most {milliseconds(max(seconds))} of {len(seconds)})"
