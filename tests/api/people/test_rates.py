import pytest

from api.people import rates
from api.people.errors import TooManyRequests
from api.people.rates import Rate


def test_so_many_at_once_and_then_one_by_one() -> None:
    rate = Rate(burst=3, every_s=10)
    for _ in range(3):
        rate.take("ling", 100)
    with pytest.raises(TooManyRequests) as refused:
        rate.take("ling", 100)
    assert refused.value.retry_after == 10
    rate.take("ling", 110)
    with pytest.raises(TooManyRequests):
        rate.take("ling", 110)


def test_one_person_does_not_use_up_anothers() -> None:
    rate = Rate(burst=1, every_s=10)
    rate.take("ling", 0)
    rate.take("mei", 0)


def test_what_was_refused_is_not_counted() -> None:
    rate = Rate(burst=1, every_s=10)
    rate.take("ling", 0)
    for _ in range(100):
        with pytest.raises(TooManyRequests):
            rate.take("ling", 5)
    rate.take("ling", 10)


def test_what_is_given_back_may_be_taken_again() -> None:
    rate = Rate(burst=1, every_s=10)
    for _ in range(10):
        rate.take("ling", 0)
        rate.give_back("ling")


def test_a_long_rest_earns_no_more_than_a_burst() -> None:
    rate = Rate(burst=2, every_s=1)
    rate.take("ling", 0)
    for _ in range(2):
        rate.take("ling", 1e6)
    with pytest.raises(TooManyRequests):
        rate.take("ling", 1e6)


def test_memory_stays_bounded() -> None:
    rate = Rate(burst=1, every_s=1e9)
    for key in range(rates._MOST_KEYS + 10):
        rate.take(str(key), 0)
    assert len(rate._idle_at) <= rates._MOST_KEYS
