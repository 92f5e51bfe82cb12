"""From manifests and run folders to tables with pictures. No torch here."""

from gansweep.report.write import Report, write_report

__all__ = ["Report", "write_report"]
