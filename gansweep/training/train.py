"""Train one run in this process, from its configuration to its result.

Lightning's Trainer moves the networks to the device, makes the optimizers, enters the precision
(`bf16-mixed`) around the steps and calls the callbacks. The Trainer's loggers, checkpoints and
progress bar are off, because a run resumes bit for bit and writes its own files; `logger=` forwards
these files. All epochs are one
epoch of the Trainer, because a turn of its loop costs as much as a step of a narrow network; see
`spans`.
"""

from __future__ import annotations

import functools
import logging
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytorch_lightning as pl
import torch

from gansweep.config import Config, total_steps
from gansweep.store.errors import UserError
from gansweep.store.extension import bound_states
from gansweep.store.records import JudgeRecord, NetworkSizes, Rates, Result
from gansweep.store.run import Run, write_json
from gansweep.terminal.console import console
from gansweep.training.callbacks import Bar, Checkpoints, Metrics, Restore, Samples, Snapshots
from gansweep.training.checkpoint import Checkpoint
from gansweep.training.data import Prepared
from gansweep.training.data.batches import Batches
from gansweep.training.gan import GAN
from gansweep.training.hosted import Counter, Epochs, Hosted, build_hosted
from gansweep.training.judge_callback import Judging, with_metrics
from gansweep.training.loggers.live import forwarding
from gansweep.training.memory import peak_memory, reset_peak_memory
from gansweep.training.metrics.evaluate import Judge
from gansweep.training.metrics.files import load, save
from gansweep.training.metrics.published import NETS, published_features
from gansweep.training.network_source import network_hashes
from gansweep.training.networks.build import build_networks
from gansweep.training.networks.parametrization import layer_rates
from gansweep.training.networks.stack import MEMORY_FORMATS
from gansweep.training.optimizers import full_width_rates, make_optimizer
from gansweep.training.provenance import environment
from gansweep.training.recipe.objective import make_objective
from gansweep.training.samples import fixed_inputs, save_grid
from gansweep.training.spans import Spans
from gansweep.training.verdict import finish_judged

LIGHTNING_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed"}
ALL_THREADS = torch.get_num_threads()  # This is read before any run sets its own number.


def train(
    run: Run,
    config: Config,
    data: Prepared,
    title: str = "",
    start: Checkpoint | None = None,
    tell: Callable[[str], object] = console.print,
) -> Result:
    """Train `run` and return its result, which is also written to the run folder.

    `start` is the checkpoint to resume from, `title` stands before the progress bar, and `tell` is
    called with a warning if a logger fails. Raises Diverged if a loss or a generated image is not
    finite, Stopped if the process is asked to stop, and UserError if the device or the judge's
    weights are missing.
    """
    # The packages of loggers may draw random numbers, so they are opened before the seed is set.
    with forwarding(run, config, lambda line: tell(f"{title}  {line}")) as loggers:
        return _train(run, config, data, title, start, loggers)


