"""Words, neighbours and explanations: gensim, spaCy, annoy, SHAP."""

from __future__ import annotations

from typing import Any

from matrix import Case

SENTENCES = [line.split() for line in ("the bank lends money", "the river bank is wet", "money moves the bank", "a wet river")] * 15


def gensim_word2vec() -> tuple[Any, Any]:
    from gensim.models import Word2Vec

    return Word2Vec(SENTENCES, vector_size=12, min_count=1, epochs=3, seed=1, workers=1), ["bank", "wet river", "unheard"]


def gensim_fasttext() -> tuple[Any, Any]:
    from gensim.models import FastText

    model = FastText(SENTENCES, vector_size=12, min_count=1, epochs=2, seed=1, workers=1, bucket=500)
    return model, ["bank", "banker", "wet river"]


def gensim_doc2vec() -> tuple[Any, Any]:
    from gensim.models.doc2vec import Doc2Vec, TaggedDocument

    documents = [TaggedDocument(words, [index]) for index, words in enumerate(SENTENCES[:20])]
    return Doc2Vec(documents, vector_size=10, min_count=1, epochs=5, seed=1, workers=1), ["money in the bank", "a river"]


def gensim_lda() -> tuple[Any, Any]:
    from gensim.corpora import Dictionary
    from gensim.models import LdaModel

    dictionary = Dictionary(SENTENCES)
    corpus = [dictionary.doc2bow(words) for words in SENTENCES]
    return LdaModel(corpus, id2word=dictionary, num_topics=3, random_state=1), ["money bank", "wet river"]


def gensim_vectors() -> tuple[Any, Any]:
    model, texts = gensim_word2vec()
    return model.wv, texts


def spacy_blank() -> tuple[Any, Any]:
    import spacy

    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "CITY", "pattern": "Bern"}, {"label": "CITY", "pattern": "Paris"}])
    return pipeline, ["Bern is smaller than Paris.", "No city here."]


def spacy_trained() -> tuple[Any, Any]:
    import spacy
    from spacy.training import Example

    pipeline = spacy.blank("en")
    categories = pipeline.add_pipe("textcat")
    for label in ("good", "bad"):
        categories.add_label(label)
    pipeline.add_pipe("sentencizer")
    told = [("a fine day", {"good": 1.0, "bad": 0.0}), ("an awful day", {"good": 0.0, "bad": 1.0})] * 4
    examples = [Example.from_dict(pipeline.make_doc(text), {"cats": cats}) for text, cats in told]
    optimizer = pipeline.initialize(lambda: examples)
    for _ in range(3):
        pipeline.update(examples, sgd=optimizer)
    return pipeline, ["a fine thing. it was.", "awful"]


def annoy_angular() -> tuple[Any, Any]:
    return _annoy("angular")


def annoy_euclidean() -> tuple[Any, Any]:
    return _annoy("euclidean")


def _annoy(metric: str) -> tuple[Any, Any]:
    import numpy as np
    from annoy import AnnoyIndex

    random = np.random.default_rng(2)
    index = AnnoyIndex(8, metric)
    index.set_seed(1)
    for item in range(60):
        index.add_item(item, random.normal(size=8))
    index.build(5)
    return index, random.normal(size=(4, 8)).astype("float32")


def shap_tree() -> tuple[Any, Any]:
    import numpy as np
    import shap
    from sklearn.ensemble import RandomForestRegressor

    random = np.random.default_rng(4)
    table = random.normal(size=(80, 3))
    model = RandomForestRegressor(5, random_state=1).fit(table, table[:, 0] * 2 + table[:, 1])
    return shap.TreeExplainer(model), table[:6]


def shap_beside_model() -> tuple[Any, Any]:
    import shap
    from cases_tabular import xgboost_multiclass

    model, table = xgboost_multiclass()
    return {"model": model, "explainer": shap.TreeExplainer(model)}, table[:6]


CASES = [
    Case("gensim", "Word2Vec", gensim_word2vec),
    Case("gensim", "FastText", gensim_fasttext),
    Case("gensim", "Doc2Vec", gensim_doc2vec),
    Case("gensim", "LdaModel", gensim_lda),
    Case("gensim", "KeyedVectors", gensim_vectors),
    Case("spacy", "blank pipeline with rules", spacy_blank),
    Case("spacy", "trained pipeline", spacy_trained),
    Case("annoy", "angular index", annoy_angular, from_source=True),
    Case("annoy", "euclidean index", annoy_euclidean, from_source=True),
    Case("shap", "TreeExplainer", shap_tree),
    Case("shap", "explainer beside its model", shap_beside_model),
]
