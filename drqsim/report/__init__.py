"""A report on a model: what is int8, what it costs in memory, where the error arises."""

from drqsim.report.content import as_data
from drqsim.report.gather import Report, make
from drqsim.report.markdown import as_markdown
from drqsim.report.page import as_html

__all__ = ["Report", "as_data", "as_html", "as_markdown", "make"]
