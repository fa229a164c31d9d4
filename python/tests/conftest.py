"""What all tests need: Ctrl-C reaches what they start."""

import signal


def pytest_configure() -> None:
    """A job in the background of a shell ignores Ctrl-C, and so does every process that it starts, unless somebody handles it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
