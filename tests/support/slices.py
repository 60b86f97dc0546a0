"""A recording gone through in slices, each held to the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import etwmon
from etwmon import _etwcore
from etwmon._workload import Recording, Rule
from support.truth import expected_rows, rows_of, without_empty
from support.workload import independent_file, raw_time_of


def check_slices(recording: Recording, times: Sequence[int]) -> Rule:
    """Compare every row, and the machine, at these FILETIMEs in order and at the end."""
    rule = Rule(recording, [raw_time_of(recording, time) for time in times])
    aggregate = _etwcore.Aggregate(etwmon.open(independent_file(recording))._core)
    for number, time in enumerate((*times, None)):
        aggregate.advance(time)
        (snapshot,) = aggregate.snapshot(time)
        assert without_empty(rows_of(snapshot)) == without_empty(expected_rows(rule, number))
        machine, spent = snapshot.machine, rule.at[number].processors
        assert machine["self_check_ticks"] == 0
        for part in ("idle", "dpc", "isr", "unknown"):
            assert machine[f"{part}_ticks"] == sum(getattr(one, part) for one in spent), part
    return rule
