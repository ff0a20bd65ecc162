"""The shipped alerts and dashboard as Prometheus' own tool judges them."""

import json
from pathlib import Path

import yaml

from tests.acceptance.peers import ROOT, run, tool
from tests.unit.test_shipping import DASHBOARD


def test_alerts_fire_when_they_should() -> None:
    promtool = tool("promtool", "prometheus")
    run(promtool, "check", "config", ROOT / "config/prometheus/prometheus.yml")
    run(promtool, "test", "rules", "alerts.test.yml", cwd=Path(__file__).parent)


def test_dashboard_asks_valid_questions(tmp_path: Path) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(asked) >= 15
    rules = [
        {"record": f"panel:{i}", "expr": expression.replace("$__rate_interval", "5m")}
        for i, expression in enumerate(asked)
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run(tool("promtool", "prometheus"), "check", "rules", path)
