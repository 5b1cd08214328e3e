"""What a check of the configuration found, and what it could not look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from brekzsync.errors import BrekzsyncError, ConfigurationError
from brekzsync.flows.configuration.rules import Finding, Severity
from brekzsync.settings.explain import Mistakes, Problem

SHOP_LATER: Final = ("the shop", "the errors must be mended first")


class NotChecked(NamedTuple):
    """Something that could not be looked at, and why."""

    what: str
    why: str


@dataclass(slots=True, kw_only=True)
class CheckReport:
    """What was found; ``failure`` is the error of a system that ended the check before its time."""

    findings: list[Finding] = field(default_factory=list)
    not_checked: list[NotChecked] = field(default_factory=list)
    failure: BrekzsyncError | None = None

    def of(self, severity: Severity) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity is severity]

    def add(self, findings: Iterator[Finding]) -> None:
        """Take findings in, one that is there already (for another target) not again."""
        self.findings += [finding for finding in findings if finding not in self.findings]

    def leave(self, what: str, why: str) -> None:
        """Say, once, that something was not looked at."""
        if NotChecked(what, why) not in self.not_checked:
            self.not_checked.append(NotChecked(what, why))


def mistaken(error: ConfigurationError) -> CheckReport:
    """The report of a file that does not load: its mistakes, all of them."""
    problems = error.problems if isinstance(error, Mistakes) else [Problem(error.message, error.hint)]
    findings = [
        Finding(Severity.ERROR, problem.section, problem.key, problem.sentence, problem.remedy)
        for problem in problems
    ]
    return CheckReport(findings=findings, not_checked=[NotChecked(*SHOP_LATER)])
