"""Kernels that are edited while a cluster works with them."""

from __future__ import annotations

import ast

from helpers import value

from cluster.texts import THING

EDITS = """
import pathlib, pickle
from dask.tokenize import tokenize
path = pathlib.Path("k.rs")
text = path.read_text()
import k
rsimport.dask.enable(client)
submitted, tokens, taken, tiers = [], {}, [], []
for number in (1, 2, 3, 2, 1):
    path.write_text(text.replace("    1\\n", f"    {number}\\n"))
    rsimport.reload(k)
    taken.append((number, k.value))
    tokens.setdefault(number, set()).add(tokenize(k.value))
    submitted += [(n, client.submit(function, pure=False)) for n, function in taken]
pathlib.Path("kept").write_bytes(pickle.dumps(k.value))
path.write_text(text.replace("    1\\n", "    7\\n"))
rsimport.reload(k)
before = pickle.loads(pathlib.Path("kept").read_bytes())
show(lambda: client.submit(before).result(60) + client.submit(k.value).result(60))


def by_name():
    import k
    return k.value()


show(lambda: client.submit(by_name).result(60))
# What was compiled fast here is sent when it is optimised, however late that is.
for where in (lambda function: function(), lambda function: on("b", function)):
    tiers.append(where(lambda: rsimport.info(__import__("k")).tier))
print(tiers)
path.write_text(text)
rsimport.reload(k)
show(lambda: client.submit(by_name, pure=False).result(60))
print(all(future.result(100) == number for number, future in submitted))
print([len(found) for found in tokens.values()], len(set.union(*tokens.values())))
"""


def test_a_task_runs_the_text_with_which_it_was_submitted(client, kernel):
    kernel("k", value(1))
    out = client(EDITS, RSIMPORT_TIER="fast", RSIMPORT_REUSE_GLUE="false")
    assert out == ["8", "7", "['fast', 'optimized']", "1", "True", "[1, 1, 1] 3"]


UNDER_LOAD = """
import pathlib, threading
from functools import partial
from dask.tokenize import tokenize
path = pathlib.Path("k.rs")
text, edited = path.read_text(), os.path.abspath("edited")
import k
client.wait_for_workers(3)
rsimport.dask.enable(client)


def task(function, n):
    time.sleep(0.004)
    while n >= 200 and not os.path.exists(edited):
        time.sleep(0.004)
    return function()


def through_module(module, n):
    return module.value()


long = client.map(partial(task, k.value), range(300), pure=False)
submitted, over = [(1, long)], threading.Event()


def load():
    while not over.wait(0.05):
        function = k.value
        submitted.append((function(), client.map(partial(task, function), range(5), pure=False)))


loads = [threading.Thread(target=load) for _ in range(2)]
for thread in loads:
    thread.start()
keys, tokens, went_on = {}, {}, 0
for edit in range(20):
    number = (2, 3, 1, 3)[edit % 4]
    path.write_text(text.replace("    1\\n", f"    {number}\\n"))
    rsimport.reload(k)
    went_on += any(future.status == "pending" for future in long)
    pathlib.Path(edited).touch()
    future = client.submit(k.value)
    keys.setdefault(number, set()).add(future.key)
    tokens.setdefault(number, set()).add(tokenize(k.value, k))
    submitted += [(number, [future]), (number, client.map(partial(through_module, k), range(3), pure=False))]
over.set()
for thread in loads:
    thread.join()
print(went_on > 0, len(submitted) > 60)
print({(number, *set(client.gather(futures))) for number, futures in submitted})
for found in (keys, tokens):
    print(sorted(map(len, found.values())), len(set.union(*found.values())))
"""


def test_edits_under_load_give_no_result_of_another_text(client, kernel):
    kernel("k", value(1))
    went_on, results, *same = client(UNDER_LOAD)
    assert went_on == "True True"
    assert ast.literal_eval(results) == {(1, 1), (2, 2), (3, 3)}
    assert same == ["[1, 1, 1] 3"] * 2, "equal content, equal key"


LOST = """
import pathlib
path = pathlib.Path("k.rs")
text = path.read_text()
import k
client.wait_for_workers(3)
rsimport.dask.enable(client)


def task(function, thing, begun, go):
    if not os.path.exists(begun):
        open(begun, "w").close()
        while not os.path.exists(go):
            time.sleep(0.01)
        os._exit(1)
    return function(), thing.number()


begun, go = os.path.abspath("begun"), os.path.abspath("go")
first = {"workers": ["b"], "allow_other_workers": True}
retried = client.submit(task, k.value, k.Thing(5), begun, go, **first)
other = client.map(lambda n: k.value() + n, range(20), **first)
while not os.path.exists(begun) and not retried.done():
    time.sleep(0.01)
path.write_text(text.replace("    1\\n", "    2\\n").replace("self.n }", "self.n * 100 }"))
rsimport.reload(k)
later = client.submit(task, k.value, k.Thing(5), begun, go, pure=False, **first)
open(go, "w").close()
for future in (retried, later):
    show(lambda: future.result(60))
show(lambda: client.gather(other) == list(range(1, 21)))
client.wait_for_workers(3)
show(lambda: on("b", k.value))
"""


def test_what_is_run_again_after_a_worker_was_lost_runs_the_same_text(client, kernel):
    kernel("k", value(1) + THING)
    assert client(LOST) == ["(1, 5)", "(2, 500)", "True", "2"]
