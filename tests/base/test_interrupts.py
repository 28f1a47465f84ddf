"""When interrupts are heard: real signals to this very process."""

from __future__ import annotations

import signal
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from hnas.base import hear_interrupts
from hnas.base import interrupts_deferred
from hnas.base import terminate_as_interrupt


def test_an_interrupt_waits_until_it_is_heard() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        signal.raise_signal(signal.SIGINT)
        done.append("went on")
        hear_interrupts()
        done.append("heard nothing")
    assert done == ["went on"]


def test_it_is_raised_at_the_end_if_nobody_listens() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        signal.raise_signal(signal.SIGINT)
        done.append("went on")
    assert done == ["went on"]


def test_it_is_raised_even_if_the_block_fails() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        signal.raise_signal(signal.SIGINT)
        raise ValueError


def test_a_second_one_does_not_wait() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        signal.raise_signal(signal.SIGINT)
        done.append("went on")
        signal.raise_signal(signal.SIGINT)
        done.append("went on again")
    assert done == ["went on"]


def test_it_is_not_lost_where_exceptions_are() -> None:
    """What is raised in the callback of a weak reference goes nowhere."""

    class Watched:
        pass

    def watch(callback: Callable[[object], None]) -> None:
        watched = Watched()
        held.append(weakref.ref(watched, callback))

    held: list[object] = []
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        watch(lambda reference: signal.raise_signal(signal.SIGINT))
        hear_interrupts()
        raise AssertionError("was lost")


def test_blocks_in_blocks_hear_when_they_end() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        with interrupts_deferred():
            signal.raise_signal(signal.SIGINT)
            done.append("inner went on")
        done.append("outer went on")
    assert done == ["inner went on"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_handlers_are_as_before(number: signal.Signals) -> None:
    heard: list[int] = []
    before = signal.signal(number, lambda came, frame: heard.append(came))
    try:
        own = signal.getsignal(number)
        with interrupts_deferred():
            signal.raise_signal(number)
            assert not heard
        assert heard == [number] and signal.getsignal(number) is own
        signal.raise_signal(number)
        assert heard == [number, number]
    finally:
        signal.signal(number, before)


def test_what_ends_the_process_is_left_alone() -> None:
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with interrupts_deferred():
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_termination_that_is_an_interrupt_waits_as_well() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), terminate_as_interrupt(), interrupts_deferred():
        signal.raise_signal(signal.SIGTERM)
        done.append("went on")
        hear_interrupts()
        done.append("heard nothing")
    assert done == ["went on"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_is_lost_comes_again(number: signal.Signals) -> None:
    """What is raised in the callback of a weak reference is printed, and that is all."""

    class Watched:
        pass

    watched = Watched()
    reference = weakref.ref(watched, lambda gone: signal.raise_signal(number))
    before, begun = signal.getsignal(number), time.monotonic()
    with pytest.raises(KeyboardInterrupt), terminate_as_interrupt():
        del watched
        assert reference() is None, "went on: the first one was lost"
        while time.monotonic() - begun < 10:
            time.sleep(0.01)
    assert 0.5 < time.monotonic() - begun < 5
    assert signal.getsignal(number) == before


def test_other_threads_change_nothing() -> None:
    done = []

    def work() -> None:
        with interrupts_deferred():
            hear_interrupts()
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGINT)]
    # What waits for the main thread is not raised in another.
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        signal.raise_signal(signal.SIGINT)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert len(done) == 2


def test_one_that_python_loses_comes_again_and_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    class Watched:
        pass

    def lose(number: signal.Signals) -> None:
        watched = Watched()
        held.append(weakref.ref(watched, lambda reference: signal.raise_signal(number)))

    held: list[object] = []
    with pytest.raises(KeyboardInterrupt), terminate_as_interrupt():
        lose(signal.SIGTERM)
        time.sleep(20)
    assert "Exception ignored" not in capfd.readouterr().err
