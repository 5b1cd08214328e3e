"""How often Exact Online may still be asked, by its limits and by what it answered."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.call_budget import DAY, ERRORS_PER_HOUR, HOUR, MINUTE, PER_DAY, CallBudget

NOON = 1_795_262_400_000  # 2026-11-21 12:00 UTC
STOCK, ITEMS = "sync/Inventory/StockPositions", "sync/Logistics/Items"
DATE = "Sat, 21 Nov 2026 12:00:00 GMT"


def asked(budget: CallBudget, times: int, now: int = NOON) -> CallBudget:
    for _ in range(times):
        budget = budget.spent(now)
    return budget


def told(now: int = NOON, *, status: int = 200, **headers: str) -> CallBudget:
    """One answer to a budget of which nothing was spent."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return CallBudget().answered(now, STOCK, status, named)


def test_sixty_calls_go_in_a_minute_and_the_next_one_waits_for_the_first_to_be_a_minute_old() -> None:
    budget = asked(asked(CallBudget(), 1), 59, NOON + 20_000)

    assert asked(CallBudget(), 59).wait(NOON, STOCK) == (0, "")
    assert budget.wait(NOON + 30_000, STOCK) == (30_000, "60 calls a minute")
    assert budget.wait(NOON + 30_000, ITEMS) == (30_000, "60 calls a minute"), "the limit is the company's"
    assert budget.wait(NOON + MINUTE, STOCK) == (0, "")


def test_the_day_ends_at_midnight_utc() -> None:
    budget = CallBudget(day=NOON // DAY, calls_today=PER_DAY)

    assert budget.wait(NOON, STOCK) == (12 * HOUR, "5000 calls a day")
    assert budget.wait(NOON + 12 * HOUR, STOCK) == (0, "")
    assert budget.spent(NOON + 12 * HOUR).calls_today == 1


def test_an_address_is_left_alone_before_it_blocks_the_app_and_the_others_go_on() -> None:
    budget = CallBudget()
    for minute in range(ERRORS_PER_HOUR):
        assert budget.wait(NOON + minute * MINUTE, STOCK) == (0, "")
        budget = budget.answered(NOON + minute * MINUTE, STOCK, 500, {})

    assert budget.wait(NOON + 10 * MINUTE, STOCK) == (50 * MINUTE, "after ten errors it blocks the app")
    assert budget.wait(NOON + 10 * MINUTE, ITEMS) == (0, "")
    assert budget.wait(NOON + HOUR, STOCK) == (0, "")


def test_a_call_without_an_answer_counts_as_an_error() -> None:
    assert CallBudget().answered(NOON, STOCK, 0, {}).errors == {STOCK: (NOON,)}


def test_a_minute_that_is_used_up_is_waited_for_by_the_servers_clock() -> None:
    ahead = NOON + 245_000  # this machine's clock: four minutes ahead of the server's
    reset = str(NOON + 40_000)

    budget = told(ahead, x_ratelimit_minutely_remaining="0", x_ratelimit_minutely_reset=reset, date=DATE)

    assert budget.wait(ahead, STOCK) == (40_000, "it has refused more calls")


def test_the_headers_of_the_day_that_are_missing_do_not_mean_that_the_day_is_used_up() -> None:
    headers = {"x-ratelimit-minutely-remaining": "0", "x-ratelimit-minutely-reset": str(NOON + 5_000)}

    budget = CallBudget().answered(NOON, STOCK, 429, headers | {"date": DATE})

    assert budget.wait(NOON, STOCK)[0] == 5_000


def test_a_day_that_is_used_up_is_waited_for_and_never_longer_than_a_day() -> None:
    told_day = {"x_ratelimit_remaining": "0", "date": DATE}

    assert told(**told_day, x_ratelimit_reset=str(NOON + 3 * HOUR)).wait(NOON, STOCK)[0] == 3 * HOUR
    assert told(**told_day, x_ratelimit_reset=str(NOON + 9 * DAY)).wait(NOON, STOCK)[0] == DAY
    assert told(**told_day, x_ratelimit_reset=str(NOON - HOUR)).wait(NOON, STOCK)[0] == 1_000
    assert told(**told_day).wait(NOON, STOCK)[0] == DAY, "without saying when it begins anew"


def test_what_is_left_is_no_reason_to_wait() -> None:
    assert told(x_ratelimit_minutely_remaining="49", x_ratelimit_remaining="4000").wait(NOON, STOCK) == (
        0,
        "",
    )


def test_a_refusal_without_a_word_is_waited_out_for_a_minute_then_for_two() -> None:
    once = told(status=429)
    twice = once.answered(NOON + MINUTE, STOCK, 429, {})
    after = twice.answered(NOON + 3 * MINUTE, STOCK, 200, {}).answered(NOON + 4 * MINUTE, STOCK, 429, {})

    assert once.wait(NOON, STOCK) == (MINUTE, "it has refused more calls")
    assert twice.wait(NOON + MINUTE, STOCK)[0] == 2 * MINUTE
    assert after.wait(NOON + 4 * MINUTE, STOCK)[0] == MINUTE


def test_headers_that_are_no_numbers_and_dates_are_not_believed() -> None:
    assert told(x_ratelimit_remaining="none", x_ratelimit_reset="soon", date="today") == CallBudget()


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_a_limits_own_span() -> None:
    budget = asked(CallBudget(), 60, NOON + 9 * DAY)

    assert budget.wait(NOON, STOCK) == (MINUTE, "60 calls a minute")
    assert CallBudget(blocked_until=NOON + 9 * DAY).wait(NOON, STOCK)[0] == DAY


@given(
    st.lists(
        st.tuples(st.integers(NOON, NOON + 2 * DAY), st.sampled_from([200, 401, 429, 500]), st.booleans()),
        max_size=90,
    )
)
def test_what_is_stored_is_what_was_known(calls: list[tuple[int, int, bool]]) -> None:
    budget = CallBudget()
    for at, status, is_stock in calls:
        budget = budget.spent(at).answered(at, STOCK if is_stock else ITEMS, status, {})

    stored = json.dumps(budget.stored())

    assert CallBudget.from_stored(json.loads(stored)) == budget
    assert len(stored) < 4_000, "it does not grow"
