"""Makes folders of numbers as models hold them, to be stored smaller: `python number_files.py OUT MEBIBYTES`.

One folder a kind, with one file: normal weights, each layer with a deviation of its own, as float32, bfloat16, float16
and int8 (symmetric, a scale a layer); bfloat16 that was written as float32; float64; and random bytes, as what is
compressed or sealed already looks. The same arguments make the same bytes anywhere.
"""

import sys
from pathlib import Path

import numpy as np

MEBIBYTE = 2**20
LAYER = 2 * MEBIBYTE


def bfloat16(values: np.ndarray) -> np.ndarray:
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def int8(values: np.ndarray) -> np.ndarray:
    return np.round(values * (127 / np.abs(values).max())).astype(np.int8)


KINDS = {
    "float32": lambda values: values,
    "float32-from-bfloat16": lambda values: (bfloat16(values).astype(np.uint32) << 16).view(np.float32),
    "bfloat16": bfloat16,
    "float16": lambda values: values.astype(np.float16),
    "int8": int8,
    "float64": lambda values: values.astype(np.float64) * np.pi,
    "random": lambda values: np.random.default_rng(int(values.view(np.uint32)[0])).integers(0, 256, values.nbytes, np.uint8),
}


def main(out: Path, mebibytes: int) -> None:
    for kind, convert in KINDS.items():
        (out / kind).mkdir(parents=True)
        written = 0
        with open(out / kind / "weights.bin", "wb") as file:
            for number in range(10**9):
                random = np.random.default_rng(number)
                deviation = np.float32(0.02 * 2.0 ** random.uniform(-2, 2))
                data = convert(random.standard_normal(LAYER, dtype=np.float32) * deviation).tobytes()
                written += file.write(data[: mebibytes * MEBIBYTE - written])
                if written == mebibytes * MEBIBYTE:
                    break


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
