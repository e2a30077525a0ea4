"""A signal is heard whatever the main thread is at."""

import subprocess
import sys

DEAF_IN_ITS_LOCK = """
import os, signal, threading, time
from clonepost.signals import hear
asked = threading.Event()
hear((signal.SIGTERM,), asked.set)

def send():
    time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=send).start()
# Nearly always inside of the event's lock, which a handler that sets the event waits for.
while not asked.wait(0):
    pass
print("heard")
"""


def test_it_is_heard_by_a_main_thread_that_waits_for_what_it_sets() -> None:
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", DEAF_IN_ITS_LOCK], capture_output=True, text=True, check=False)
        assert (done.stdout, done.returncode) == ("heard\n", 0), done.stderr
