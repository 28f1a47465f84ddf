"""Interrupts, which are Ctrl-C and what a program treats as that: when they are heard, and when they wait.

Python runs the handler of a signal at the first bytecode after the C code in which the signal came. Where that bytecode
is a weak reference's callback, as it is after much of h5py's work, what the handler raises is printed and lost, and the
work goes on as if nobody had asked it to stop. While such work lasts, signals therefore wait to be heard in between.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_AGAIN_SECONDS = 1.0


class _Deferred:
    """The last signal that came and was not heard yet, and the handlers that wait for it."""

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._came: int | None = None
        self._ended = False

    def begin(self) -> None:
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            # Others end the process or are ignored, in C.
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._come)

    def end(self) -> None:
        self._ended = True
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def hear(self) -> None:
        if self._came is not None:
            number, self._came = self._came, None
            self._handlers[number](number, None)

    def _come(self, number: int, frame: FrameType | None) -> None:
        # Who asks a second time does not want to wait. Should that be lost, it is heard later all the same.
        asked_before, self._came = self._came is not None, number
        if asked_before or self._ended:
            self._handlers[number](number, frame)


_deferred: _Deferred | None = None


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Lets a first interrupt wait until :func:`hear_interrupts` is called, or the block ends; a second comes through.

    Blocks may lie in one another: the inner ones only hear when they end. Signals without a handler of Python do what
    they always do, and outside the main thread, the only one that Python tells of signals, nothing changes.
    """
    global _deferred
    if _deferred is not None or threading.current_thread() is not threading.main_thread():
        yield
        hear_interrupts()
        return
    deferred = _Deferred()
    try:
        deferred.begin()
        _deferred = deferred
        yield
    finally:
        _deferred = None
        deferred.end()
        deferred.hear()


def hear_interrupts() -> None:
    """Raises what an interrupt that waits was to raise, if one does."""
    if _deferred is not None and threading.current_thread() is threading.main_thread():
        _deferred.hear()


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Makes SIGTERM raise KeyboardInterrupt during the block, as SIGINT does; outside the main thread nothing changes.

    Where Python loses the exception, as in the callback of a weak reference, the signal comes again a second later,
    until the block is left; what Python would print of that loss is no user's concern.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    again: list[threading.Timer] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        timer = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()
        again.append(timer)
        raise KeyboardInterrupt

    told = sys.unraisablehook

    def tell_but_interrupts(lost: sys.UnraisableHookArgs) -> None:
        if not (again and isinstance(lost.exc_value, KeyboardInterrupt)):
            told(lost)

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    sys.unraisablehook = tell_but_interrupts
    try:
        yield
    finally:
        sys.unraisablehook = told
        for timer in again:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Lets a short piece of work end undisturbed by further signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
