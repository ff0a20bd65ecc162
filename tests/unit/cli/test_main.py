from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from msnode.cli.main import main


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_every_command_has_help(runner: CliRunner) -> None:
    names = main.list_commands(click.Context(main))
    assert {"serve", "predict", "jobs", "train"} <= set(names)
    for name in names:
        result = runner.invoke(main, [name, "--help"])
        assert result.exit_code == 0
        assert "Usage" in result.output


def test_check_shows_every_mistake_at_once(runner: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "msnode.yaml"
    file.write_text("recieve: {}\nhttp: {port: x}\n")
    result = runner.invoke(main, ["check", "--config", str(file)])
    assert result.exit_code == 1
    assert 'did you mean "receive"?' in result.output
    assert "http.port: must be int" in result.output


def test_a_peer_is_given_as_title_host_and_port(runner: CliRunner) -> None:
    result = runner.invoke(main, ["echo", "nobody"])
    assert result.exit_code == 1
    assert "AET@HOST:PORT" in result.output


def test_jobs_of_an_empty_node(runner: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "msnode.yaml"
    file.write_text(f"data: {tmp_path}\n")
    result = runner.invoke(main, ["jobs", "show", "study.1", "--config", str(file)])
    assert result.exit_code == 1
    assert "no node has run on this database yet" in result.output
