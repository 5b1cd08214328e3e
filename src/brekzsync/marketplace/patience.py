"""How long a request to the marketplace is tried again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

ATTEMPTS: Final = 3
WHEN_LIMITED: Final = 4  # of answers that ask to wait
_LONGEST_OWN_WAIT: Final = 20.0
_Told = TypeVar("_Told")
_log = logging.getLogger(__name__)


class TryAgain(Exception):
    """It was only read, or certainly not carried out; ``error`` is what it comes to when trying again is no use.

    ``sends``: how often it is sent at most; ``wait``: the seconds the answer asked to wait.
    """

    def __init__(self, error: Exception, *, sends: int = ATTEMPTS, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.sends = sends
        self.wait = wait


class Patience:
    """Tries what raises TryAgain once more, after the wait it names or a growing one of its own.

    It gives up before it would wait for longer than ``longest_wait`` seconds in all, and raises what TryAgain names.
    """

    def __init__(
        self, *, first_wait: float, longest_wait: float, sends: int, sleep: Callable[[float], None]
    ) -> None:
        self._longest_wait = longest_wait
        self._sends = sends
        self._own_wait = wait_exponential(multiplier=first_wait, max=_LONGEST_OWN_WAIT) + wait_random(
            0, first_wait
        )
        self._retrying = Retrying(
            retry=retry_if_exception_type(TryAgain),
            stop=self._is_enough,
            wait=self._wait,
            sleep=sleep,
            before_sleep=_tell,
            reraise=True,
        )

    def ask(self, question: Callable[[], _Told]) -> _Told:
        """What it comes to in the end."""
        try:
            return self._retrying(question)
        except TryAgain as last:
            raise last.error from None

    def _is_enough(self, state: RetryCallState) -> bool:
        return (
            state.attempt_number >= min(_failure(state).sends, self._sends)
            or state.idle_for + state.upcoming_sleep > self._longest_wait
        )

    def _wait(self, state: RetryCallState) -> float:
        asked = _failure(state).wait
        return self._own_wait(state) if asked is None else asked


def _tell(state: RetryCallState) -> None:
    _log.info("%s It is asked again in %.1f s.", _failure(state), state.upcoming_sleep)


def _failure(state: RetryCallState) -> TryAgain:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, TryAgain)  # nothing else is tried again
    return error
