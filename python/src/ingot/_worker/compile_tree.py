"""Writes the bytecode of a tree of modules, the same bytes on every machine that has the same Python.

    python -s compile_tree.py DIRECTORY PLACE

Each `a/b.py` gets `a/__pycache__/b.cpython-311.pyc` of the kind that is taken without a look at its source. PLACE is
where the tree will lie, for tracebacks. What is no valid source is left out, as importing it would fail.
"""

import importlib.util
import marshal
import os
import sys
from concurrent.futures import ProcessPoolExecutor

# Marked as found by its hash and not to be compared with its source; PEP 552.
UNCHECKED_HASH = (0b01).to_bytes(4, "little")
# Later forms write a reference where an object is held twice at that moment, which is not the same every time.
STEADY_FORM = 2


def compile_file(job):
    path, shown = job
    with open(path, "rb") as file:
        source = file.read()
    try:
        code = compile(source, shown, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError):
        return 0
    head = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH + importlib.util.source_hash(source)
    target = importlib.util.cache_from_source(path, optimization="")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(head + marshal.dumps(code, STEADY_FORM))
    return 1


def jobs_of(directory, place):
    for parent, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(parent, name)
                yield path, place.rstrip("/") + "/" + os.path.relpath(path, directory).replace(os.sep, "/")


def main():
    directory, place = sys.argv[1:3]
    # The cache lies beside the sources, whatever this machine says of its own.
    sys.pycache_prefix = None
    jobs = list(jobs_of(directory, place))
    with ProcessPoolExecutor() as pool:
        done = sum(pool.map(compile_file, jobs, chunksize=32))
    print(done)


if __name__ == "__main__":
    main()
