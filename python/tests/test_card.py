from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from ingot.card import card, delta
from ingot.version import Version


def version(number: int = 2, **more: Any) -> Version:
    record = {"lineage": {"git": {"commit": "4f1c0a9d", "dirty": True}}, "description": more.pop("description", None)}
    signature = {
        "inputs": [
            {"name": "age<b>", "type": "integer", "min": 18, "max": 90},
            {"name": "plan", "type": "categorical", "categories": ["pro", "free"], "nullable": True},
        ],
        "outputs": [{"name": "prediction", "type": "float"}],
    }
    shown = {"version": record, "package": {"files": [], "signature": signature, "executesCode": True}, "captured": None}
    return Version("churn", number, "sha256:" + "ab" * 32, "sklearn", _shown=shown, **more)


def test_metrics_are_compared_with_production_in_words() -> None:
    new = version(metrics={"auc": 0.974, "log_loss": 0.25})
    html = card(new, version(1, metrics={"auc": 0.971, "log_loss": 0.2}))
    assert "against churn:1" in html
    assert "+0.003 ▲ better" in html
    assert "+0.05 ▼ worse" in html


def test_without_production_no_comparison_is_drawn() -> None:
    assert "against" not in card(version(metrics={"auc": 0.9}))


def test_everything_a_person_wrote_is_escaped() -> None:
    html = card(version(label="<script>", description="<img src=x>", aliases=("a<b",)))
    assert "<script>" not in html and "<img" not in html and "age<b>" not in html
    assert "&lt;script&gt;" in html and "age&lt;b&gt;" in html


def test_the_card_needs_no_network_and_runs_nothing() -> None:
    html = card(version(metrics={"auc": 0.9}))
    assert "http" not in html and "<script" not in html and "src=" not in html


def test_the_card_is_well_formed_and_says_what_is_known() -> None:
    opened: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    html = card(version())
    Checker().feed(html)
    assert opened == []
    for words in ("churn:2", "4f1c0a9 with uncommitted changes", "not scanned", "18 … 90", "pro, free", "may be missing"):
        assert words in html, words


def test_lower_is_better_for_errors_and_times() -> None:
    assert delta("rmse", 1.0, 2.0) == ("−1", "better")
    assert delta("accuracy", 0.8, 0.9) == ("−0.1", "worse")
    assert delta("accuracy", 0.8, 0.8) == ("±0", "same")


def test_the_text_form_says_the_essentials_in_one_line() -> None:
    text = repr(version(metrics={"auc": 0.974}, aliases=("production",)))
    assert text == "<Version churn:2 @production auc=0.974 sha256:abababababab…>"