def _train(
    run: Run,
    config: Config,
    data: Prepared,
    title: str,
    start: Checkpoint | None,
    loggers: Sequence[pl.Callback],
) -> Result:
    """Train as `train` does; `loggers` are further callbacks."""
    device = resolve_device(config.device)
    # The number of threads decides the order of additions, so a resumed run keeps the number.
    torch.set_num_threads(start.threads if start else config.threads or ALL_THREADS)
    if device.type == "cuda":  # By default, PyTorch computes fp32 convolutions in TF32.
        torch.backends.cudnn.allow_tf32 = False
    _quiet_lightning()
    reset_peak_memory(device)
    # The judge draws random numbers too, so it is made before the random state is set.
    judge = make_judge(config, data, device)
    pl.seed_everything(config.seed, verbose=False)

    started = time.perf_counter()
    images = torch.from_numpy(data.array()).to(device)
    steps = total_steps(config, data.images)
    gan = build_trainee(config, data, steps)
    record = environment(device)
    record["networks"] = network_hashes(config)
    record["parameters"] = cast("NetworkSizes", gan.sizes())
    if isinstance(gan, GAN):
        record["rates"] = learning_rates(gan, config)
    write_json(run.environment, record)
    first = start.step if start else 0
    labels = torch.from_numpy(data.labels()).to(device) if data.classes else None
    batches = Batches(
        images, config.batch_size, steps, shuffle=config.shuffle, seed=config.seed, first=first,
        labels=labels,
    )  # fmt: skip
    metrics = Metrics(run, config.log_every, steps, batches.per_epoch, start)
    every = config.sample_every or max(1, steps // 10)
    samples = Samples(run, every, steps)
    snapshots = Snapshots(run, steps) if gan.tracked() else None
    checkpoints = Checkpoints(run, every, steps, metrics)
    judging = None
    if judge is not None:
        judging = Judging(
            run, judge, config.z_dim, steps, config.batch_size, config.early_stop,
            config.judge_images,
        )  # fmt: skip
    # A checkpoint follows the snapshot of its step, so that a resumed run has all earlier ones.
    parts = (metrics, samples, snapshots, judging, checkpoints)
    writers = [writer for writer in parts if writer is not None]
    # Checkpoints may end the run, so the loggers receive the last step before that.
    callbacks = [*writers[:-1], *loggers, checkpoints]
    counter = [Counter(gan)] if isinstance(gan, Hosted) else []
    bar = Bar(title, steps, config.batch_size, metrics, data.name, config.best_by)
    trainer = pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        # `Spans` has the batches of all epochs in one.
        max_epochs=-(-steps // batches.per_epoch) if isinstance(gan, Hosted) else 1,
        precision=LIGHTNING_PRECISION[config.precision],  # type: ignore[arg-type]
        callbacks=[Restore(start), *counter, *callbacks, bar],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    # The end of a hosted module's last epoch may still be due, so Lightning is started for it too.
    trained_all = first >= steps and not isinstance(gan, Hosted)
    if start is not None and (trained_all or (judging and judging.ended_early())):
        # An earlier process was killed after the last step and before the result was written.
        gan.load_state_dict(start.weights)
        gan.steps_done = metrics.written = first
        trained = start.seconds
    else:
        with _hide_gpus(device):
            if isinstance(gan, Hosted):
                _fit(trainer, gan.module, Epochs(batches, gan))
            else:
                due = functools.partial(_any_due, writers)
                _fit(trainer, gan, Spans(batches, gan, due))
        trained = metrics.seconds()
    steps_done = gan.steps_done
    save(run.final, gan.state_dict())
    gan.to(device)  # Lightning has moved the GAN to the CPU, where judging would take minutes.
    for writer in (metrics, samples, snapshots):
        if writer is not None:
            writer.finish(gan)
    if judging is not None:
        trained -= judging.seconds
        judging.evaluate_if_never(gan)
    result: Result = {
        "status": "done",
        "steps": steps_done,
        "epochs": round(steps_done / batches.per_epoch, 4),
        "images": steps_done * config.batch_size,
        "training_seconds": round(trained, 3),
        "seconds": round(time.perf_counter() - started + (start.seconds if start else 0), 3),
        "images_per_second": round(steps_done * config.batch_size / max(trained, 1e-3), 1),
        "peak_memory_mib": peak_memory(device),
        "parameters": cast("NetworkSizes", gan.sizes()),
    }
    result.update(cast("Result", metrics.latest))
    if judging is not None:
        result["judge"] = judging.verdict(gan, batches.per_epoch)
        result["seconds"] = round(result["seconds"] + judging.scoring_seconds, 3)
    # A run that has ended early has no checkpoint of its last step, and would end there again.
    run.finish(result, keep=config.keep_states > 0 and steps_done == steps)
    bound_states(run.folder.parent, config.keep_states)
    return result


def make_judge(config: Config, data: Prepared, device: torch.device) -> Judge | None:
    """Return the judge that `config.judge` names, or None for judge=false.

    Raises UserError if the package or the weights of a published feature net are missing.
    """
    if config.judge == "false":
        return None
    published = None
    if config.judge in NETS:
        published = published_features(config.judge, config.judge_weights)
    return Judge(data, device, published, config.best_by)


@contextmanager
def _hide_gpus(device: torch.device) -> Iterator[None]:
    """Hide all GPUs from PyTorch within the `with` block, if `device` is the CPU.

    Adam checks at every step whether a GPU exists. Lightning sets PYTORCH_NVML_BASED_CUDA_CHECK, so
    that each check loads the driver's library, or searches for it in vain, in 0.1 to 0.2 ms.
    """
    name = "CUDA_VISIBLE_DEVICES"
    before = os.environ.get(name)
    if device.type == "cpu":
        os.environ[name] = ""
    try:
        yield
    finally:
        if before is not None:
            os.environ[name] = before
        else:
            os.environ.pop(name, None)


def _any_due(writers: list[Any], step: int) -> bool:
    return any(writer.due(step) for writer in writers)


def _fit(trainer: pl.Trainer, module: pl.LightningModule, batches: Iterable[Any]) -> None:
    """Run `trainer.fit`, and raise KeyboardInterrupt on Ctrl-C."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, train_dataloaders=batches)
    except SystemExit as exit:
        # Lightning answers Ctrl-C with sys.exit(1) and ignores every later Ctrl-C.
        if not isinstance(exit.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


def load_finished(run: Run, config: Config, data: Prepared) -> GAN | Hosted:
    """Return the networks of a finished run with their final weights, on the CPU.

    Raises OSError or ValueError if the weights cannot be read, and RuntimeError if the weights do
    not fit the networks.
    """
    gan = build_trainee(config, data)
    gan.load_state_dict(load(run.final))
    return gan


def redraw(run: Run, gan: GAN | Hosted) -> None:
    """Draw the sample picture of a finished run again, from its final weights in `gan`."""
    save_grid(gan.sample(*fixed_inputs(gan)), run.picture)


def judge_finished(
    run: Run, config: Config, data: Prepared, gan: GAN | Hosted, result: Result
) -> Result:
    """Judge a finished run by its final weights in `gan`, and return the result with the judgement.

    There are no earlier evaluations to compare with, and the label in the result says so.
    """
    device = resolve_device(config.device)
    torch.set_num_threads(config.threads or ALL_THREADS)
    judge = make_judge(config, data, device)
    assert judge is not None
    steps = total_steps(config, data.images)
    judging = Judging(
        run, judge, config.z_dim, steps, config.batch_size, early_stop=False,
        judge_images=config.judge_images,
    )  # fmt: skip
    gan.to(device)
    gan.steps_done = result["steps"]
    judging.evaluate_if_never(gan)
    return finish_judged(run, result, judging.verdict(gan, data.images // config.batch_size))


def measure_finished(
    run: Run, config: Config, data: Prepared, judged: JudgeRecord, names: Sequence[str]
) -> JudgeRecord:
    """Return the judge's record of a finished run with further metrics of its best weights.

    Raises UserError, OSError, ValueError or RuntimeError if the weights cannot be used.
    """
    device = resolve_device(config.device)
    torch.set_num_threads(config.threads or ALL_THREADS)
    judge = make_judge(config, data, device)
    assert judge is not None
    return with_metrics(judge, run, load_finished(run, config, data).to(device), judged, names)


def build_trainee(config: Config, data: Prepared, steps: int = 1) -> GAN | Hosted:
    """Return what a run trains: gansweep's GAN, or the user's module of `model=`.

    steps: those of the whole run. Raises UserError if a component of the user cannot be built.
    """
    if config.model is not None:
        return build_hosted(config, data.channels, data.classes)
    return build_gan(config, data.channels, steps, data.classes)


def build_gan(
    config: Config, channels: int, steps: int = 1, classes: Mapping[str, int] | None = None
) -> GAN:
    """Return the GAN of a configuration, for images of `channels` colours.

    steps: those of the whole run, which a schedule needs; classes: with labels=true, the number of
    training images by class. Raises UserError if a network of the user cannot be built.
    """
    generator, discriminator = build_networks(config, channels, len(classes or {}))
    return GAN(
        generator,
        discriminator,
        z_dim=config.z_dim,
        objective=make_objective(config, steps),
        joint_d=config.joint_d,
        fresh_z=config.fresh_z,
        reuse_fake=config.reuse_fake,
        gen_optimizer=functools.partial(make_optimizer, config, "gen_opt"),
        disc_optimizer=functools.partial(make_optimizer, config, "disc_opt"),
        memory_format=MEMORY_FORMATS[config.memory_format],
        ema_decay=config.ema_decay,
        post_hoc_ema=config.post_hoc_ema,
        classes=classes,
    )


def learning_rates(gan: GAN, config: Config) -> Rates:
    """Return the learning rates of each layer of both networks, which muP may scale."""
    gen_lr, disc_lr = full_width_rates(config)
    return {
        "generator": list(layer_rates(gan.generator, config.gen_opt, gen_lr)),
        "discriminator": list(layer_rates(gan.discriminator, config.disc_opt, disc_lr)),
    }


def resolve_device(name: str) -> torch.device:
    """Return the device `cpu` or `cuda`; `auto` means the GPU if PyTorch sees one, else the CPU.

    Raises UserError for `cuda` if PyTorch sees no GPU.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("device=cuda, but PyTorch sees no GPU here; use device=cpu or device=auto")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def _quiet_lightning() -> None:
    """Hide Lightning's banners and advice, which concern settings that gansweep makes itself."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", module="lightning_fabric")
