"""Write reports from manifests and run folders. Imports no torch."""

from gansweep.report.write import Report, write_report

__all__ = ["Report", "write_report"]
