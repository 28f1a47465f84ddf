"""Tables, plots and figures of studies."""

from hnas.reports.dashboard import DashboardServer
from hnas.reports.dashboard import open_dashboard
from hnas.reports.dashboard import StudyPage
from hnas.reports.evaluations import evaluation_rows
from hnas.reports.pareto import draw_pareto
from hnas.reports.published import published_rows
from hnas.reports.tables import baseline_rows
from hnas.reports.tables import front_rows
from hnas.reports.tables import reading_rows
from hnas.reports.tables import Table

__all__ = [
    "DashboardServer",
    "StudyPage",
    "Table",
    "baseline_rows",
    "draw_pareto",
    "evaluation_rows",
    "front_rows",
    "open_dashboard",
    "published_rows",
    "reading_rows",
]
