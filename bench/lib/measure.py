"""Runs a command and writes what it cost, children included: wall, user, system seconds and peak memory.

python measure.py RESULT.json SECONDS COMMAND [ARGUMENT…]

After SECONDS it is ended, with all that it started, and its code is 124.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time

result, seconds, command = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
started = time.perf_counter()
# A group of its own, so that it ends whole.
child = subprocess.Popen(command, start_new_session=True)
try:
    code = child.wait(seconds)
except BaseException as error:
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if not isinstance(error, subprocess.TimeoutExpired):
        raise
    code = 124
wall = time.perf_counter() - started
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
unit = 1 if sys.platform == "darwin" else 1024
with open(result, "w") as file:
    json.dump({"code": code, "wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peakBytes": usage.ru_maxrss * unit}, file)
