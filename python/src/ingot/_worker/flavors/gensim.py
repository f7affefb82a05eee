"""Gensim models: what ``model.save`` writes, a pickle with large arrays beside it.

``flavor.json``: ``artifact`` (the main file), ``class`` (``gensim.models.word2vec.Word2Vec``, …).

All are asked with texts; words are what lies between spaces, unless a list of words is given.

- Word2Vec, FastText, KeyedVectors: ``predict`` gives a vector a text: that of a word, of several the mean of those known
  (zeros when none is). ``predict_similar`` gives the ten nearest words with their similarity.
- Doc2Vec: ``predict`` infers a vector a text; ``predict_similar`` gives the nearest documents of training.
- LdaModel and other models of topics: ``predict`` gives one weight a topic.
"""

from __future__ import annotations

import threading
import types
import zlib
from pathlib import Path
from typing import Any

from . import existing
from ._tables import kind_of
from ._texts import texts_of

__all__ = ["load", "predictor"]

_NEAREST = 10


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the model that was pushed. Executes what the pickle says."""
    file = str(existing(root, description["artifact"]))
    kind = description.get("class")
    if kind is not None:
        return kind_of(kind, "gensim", "SaveLoad").load(file)
    from gensim.utils import SaveLoad, unpickle  # noqa: PLC0415

    named = type(unpickle(file))
    return (named if hasattr(named, "load") else SaveLoad).load(file)


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers texts; the object itself where it is neither vectors nor topics."""
    if hasattr(native, "infer_vector"):
        return _Documents(native)
    if hasattr(native, "get_vector") or hasattr(native, "wv"):
        return _Words(getattr(native, "wv", native))
    return _Topics(native) if getattr(native, "id2word", None) is not None else native


def _words(text: Any) -> list[str]:
    return text.split() if isinstance(text, str) else [str(word) for word in text]


def _signature(width: int) -> dict[str, Any]:
    inputs = [{"name": "text", "type": "string"}]
    outputs = [{"name": "prediction", "type": "tensor", "dtype": "FP32", "shape": [-1, width]}]
    return {"inputs": inputs, "outputs": outputs, "origin": "captured"}


def _neighbours(found: list[list[tuple[Any, float]]]) -> dict[str, list[Any]]:
    """One list a text of each; a text without neighbours has empty names."""
    widest = max((len(row) for row in found), default=0)
    padded = [[*row, *[("", 0.0)] * (widest - len(row))] for row in found]
    return {
        "words": [[str(name) for name, _ in row] for row in padded],
        "scores": [[float(score) for _, score in row] for row in padded],
    }


class _Words:
    ingot_input = "texts"

    def __init__(self, vectors: Any) -> None:
        self._vectors = vectors
        self.ingot_signature = _signature(int(vectors.vector_size))

    def predict(self, data: Any) -> Any:
        """One vector a text, as an array of 32-bit floats."""
        import numpy as np  # noqa: PLC0415

        answers = [self._of(text) for text in texts_of(data)]
        return np.array(answers, dtype="float32").reshape(len(answers), self._vectors.vector_size)

    def predict_similar(self, data: Any) -> dict[str, list[Any]]:
        """The ten words nearest to each text, with their cosine similarity."""
        return _neighbours([self._nearest(text) for text in texts_of(data)])

    def _known(self, text: Any) -> list[str]:
        # A phrase may be one entry of the vocabulary; FastText knows any word by its parts.
        if isinstance(text, str) and text in self._vectors.key_to_index:
            return [text]
        subwords = hasattr(self._vectors, "vectors_ngrams")
        return [word for word in _words(text) if subwords or word in self._vectors.key_to_index]

    def _of(self, text: Any) -> Any:
        import numpy as np  # noqa: PLC0415

        known = self._known(text)
        if not known:
            return np.zeros(self._vectors.vector_size, dtype="float32")
        if len(known) == 1:
            return self._vectors.get_vector(known[0])
        return np.mean([self._vectors.get_vector(word) for word in known], axis=0)

    def _nearest(self, text: Any) -> list[tuple[Any, float]]:
        known = self._known(text)
        return self._vectors.most_similar(positive=known, topn=_NEAREST) if known else []


