"""The page on several machines: its SQL and its SLURM script do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import sqlalchemy

import hnas
from hnas.studies import check_database
from hnas.studies import open_stored
from hnas.studies import SearchConfig
from tests.servers import PostgresServer
from tests.test_docs import blocks
from tests.test_docs import ROOT

PAGE = ROOT / "docs" / "machines.md"


def test_the_sql_makes_a_database_that_can_be_used(postgres: PostgresServer) -> None:
    (program,) = blocks(PAGE, "sql")
    for statement in filter(None, map(str.strip, program.split(";"))):
        postgres.execute(statement.replace("USER hnas", "USER reader").replace("OWNER hnas", "OWNER reader"))
    url = sqlalchemy.make_url(postgres.url("studies", "secret")).set(username="reader")
    found = check_database(url.render_as_string(hide_password=False), workers=10)
    assert found.remedies == ()


def test_the_slurm_script_joins_a_study(quick: dict[str, Any], tmp_path: Path) -> None:
    hnas.search(SearchConfig(name="edge", **quick | {"trials": 1}))
    (script,) = [block for block in blocks(PAGE, "bash") if "#SBATCH" in block]
    (tmp_path / "search.sh").write_text(script)
    (tmp_path / "hnas").write_text(f'#!/bin/sh\nexec {sys.executable} -m hnas "$@"\n')
    (tmp_path / "hnas").chmod(0o755)
    environment = {
        **os.environ,
        "HNAS_STORAGE": quick["storage"],
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(hnas.__file__).parents[1]),
        "SLURM_TMPDIR": str(tmp_path),
        "USER": "someone",
    }
    subprocess.run(
        ["bash", str(tmp_path / "search.sh"), "edge", "--trials", "2"], env=environment, check=True, timeout=240
    )
    assert hnas.show(open_stored("edge", quick["storage"]))["trials"]["with_values"] == 2
    assert (tmp_path / "hnas-someone").is_dir()


def test_the_variables_of_the_page_are_those_of_the_code() -> None:
    code = "".join(path.read_text() for path in (ROOT / "hnas").rglob("*.py"))
    for name in set(re.findall(r"\bHNAS_[A-Z_]+\b", PAGE.read_text())):
        assert name in code, name
