"""One ledger for runs: jobs with a folder each, whose finished results are kept and taken up again.

A job is known by its facts, everything that its result depends on. Jobs run one after the other, in several processes,
as one share of several machines', or on a cluster; whoever wants a job takes its lock first, so that it is done once.
"""

from ganwalk.ledger.jobs import Job, Ledger, Turn
from ganwalk.ledger.placement import Placement
from ganwalk.ledger.running import SharesMissing, run_jobs

__all__ = ["Job", "Ledger", "Placement", "SharesMissing", "Turn", "run_jobs"]