class _Documents:
    ingot_input = "texts"

    def __init__(self, native: Any) -> None:
        self._native = native
        self._lock = threading.Lock()
        self._inferred = _with_stable_start(type(native).infer_vector)
        self.ingot_signature = _signature(int(native.vector_size))

    def predict(self, data: Any) -> Any:
        """One inferred vector a text; the same text always has the same one."""
        import numpy as np  # noqa: PLC0415

        answers = [self._infer(text) for text in texts_of(data)]
        return np.array(answers, dtype="float32").reshape(len(answers), self._native.vector_size)

    def predict_similar(self, data: Any) -> dict[str, list[Any]]:
        """The ten documents of training nearest to each text, with their cosine similarity."""
        vectors = self._native.dv
        return _neighbours([vectors.most_similar([self._infer(text)], topn=_NEAREST) for text in texts_of(data)])

    def _infer(self, text: Any) -> Any:
        with self._lock:
            return _seeded(self._native, "random", lambda: self._inferred(self._native, _words(text)))


def _with_stable_start(infer: Any) -> Any:
    """Gives ``infer_vector`` with another start of a text's vector: gensim's is Python's hash, another one in each process."""
    if not isinstance(infer, types.FunctionType):
        return infer

    def start(size: int, seed_string: str | None = None, hashfxn: Any = None) -> Any:
        from gensim.models.keyedvectors import pseudorandom_weak_vector  # noqa: PLC0415

        return pseudorandom_weak_vector(size, seed_string, lambda text: zlib.crc32(text.encode("utf-8", "surrogatepass")))

    known = {**infer.__globals__, "pseudorandom_weak_vector": start}
    made = types.FunctionType(infer.__code__, known, infer.__name__, infer.__defaults__, infer.__closure__)
    made.__kwdefaults__ = infer.__kwdefaults__
    return made


class _Topics:
    ingot_input = "texts"

    def __init__(self, native: Any) -> None:
        self._native = native
        self._lock = threading.Lock()
        count = getattr(native, "num_topics", None) or len(native.id2word)
        self._count = int(count)
        self.ingot_signature = _signature(self._count)

    def predict(self, data: Any) -> Any:
        """One weight a topic and text."""
        import numpy as np  # noqa: PLC0415

        texts = texts_of(data)
        answer = np.zeros((len(texts), self._count), dtype="float32")
        for row, text in enumerate(texts):
            for topic, weight in self._weights(text):
                answer[row, topic] = weight
        return answer

    def _weights(self, text: Any) -> Any:
        bag = _bag(self._native.id2word, _words(text))
        if not hasattr(self._native, "get_document_topics"):
            return self._native[bag]
        with self._lock:
            ask = lambda: self._native.get_document_topics(bag, minimum_probability=0)  # noqa: E731
            return _seeded(self._native, "random_state", ask)


def _bag(dictionary: Any, words: list[str]) -> list[tuple[int, int]]:
    if hasattr(dictionary, "doc2bow"):
        return list(dictionary.doc2bow(words))
    places = {word: place for place, word in dictionary.items()}
    counts: dict[int, int] = {}
    for word in words:
        if word in places:
            counts[places[word]] = counts.get(places[word], 0) + 1
    return sorted(counts.items())


def _seeded(native: Any, name: str, ask: Any) -> Any:
    """Asks with random numbers that begin the same way each time, and gives the model its own back."""
    import numpy as np  # noqa: PLC0415

    if not hasattr(native, name):
        return ask()
    own = getattr(native, name)
    setattr(native, name, np.random.RandomState(0))
    try:
        return ask()
    finally:
        setattr(native, name, own)
