"""Makes the folders that the storage measurements move: `python model_folders.py OUT MEBIBYTES [VARIANT…]`.

`v1` holds float32 weights as layers of a network have them (normal, each layer with a deviation of its own) in two
large files, three quarters and one quarter, and 200 small files. Every variant is `v1` with 4,109 bytes inserted near
the front of the first large file and 2 % of all weights changed: `v2` one region, `v2-scattered` 100 regions.
The same arguments make the same bytes anywhere.
"""

import json
import sys
from pathlib import Path

import numpy as np

MEBIBYTE = 2**20
LAYER_BYTES = 8 * MEBIBYTE
SMALL_FILES = 200
INSERTED = 4109
INSERTED_AT = 2000
CHANGED_SHARE = 0.02
REGIONS = {"v2": 1, "v2-scattered": 100}


def layer(seed: int, size: int) -> bytes:
    random = np.random.default_rng(seed)
    deviation = np.float32(0.02 * 2.0 ** random.uniform(-2, 2))
    return (random.standard_normal(size // 4, dtype=np.float32) * deviation).tobytes()


def write_weights(path: Path, seed: int, size: int) -> None:
    with open(path, "wb") as file:
        for number, start in enumerate(range(0, size, LAYER_BYTES)):
            file.write(layer(seed * 100_000 + number, min(LAYER_BYTES, size - start)))


def write_small_files(folder: Path) -> None:
    random = np.random.default_rng(7)
    for number in range(SMALL_FILES):
        values = random.standard_normal(250).round(6).tolist()
        path = folder / "tokens" / f"part-{number:03}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"part": number, "values": values}))


def write_changed(source: Path, target: Path, changed: int, regions: int) -> None:
    """Copies a file with an insertion and with `changed` bytes of it, in so many regions, replaced by other weights."""
    size = source.stat().st_size
    length = changed // regions // 4 * 4
    gap = size // (regions + 1)
    starts = [max(INSERTED_AT, gap * (number + 1) - length // 2) // 4 * 4 for number in range(regions)]
    with open(source, "rb") as old, open(target, "wb") as new:
        new.write(old.read(INSERTED_AT))
        new.write(np.random.default_rng(3).bytes(INSERTED))
        for number, start in enumerate(starts):
            copy(old, new, start - old.tell())
            new.write(layer(9_000_000 + number, length))
            old.seek(start + length)
        copy(old, new, size - old.tell())


def copy(old, new, count: int) -> None:
    while count > 0:
        block = old.read(min(count, LAYER_BYTES))
        new.write(block)
        count -= len(block)


def main(out: Path, mebibytes: int, variants: list[str]) -> None:
    total = mebibytes * MEBIBYTE
    sizes = {"weights-1.bin": total // 4 * 3, "weights-2.bin": total // 4}
    first = out / "v1"
    first.mkdir(parents=True, exist_ok=True)
    for seed, (name, size) in enumerate(sizes.items(), 1):
        write_weights(first / name, seed, size)
    write_small_files(first)
    for variant in variants:
        folder = out / variant
        folder.mkdir(exist_ok=True)
        write_small_files(folder)
        changed = int(total * CHANGED_SHARE)
        write_changed(first / "weights-1.bin", folder / "weights-1.bin", changed, REGIONS[variant])
        with open(first / "weights-2.bin", "rb") as old, open(folder / "weights-2.bin", "wb") as new:
            copy(old, new, sizes["weights-2.bin"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
