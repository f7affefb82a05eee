"""Runs a command and writes what it cost, children included: wall, user, system seconds and peak memory.

python measure.py RESULT.json COMMAND [ARGUMENT…]
"""

import json
import resource
import subprocess
import sys
import time

result, command = sys.argv[1], sys.argv[2:]
started = time.perf_counter()
code = subprocess.run(command, check=False).returncode
wall = time.perf_counter() - started
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
unit = 1 if sys.platform == "darwin" else 1024
with open(result, "w") as file:
    json.dump({"code": code, "wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peakBytes": usage.ru_maxrss * unit}, file)
