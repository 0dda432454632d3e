import signal
import threading

import pytest

from api.processes import ended_by_signals, seldom, undisturbed, watch


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_demonstration_as_ctrl_c_does(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_does_not_stop_the_stopping() -> None:
    before = signal.getsignal(signal.SIGINT)
    with undisturbed():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_check_is_made_seldom_but_made() -> None:
    looked: list[int] = []
    often = seldom(lambda: looked.append(1), seconds=0.0)
    rarely = seldom(lambda: looked.append(2), seconds=3600.0)
    for _ in range(3):
        often()
        rarely()
    assert looked == [1, 1, 1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_check_that_drops_what_is_raised_is_not_lost(number: signal.Signals) -> None:
    looked: list[int] = []

    class Dropped:
        def __del__(self) -> None:  # whatever is raised here is printed and forgotten
            signal.raise_signal(number)

    def check() -> None:
        looked.append(len(looked))
        Dropped()

    impatient = threading.Timer(20.0, signal.raise_signal, [number])
    impatient.start()
    with pytest.raises(KeyboardInterrupt):
        watch(check, seconds=0.01)
    impatient.cancel()
    assert looked == [0]
