from __future__ import annotations

import copy
import pickle
import re
from html.parser import HTMLParser

import pytest

import ingot
from ingot.card import card, model_card
from ingot.listing import SHOWN_ROWS, listing_of_history, listing_of_models, listing_of_versions
from ingot.model import Model, ModelInfo
from ingot.registry import HistoryEntry
from ingot.signature import Feature, Signature
from ingot.version import Version


def versions() -> list[Version]:
    old = Version("churn", 1, "sha256:a", "sklearn", metrics={"auc": 0.9, "loss": 0.2}, aliases=("production",), published_at="2026-11-21T17:57:54.340Z")
    new = Version("churn", 2, "sha256:b", "xgboost", metrics={"auc": 0.95}, label="1.<2>", status="retired")
    return [new, old]


def test_versions_show_their_metrics_against_production() -> None:
    listed = listing_of_versions(versions())
    assert str(listed) == (
        "version            aliases      label  flavor   auc                   loss  published\n"
        "churn:2 (retired)               1.<2>  xgboost  0.95  +0.05 ▲ better\n"
        "churn:1            @production         sklearn  0.9                   0.2   2026-11-21 17:57"
    )
    html = listed._repr_html_()
    assert "metrics against churn:1" in html and "+0.05 ▲ better" in html and "1.&lt;2&gt;" in html
    assert re.search(r'<tr style="font-weight:600"><td[^>]*>churn:1<', html)


def test_models_show_versions_aliases_and_the_newest_metrics() -> None:
    summary = {"name": "churn", "versions": 2, "aliases": {"production": 1}, "updatedAt": "2026-11-21T18:00:00Z"}
    listed = listing_of_models([{**summary, "latest": {"number": 2, "flavor": "xgboost", "metrics": {"auc": 0.95}}}, {"name": "empty", "versions": 0}])
    assert listed == ["churn", "empty"]
    assert "churn  2         2 xgboost  @production → 1  auc 0.95  2026-11-21 18:00" in str(listed)


def test_history_tells_who_did_what_and_why() -> None:
    listed = listing_of_history([HistoryEntry(1, "2026-11-21T17:57:54Z", "ada", "alias-moved", "production to 2", "better <AUC>", "sha256:a", {})])
    assert "ada  production to 2  better <AUC>" in str(listed) and "better &lt;AUC&gt;" in listed._repr_html_()


def test_a_listing_is_a_list_in_every_other_way() -> None:
    listed = listing_of_versions(versions())
    assert listed[0].number == 2 and len(listed) == 2 and listed == versions() and listed[:1] == versions()[:1]
    assert pickle.loads(pickle.dumps(listed)) == listed and copy.copy(listed) == listed
    assert repr(listed).startswith("[<Version churn:2")


def test_long_listings_are_cut_and_empty_ones_say_so() -> None:
    many = listing_of_models([{"name": f"m{index}", "versions": 0} for index in range(SHOWN_ROWS + 3)])
    assert str(many).endswith("… 3 more") and "… 3 more" in many._repr_html_()
    assert str(listing_of_models([])) == "(none)" and "(none)" in listing_of_models([])._repr_html_()


def test_ipython_prints_the_table() -> None:
    pretty = pytest.importorskip("IPython.lib.pretty", reason="ipython is in requirements-dev.txt")
    assert pretty.pretty(listing_of_versions(versions())).startswith("version ")


def test_a_loaded_model_says_which_it_is_and_how_to_ask_it() -> None:
    info = ModelInfo("churn:7", "churn", 7, "1.<0>", "sha256:" + "ab" * 32, "function", None, Signature((Feature("age", "integer"),)))
    html = model_card(Model(lambda rows: rows, info, takes="rows"))
    assert "churn:7" in html and "1.&lt;0&gt;" in html and "model.predict(rows)" in html and "age" in html


def everything_shown() -> list[str]:
    info = ModelInfo("churn:7", "churn", 7, None, "sha256:" + "ab" * 32, "function", None, Signature())
    version = Version("churn", 2, "sha256:b", "xgboost", metrics={"auc": 0.95}, _shown={"version": {}, "package": {}, "captured": None})
    return [card(version, versions()[1]), model_card(Model(lambda rows: rows, info)), listing_of_versions(versions())._repr_html_()]


@pytest.mark.parametrize("html", everything_shown(), ids=["version", "model", "listing"])
def test_what_is_shown_is_readable_on_dark_and_on_light_runs_nothing_and_is_well_formed(html: str) -> None:
    # Text has the notebook's own colour, and whatever is coloured is see-through.
    assert not re.search(r"[;\" ]color\s*:", html)
    assert all(len(code) in {4, 8} for code in re.findall(r"#([0-9a-fA-F]{3,8})\b", html))
    assert "<script" not in html and "http" not in html
    opened: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Checker().feed(html)
    assert opened == []


def test_an_error_shows_the_users_own_lines_only() -> None:
    def users_code() -> None:
        ingot.versions(3)  # type: ignore[arg-type]

    with pytest.raises(ingot.UsageError) as caught:
        users_code()
    said = "\n".join(caught.value._render_traceback_())
    assert "in users_code" in said and "----> ingot.versions(3)" in said
    assert "checks.py" not in said and said.endswith('try           ingot.versions("churn")')
    assert "ingot.UsageError [usage]: name=3 is an int" in said
