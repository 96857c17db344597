"""Directions → one HTML file that needs nothing else: pictures to scrub, scores, settings, commands."""

from __future__ import annotations

from ganwalk.rendering.report.page import check_report, write_report
from ganwalk.rendering.report.settings import ReportSettings

__all__ = ["ReportSettings", "check_report", "write_report"]
