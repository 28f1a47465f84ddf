"""The study in a browser: what its page says and shows, and the server in front of optuna-dashboard."""

from hnas.reports.dashboard.page import StudyPage
from hnas.reports.dashboard.server import DashboardServer
from hnas.reports.dashboard.server import open_dashboard

__all__ = ["DashboardServer", "StudyPage", "open_dashboard"]
