"""Tests that behave in the host as no test should, to see that this is seen."""

from __future__ import annotations

import os
import signal
import sys
import unittest

HOSTED = "gophersnake" in sys.modules


class Planted(unittest.TestCase):
    def test_1_same(self) -> None:
        pass

    def test_2_crash(self) -> None:
        if HOSTED:
            os.kill(os.getpid(), signal.SIGKILL)

    def test_3_hang(self) -> None:
        if HOSTED:
            signal.pause()

    def test_4_fail(self) -> None:
        self.assertFalse(HOSTED)

    def test_5_skip(self) -> None:
        if HOSTED:
            self.skipTest("hosted")

    def test_6_fail_in_part(self) -> None:
        for number in range(2):
            with self.subTest(number):
                self.assertFalse(HOSTED)

    def test_7_left_out(self) -> None:
        raise AssertionError

    def test_8_explained(self) -> None:
        self.assertFalse(HOSTED)

    def test_9_both_fail(self) -> None:
        raise AssertionError(HOSTED)
