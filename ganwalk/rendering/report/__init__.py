"""Directions → one HTML file that needs nothing else: pictures to scrub, scores, settings, commands.

Names are imported when they are first used: `settings`, for command lines, loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

_HOMES = {
    "ReportSettings": "ganwalk.rendering.report.settings",
    "check_report": "ganwalk.rendering.report.page",
    "write_report": "ganwalk.rendering.report.page",
}

__all__ = ["ReportSettings", "check_report", "write_report"]

if TYPE_CHECKING:
    from ganwalk.rendering.report.page import check_report, write_report
    from ganwalk.rendering.report.settings import ReportSettings

__getattr__, __dir__ = names_from(__name__, _HOMES)
