"""The common options of a procedure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbooks.model import Batch


@dataclass(frozen=True)
class Options:
    """The common options of a procedure, as they were given."""

    dry_run: bool = False
    yes: bool = False
    confirm: str = ""
    as_json: bool = False
    save: str = ""
    batch_size: str = ""
    batch_sleep: str = "0"
    max_failures: str = "0"
    debug: bool = False


def batch_policy(options: Options, size: str) -> Batch:
    """How a run goes over its hosts; ``size`` is that of the settings. Raises UsageError for options that can't be."""
    from runbooks import batch
    from runbooks.model import Batch

    size = options.batch_size or size
    batch.window(size, 1)
    batch.amount(options.max_failures, 1, "max failures")
    return Batch(size, batch.seconds(options.batch_sleep), max_failures=options.max_failures)
