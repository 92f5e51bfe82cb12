"""Inject faults into training processes.

Python imports this module in every process whose path contains this folder. GANSWEEP_FAULT contains
one fault, `do=WHAT step=N [lr=X] [gen=G] [once=FILE]`, or several, separated by `;`.
"""

import os
import pathlib
import sys

FAULTS = [
    dict(word.split("=", 1) for word in fault.split())
    for fault in os.environ.get("GANSWEEP_FAULT", "").split(";")
    if fault.strip()
]


def applies(fault, gan):
    """Return whether the fault applies to this run at this step."""
    if gan.steps_done < int(fault.get("step", 0)):
        return False
    lr = gan.optimizers(use_pl_optimizer=False)[0].param_groups[0]["lr"]
    if "lr" in fault and lr != float(fault["lr"]):
        return False
    if "once" in fault:
        try:
            os.close(os.open(fault["once"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
    return True


def commit(fault, gan):
    import signal
    import time

    import torch

    do = fault["do"]
    if do == "nan":
        gan.losses["loss_d"] = gan.losses["loss_d"] * float("nan")
    elif do == "slow":
        time.sleep(float(fault["seconds"]))
    elif do == "wait":
        go = pathlib.Path(fault["until"])
        go.with_suffix(".waiting").touch()
        while not go.exists():
            time.sleep(0.01)
    elif do == "raise":
        raise AssertionError("injected")
    elif do == "sys.exit":
        sys.exit("injected")
    elif do == "os._exit":
        os._exit(3)
    elif do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)
    elif do == "segfault":
        print("about to dereference nothing", flush=True)
        import faulthandler

        faulthandler._sigsegv()
    elif do == "memory":
        raise torch.OutOfMemoryError("CUDA out of memory. Injected.")
    elif do == "allocate":  # more memory than any device has, so that its allocator refuses
        torch.empty(1 << 50, dtype=torch.uint8, device=gan.device)
    elif do == "clock":  # The wall clock steps back by a day from time to time.
        ago = 86400.0 * gan.steps_done
        now, now_ns = time.time, time.time_ns
        time.time = lambda: now() - ago
        time.time_ns = lambda: now_ns() - int(ago * 1e9)
    else:
        raise ValueError(do)


def install(module):
    whole = module.GAN.step

    def step(self, *arguments):
        whole(self, *arguments)
        for fault in FAULTS:
            if applies(fault, self):
                commit(fault, self)

    module.GAN.step = step


class Hook:
    """Installs the faults when gansweep.training.gan is imported."""

    def find_spec(self, name, path, target=None):
        if name != "gansweep.training.gan":
            return None
        import importlib.util

        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            install(module)

        spec.loader.exec_module = exec_module
        return spec


if FAULTS:
    sys.meta_path.insert(0, Hook())
