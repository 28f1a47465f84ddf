"""The dashboard as a server: what it serves, what it refuses, how it starts and ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import optuna
import pytest

import hnas
from hnas.reports import DashboardServer
from hnas.reports import open_dashboard
from hnas.studies import StoredStudy
from tests.dashboards import make_study
from tests.dashboards import serving
from tests.processes import end
from tests.processes import hnas_command
from tests.requests import fetch
from tests.servers import free_port
from tests.servers import PASSWORD
from tests.servers import PostgresServer

PNG = b"\x89PNG"


def base(server: DashboardServer) -> str:
    return f"http://127.0.0.1:{server.port}"


def drawings(stored: StoredStudy) -> dict[int, str]:
    """Returns the paths of the drawings by trial."""
    return {
        trial.number: f"/artifacts/{stored.study._study_id}/{trial._trial_id}/{name.removeprefix('artifacts:')}"
        for trial in stored.study.get_trials(deepcopy=False)
        for name in trial.system_attrs
        if name.startswith("artifacts:")
    }


def test_its_address_leads_to_the_study(dashboard: DashboardServer) -> None:
    assert dashboard.url == f"{base(dashboard)}/dashboard/studies/1"
    assert b"bundle.js" in fetch(dashboard.url).body
    assert [study["study_name"] for study in fetch(f"{base(dashboard)}/api/studies").json["study_summaries"]] == [
        "first"
    ]


def test_the_page_names_objectives_and_the_feasible_front(dashboard: DashboardServer, watched: StoredStudy) -> None:
    page = fetch(f"{base(dashboard)}/api/studies/1").json
    assert page["objective_names"] == ["accuracy", "latency_ms", "energy_mj"]
    front = {item["trial"] for item in hnas.show(watched)["front"]}
    assert {trial["number"] for trial in page["best_trials"]} == front
    best = max(watched.study.get_trials(deepcopy=False), key=lambda trial: trial.values[0])
    assert not best.user_attrs["feasible"] and best.number not in front


def test_feasibility_late_score_and_costs_by_part_can_be_sorted_by(dashboard: DashboardServer) -> None:
    page = fetch(f"{base(dashboard)}/api/studies/1").json
    sortable = {item["key"] for item in page["union_user_attrs"] if item["sortable"]}
    assert {"feasible", "late_score", "late_log_loss", "g/latency"} <= sortable
    assert {"latency_ms/image", "latency_ms/audio", "latency_ms/fusion", "energy_mj/image"} <= sortable


def test_trials_over_budget_are_told_as_such(dashboard: DashboardServer, watched: StoredStudy) -> None:
    page = fetch(f"{base(dashboard)}/api/studies/1").json
    over = {trial["number"] for trial in page["trials"] if any(value > 0 for value in trial["constraints"])}
    attributes = {trial.number: trial.user_attrs["feasible"] for trial in watched.study.get_trials(deepcopy=False)}
    assert over == {number for number, feasible in attributes.items() if not feasible}
    assert over


def test_drawings_are_served(dashboard: DashboardServer, watched: StoredStudy) -> None:
    found = drawings(watched)
    assert {item["trial"] for item in hnas.show(watched)["front"]} <= set(found)
    answer = fetch(base(dashboard) + next(iter(found.values())))
    assert answer.status == 200 and answer.body.startswith(PNG)


def test_files_are_found_where_the_study_says_that_they_are(
    tmp_path: Path, tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = make_study(tmp_path, tiny_dataset, 2, artifacts=str(tmp_path / "files"), max_latency_ms=None)
    path = next(iter(drawings(stored).values()))
    with serving(open_dashboard(storage=str(tmp_path / "hnas.db"), port=0)) as server:
        assert fetch(base(server) + path).body.startswith(PNG)
        (tmp_path / "files").rename(tmp_path / "moved")
        answer = fetch(base(server) + path)
        assert answer.status == 404
        assert "--artifacts" in answer.json["reason"]
    options: dict[str, Any] = {"artifacts": str(tmp_path / "moved"), "port": 0}
    with serving(open_dashboard(storage=str(tmp_path / "hnas.db"), **options)) as server:
        assert fetch(base(server) + path).body.startswith(PNG)


def test_nothing_can_be_changed(dashboard: DashboardServer, watched: StoredStudy) -> None:
    assert fetch(f"{base(dashboard)}/api/studies/1", "DELETE").status == 403
    note = b'{"body": "changed", "version": 2}'
    assert fetch(f"{base(dashboard)}/api/studies/1/note", "PUT", note, Content_Type="application/json").status == 403
    assert fetch(f"{base(dashboard)}/api/studies", "HEAD").status == 200
    assert optuna.get_all_study_names(watched.storage) == ["first"]


def test_a_page_elsewhere_reads_nothing(dashboard: DashboardServer) -> None:
    assert fetch(f"{base(dashboard)}/api/studies", Host="evil.example").status == 403


def test_writable_allows_changes_but_not_from_other_sites(tmp_path: Path, tiny_dataset: Path) -> None:
    make_study(tmp_path, tiny_dataset, 2)
    with serving(open_dashboard(storage=str(tmp_path / "hnas.db"), port=0, writable=True)) as server:
        study = f"{base(server)}/api/studies/1"
        assert fetch(study, "DELETE", Origin="http://evil.example").status == 403
        assert fetch(study).status == 200
        assert fetch(study, "DELETE", Origin=base(server)).status == 204
        assert fetch(f"{base(server)}/api/studies").json["study_summaries"] == []


@pytest.mark.parametrize(("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_other_addresses_need_a_token_that_is_made_up(watched: StoredStudy, host: str, reached: str) -> None:
    with serving(open_dashboard(storage=str(watched.storage.engine.url), host=host, port=0)) as server:
        studies = f"http://{reached}:{server.port}/api/studies"
        assert server.token and len(server.token) >= 32
        assert server.url == f"http://{reached}:{server.port}/?token={server.token}"
        assert fetch(studies).status == 401
        assert fetch(studies, Authorization=f"Bearer {server.token}", Host="edge.lab").status == 200


def test_a_token_with_spaces_is_refused(watched: StoredStudy) -> None:
    with pytest.raises(hnas.HnasError, match="ASCII"):
        open_dashboard(storage=str(watched.storage.engine.url), port=0, token="two words")


def test_what_cannot_be_served_is_told(watched: StoredStudy, tmp_path: Path) -> None:
    url = str(watched.storage.engine.url)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(hnas.HnasError, match=f"port {port} on 127.0.0.1 is in use; choose another with --port"):
            open_dashboard(storage=url, port=port)
    for host in ("203.0.113.7", "no.such.host.invalid"):
        with pytest.raises(hnas.HnasError, match=f"cannot listen on {host}"):
            open_dashboard(storage=url, host=host, port=0)
    with pytest.raises(hnas.HnasError, match="no study 'none' in "):
        open_dashboard("none", storage=url, port=0)
    with pytest.raises(hnas.HnasError, match="no study database"):
        open_dashboard(storage=str(tmp_path / "none.db"), port=0)
    assert not (tmp_path / "none.db").exists()


def test_a_database_that_nobody_serves_is_told_soon_and_without_its_password() -> None:
    url = f"postgresql+psycopg://hnas:{PASSWORD}@127.0.0.1:{free_port()}/studies"
    pytest.importorskip("psycopg")
    with pytest.raises(hnas.HnasError, match="nothing listens there") as error:
        open_dashboard(storage=url, port=0)
    assert PASSWORD not in str(error.value)


def test_an_outage_of_the_database_is_told_and_outlived(
    postgres: PostgresServer, tmp_path: Path, tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.database()
    make_study(tmp_path, tiny_dataset, 2, storage=url)
    monkeypatch.setattr("hnas.reports.dashboard.server.PATIENCE_SECONDS", 1.0)
    with serving(open_dashboard(storage=url, port=0)) as server:
        assert fetch(f"{base(server)}/api/studies/1").status == 200
        postgres.stop()
        try:
            answer = fetch(f"{base(server)}/api/studies")
        finally:
            postgres.start()
        assert answer.status == 503
        assert "did not answer" in answer.json["reason"]
        assert PASSWORD.encode() not in answer.body
        assert fetch(f"{base(server)}/api/studies").status == 200


def started(process: subprocess.Popen[str]) -> str:
    """Returns the address that the command prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_ctrl_c_ends_the_command(watched: StoredStudy, tmp_path: Path) -> None:
    url = str(watched.storage.engine.url)
    process = hnas_command("dashboard", "first", "--storage", url, "--port", "0", cwd=tmp_path)
    address = started(process)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/dashboard/studies/1", address)
    assert fetch(address).status == 200
    process.send_signal(signal.SIGINT)
    code, out, errors = end(process)
    assert (code, out) == (130, "")
    said = ["read only; Ctrl-C ends it", "interrupted; what was finished is kept"]
    assert list(filter(None, errors.splitlines())) == said


def test_the_command_tells_no_password_and_ends_at_sigterm(
    postgres: PostgresServer, tmp_path: Path, tiny_dataset: Path
) -> None:
    url = postgres.database()
    make_study(tmp_path, tiny_dataset, 1, storage=url)
    process = hnas_command("dashboard", "first", "--port", "0", cwd=tmp_path, HNAS_STORAGE=url)
    address = started(process)
    pages = [fetch(address.replace("/dashboard/", "/api/")), fetch(address)]
    assert [page.status for page in pages] == [200, 200]
    process.send_signal(signal.SIGTERM)
    code, out, errors = end(process)
    assert code == 130
    assert PASSWORD not in out + errors and not any(PASSWORD.encode() in page.body for page in pages)
