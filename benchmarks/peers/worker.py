"""What runs in a contestant's interpreter: one job for each line of input, one line of JSON for each result.

The text is handed to `python -c`, so that this folder is not on the path: its files have the peers' names.
"""

import gc
import importlib
import json
import os
import sys
import traceback
from time import perf_counter_ns

# Whatever a contestant or its compiler prints goes to stderr.
reports = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def setup(job):
    """Installs the hook; the clock runs for its import alone."""
    start = perf_counter_ns()
    exec(job["hook"], {"folder": job["folder"]})
    seconds = (perf_counter_ns() - start) * 1e-9
    sys.path.insert(0, job["folder"])
    return {"seconds": seconds}


def load(job):
    """Times the import statement. Garbage collections fall anywhere and take as long as a warm import."""
    call = compile(job["call"], "<call>", "eval")
    if job["lazy"]:
        start = perf_counter_ns()
        module = importlib.import_module(job["module"])
        value = eval(call, {"m": module})
    else:
        gc.disable()
        start = perf_counter_ns()
        module = importlib.import_module(job["module"])
        end = perf_counter_ns()
        gc.enable()
        value = eval(call, {"m": module})
    end = perf_counter_ns() if job["lazy"] else end
    return {"seconds": (end - start) * 1e-9, "value": value, "file": getattr(module, "__file__", None)}


def reload(job):
    """Times the way from a saved edit to the result of a call."""
    call = compile(job["call"], "<call>", "eval")
    start = perf_counter_ns()
    module = importlib.reload(sys.modules[job["module"]])
    value = eval(call, {"m": module})
    return {"seconds": (perf_counter_ns() - start) * 1e-9, "value": value}


for line in sys.stdin:
    job = json.loads(line)
    try:
        report = {"setup": setup, "load": load, "reload": reload}[job["do"]](job)
    except BaseException as error:
        traceback.print_exc()
        text = str(error).strip().splitlines()
        report = {"error": f"{type(error).__name__}: {text[0] if text else ''}"}
    print(json.dumps(report), file=reports, flush=True)
