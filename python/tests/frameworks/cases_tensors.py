"""Keras 3 and TensorFlow SavedModels."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from matrix import Case


def _measurements(columns: int = 4) -> Any:
    import numpy as np

    return np.random.default_rng(5).normal(size=(40, columns)).astype("float32")


def keras_sequential() -> tuple[Any, Any]:
    import keras

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    data = _measurements()
    model.fit(data, (data.sum(1) > 0).astype(int), epochs=1, verbose=0)
    return model, data


def keras_images() -> tuple[Any, Any]:
    import keras
    import numpy as np

    keras.utils.set_random_seed(2)
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)])
    return model, np.random.default_rng(3).integers(0, 256, (5, 8, 8, 3)).astype("float32")


def keras_two_inputs() -> tuple[Any, Any]:
    import keras
    import numpy as np

    keras.utils.set_random_seed(3)
    words = keras.Input((6,), dtype="int32", name="words")
    numbers = keras.Input((2,), name="numbers")
    embedded = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 4)(words))
    joined = keras.layers.Concatenate()([embedded, numbers])
    outputs = {"score": keras.layers.Dense(1, name="score")(joined), "kind": keras.layers.Dense(3, name="kind")(joined)}
    data = {"words": np.random.default_rng(1).integers(0, 20, (7, 6)).astype("int32"), "numbers": _measurements(2)[:7]}
    return keras.Model({"words": words, "numbers": numbers}, outputs), data


def keras_recurrent() -> tuple[Any, Any]:
    import keras
    import numpy as np

    keras.utils.set_random_seed(4)
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(5), keras.layers.Dense(1)])
    return model, np.random.default_rng(4).normal(size=(6, 9, 3)).astype("float32")


def _saved(module: Any) -> Any:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.__call__.get_concrete_function())
        return tf.saved_model.load(folder)


def tensorflow_module() -> tuple[Any, Any]:
    import tensorflow as tf

    class Line(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slope = tf.Variable([[2.0], [0.5], [-1.0], [3.0]])

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            return {"y": tf.matmul(x, self.slope) + 1.0}

    return _saved(Line()), _measurements()


def keras_exported() -> tuple[Any, Any]:
    import tensorflow as tf

    model, data = keras_sequential()
    with tempfile.TemporaryDirectory() as folder:
        model.export(str(Path(folder, "exported")), verbose=False)
        return tf.saved_model.load(str(Path(folder, "exported"))), data


CASES = [
    Case("keras", "Sequential", keras_sequential, 1e-6),
    Case("keras", "images", keras_images, 1e-6),
    Case("keras", "two inputs, two outputs", keras_two_inputs, 1e-6),
    Case("keras", "LSTM, any length", keras_recurrent, 1e-6),
    Case("tensorflow", "tf.Module", tensorflow_module, 1e-6, lambda model, data: model(data)["y"]),
    Case("tensorflow", "exported Keras model", keras_exported, 1e-6, lambda model, data: model.serve(data)),
]
