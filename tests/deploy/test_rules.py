"""Rules for Prometheus: about metrics that there are, each with a test and a page; checked by promtool where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from streamspc.model import Family, Histogram, View
from streamspc.serve import text
from streamspc.serve.gather import gather
from streamspc.serve.names import METRICS, TABLE, label_names, metric_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = [rule for group in yaml.safe_load((FOLDER / "streamspc.rules.yaml").read_text())["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
TEST_FILES = sorted(path.name for path in FOLDER.glob("*.test.yaml"))  # hours and minutes apart: a month in minutes takes one
TESTS = [test for name in TEST_FILES for test in yaml.safe_load((FOLDER / name).read_text())["tests"]]
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (package prometheus)")


def promtool(*words: str, stdin: str | None = None) -> str:
    """What it says; an exit code but 0 fails."""
    done = subprocess.run(["promtool", *words], input=stdin, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_is_about_metrics_and_labels_that_there_are(rule):
    """Every metric is one of the table, and every label of a selector one of its labels, or one that Prometheus adds."""
    recorded = {one["record"] for one in RULES if "record" in one}
    for name, selector in re.findall(r"(?<![\w:])((?:\w+:)*spc_[\w:]+)(?:\{([^}]*)\})?", rule["expr"]):
        if name not in recorded:
            assert set(re.findall(r"(\w+)\s*=", selector)) <= {*label_names(name), "pod", "instance"}, name
            assert (metric_of(name).type == "counter") == bool(re.search(rf"(rate|increase)\({name}", rule["expr"])), name


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_has_a_page_and_is_seen_to_fire(rule):
    """Its runbook exists and is linked, and a test expects it."""
    page = ROOT / rule["annotations"]["runbook"]
    expected = [case for test in TESTS for case in test["alert_rule_test"] if case["alertname"] == rule["alert"]]

    assert page.read_text().startswith(f"# {rule['alert']}\n")
    assert f"runbooks/{page.name}) |" in (ROOT / "docs" / "alerts.md").read_text()
    assert any(case["exp_alerts"] for case in expected)
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}


def test_pages_and_alerts_speak_of_metrics_that_there_are():
    """No page names a metric that is not in the table, and there is none without an alert."""
    pages = sorted((ROOT / "docs" / "runbooks").glob("*.md"))

    assert {page.stem for page in pages} == {rule["alert"] for rule in ALERTS}
    for page in [*pages, ROOT / "docs" / "alerts.md"]:
        assert set(re.findall(r"\bspc_\w+", page.read_text())) <= set(METRICS), page


@needs_promtool
def test_rules_are_right_and_do_what_their_tests_say():
    """`promtool check rules` and `promtool test rules`."""
    assert f"{len(RULES)} rules found" in promtool("check", "rules", "streamspc.rules.yaml")
    assert "SUCCESS" in promtool("test", "rules", *TEST_FILES)


@needs_promtool
def test_metrics_are_as_prometheus_wants_them():
    """`promtool check metrics` has nothing to say of any metric of the table."""
    families: list[Family] = []
    for metric in TABLE:
        labels = tuple("x" for _ in metric.labels)
        timed = metric.type == "histogram"
        families += Histogram().observe(1.0).families(metric.name, labels) if timed else [Family(metric.name, [labels], [1.0])]
    process = {"spc_build_info", "spc_config_info", "spc_role_ready"}
    shown = gather([View("chart", tuple(family for family in families if family.name not in process))], "h")

    assert promtool("check", "metrics", stdin=text.write(shown, openmetrics=False).decode()) == ""
