#!/usr/bin/env python3
# The fault proxy does each of its faults, and nothing in the mode "pass".
import socket
import sys
import threading
import unittest

sys.dont_write_bytecode = True
from proxy import MODES, Proxy  # noqa: E402

WAIT = 10  # seconds; only a broken proxy meets it
SILENCE = 0.3


class Echo(threading.Thread):
    """Answers every connection with what it says."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    @staticmethod
    def serve(connection):
        try:
            while data := connection.recv(4096):
                connection.sendall(data)
        except OSError:
            pass
        connection.close()


ECHO = Echo()
ECHO.start()


def said_through(mode, first="pass"):
    """What comes back for b'hello!' in that mode; b'' when the connection ends, None when there is silence."""
    with Proxy(ECHO.port, delay=SILENCE) as proxy:
        proxy.mode = first
        connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT)
        if first == "pass":
            connection.sendall(b"before")
            assert connection.recv(64) == b"before"
        proxy.mode = mode
        connection.settimeout(SILENCE if mode == "swallow" else WAIT)
        try:
            connection.sendall(b"hello!")
            answer = connection.recv(64)
            while answer and mode == "duplicate" and len(answer) < 24:
                answer += connection.recv(64)
            return answer
        except TimeoutError:
            return None
        except ConnectionError:
            return b""
        finally:
            connection.close()


class ProxyTest(unittest.TestCase):
    def test_passes(self):
        self.assertEqual(said_through("pass"), b"hello!")

    def test_delays_and_loses_nothing(self):
        self.assertEqual(said_through("delay"), b"hello!")

    def test_swallows_without_a_word(self):
        self.assertIsNone(said_through("swallow"))

    def test_swallows_the_end_as_well(self):
        listener = socket.create_server(("127.0.0.1", 0))
        with Proxy(listener.getsockname()[1]) as proxy:
            connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT)
            far, _ = listener.accept()
            proxy.mode = "swallow"
            connection.close()
            far.settimeout(SILENCE)
            with self.assertRaises(TimeoutError):
                far.recv(1)
        far.close()
        listener.close()

    def test_cuts(self):
        self.assertEqual(said_through("cut"), b"")

    def test_truncates_a_chunk_and_ends(self):
        self.assertIn(said_through("truncate"), (b"", b"h"))  # cut on the way there; half of the half on the way back

    def test_duplicates_both_ways(self):
        self.assertEqual(said_through("duplicate"), b"hello!" * 4)

    def test_changes_both_ways(self):
        self.assertEqual(said_through("change"), b"hello!")  # twice the same bit
        self.assertEqual(len(MODES), 8)

    def test_refuses(self):
        self.assertEqual(said_through("refuse", first="refuse"), b"")

    def test_cuts_what_is_open(self):
        with Proxy(ECHO.port) as proxy:
            connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT)
            connection.sendall(b"x")
            self.assertEqual(connection.recv(1), b"x")
            proxy.cut_all()
            try:
                self.assertEqual(connection.recv(1), b"")
            except ConnectionError:
                pass


if __name__ == "__main__":
    unittest.main(warnings="ignore")
