"""A user's program against the stubs of the shipped kernels."""

import binary_log
import count_min_sketch
import dispatcher
import hot_loop
import increment
import logistic
import logistic_map
import numpy as np
import strings

a: float = logistic.logistic(1000, 3.9, 0.5)
b: float = logistic.logistic_nogil(steps=10, r=3.9, x=a)
i: int = increment.increment(3) + increment.increment_address()
p: float = hot_loop.integrate(lambda x: x * x, 0.0, 1.0, 100)
q: float = hot_loop.integrate_native(hot_loop.native_example(), 0.0, 1.0, 100)
final = logistic_map.final_values(np.linspace(2.5, 4, 10), 100)
print(final.mean(), final[0])
r, x = logistic_map.bifurcation([3.1, 3.2])
d: int = strings.levenshtein_distance("a", "b")
m = strings.cdist(["a"], ["b"], metric="jaro", score_cutoff=0.5, threads=2)
print(m.shape)
s = count_min_sketch.CountMinSketch(1000, 5)
s.insert("x")
s.insert_many([1, 2, 3])
n: int = s.count("x")
s2 = s | s
s |= s2
s.merge(s2)
top = s.top_k(3, ["a", "b"])
best: str = top[0][0]
h = count_min_sketch.HeavyHitters(10)
print([k for k, c in h.top(3)])
strs = count_min_sketch.CountMinSketchStr(10, 2)
reader = binary_log.RowReader("x")
for row in reader.rows:
    print(row.index, row["price"])
print(len(reader.rows), reader.rows[0].timestamp, reader.values("price").sum(), reader.columns["a"])
try:
    reader.id_name(3)
except binary_log.LogError as e:
    print(e.offset)
with binary_log.RowWriter("y", {"price": "float64"}) as w:
    w.append(1, {"price": 2.0})
with dispatcher.Dispatcher(queue_size=10) as dd:
    dd.register("kind", print)
    dd.post("kind", 1)
    dd.start(2)
# wrong on purpose
logistic.logistic("1000", 3.9, 0.5)
strings.soundex(3)
