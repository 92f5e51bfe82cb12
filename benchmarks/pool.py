"""Run N jobs that do nothing, each in a process of gansweep's pool (`python pool.py N`)."""

import sys
from typing import Any

from gansweep.launch.devices import find_devices
from gansweep.launch.pool import Job, Pool
from gansweep.launch.processes import shut_down, warm_up


def trivial(place: dict[str, Any]) -> int:
    assert "torch" in sys.modules  # A real job imports the same modules.
    return 0


if __name__ == "__main__":
    # The processes do not run this script, so they import the function from the module `pool`.
    from pool import trivial as job

    warm_up()
    pool = Pool(find_devices("cpu"))
    for i in range(int(sys.argv[1])):
        pool.submit(Job(str(i), job))
    done = []
    while pool.waiting or pool.running:
        done += pool.wait(1)
    assert len(done) == int(sys.argv[1]) and all(how.returned for _, how in done)
    shut_down()
