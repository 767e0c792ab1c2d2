"""Runs a command and appends its wall time, processor time and peak memory to a file of JSON lines.

    measure.py LINES KEY=VALUE ... -- COMMAND ...

Peak memory is that of the largest process among the command and its children. A command that fails, fails here.
"""

import json
import resource
import subprocess
import sys
import time

lines, *rest = sys.argv[1:]
cut = rest.index("--")
begin = time.perf_counter()
status = subprocess.run(rest[cut + 1 :], stdout=subprocess.DEVNULL).returncode
seconds = time.perf_counter() - begin
if status != 0:
    sys.exit(f"{' '.join(rest[cut + 1 :])}: exit status {status}")
used = resource.getrusage(resource.RUSAGE_CHILDREN)
result = {"kind": "time"} | dict(pair.split("=", 1) for pair in rest[:cut])
result |= {"seconds": seconds, "processor_seconds": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}
with open(lines, "a") as out:
    print(json.dumps(result), file=out)
