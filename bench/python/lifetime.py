"""How a server ends: with the program that has started it, however that ends."""

import os
import threading


def end_with_parent() -> None:
    """Leave the process when its standard input does: the system closes that for a program that was killed, too."""

    def wait() -> None:
        os.read(0, 1)  # not sys.stdin, whose lock Python wants when it ends
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
