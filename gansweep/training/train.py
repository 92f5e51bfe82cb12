"""One run, from its configuration to its result, in this process.

Lightning's Trainer is still used for this: it moves the networks to the device, makes the
optimizers, enters the precision (`bf16-mixed`) around the steps and calls the callbacks. Its
loggers, checkpoints, progress bar and epochs are switched off: a run resumes bit for bit and writes
its own files, and a turn of Lightning's loop costs as much as a step of a narrow network: spans.py.
"""

from __future__ import annotations

import functools
import logging
import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytorch_lightning as pl
import torch
from torch import nn

from gansweep.config import Config, total_steps, widths
from gansweep.plugins import OPTIMIZERS
from gansweep.store.errors import UserError
from gansweep.store.records import Rates, Result
from gansweep.store.run import Run, write_json
from gansweep.training.callbacks import Bar, Checkpoints, Metrics, Restore, Samples
from gansweep.training.checkpoint import Checkpoint
from gansweep.training.data import Prepared
from gansweep.training.data.batches import Batches
from gansweep.training.gan import GAN
from gansweep.training.judge_callback import Judging
from gansweep.training.memory import peak_memory, reset_peak_memory
from gansweep.training.metrics.evaluate import Judge
from gansweep.training.metrics.files import load, save
from gansweep.training.metrics.published import NETS, published_features
from gansweep.training.network_source import codes
from gansweep.training.networks import build_discriminator, build_generator
from gansweep.training.networks.parametrization import layer_rates
from gansweep.training.networks.stack import MEMORY_FORMATS
from gansweep.training.provenance import environment
from gansweep.training.samples import fixed_latents, save_grid
from gansweep.training.spans import Spans

LIGHTNING_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed"}
ALL_THREADS = torch.get_num_threads()  # before any run sets its own


def train(
    run: Run, config: Config, data: Prepared, title: str = "", start: Checkpoint | None = None
) -> Result:
    """Train `run`, from `start` on if it is given. Returns what its result file says.

    Raises Diverged if a loss stops being a number, Stopped if asked to stop, UserError if the
    device is not there.
    """
    device = resolve_device(config.device)
    # Another number of threads adds in another order: whoever goes on keeps the number.
    torch.set_num_threads(start.threads if start else config.threads or ALL_THREADS)
    if device.type == "cuda":  # by default convolutions in fp32 would be TF32
        torch.backends.cudnn.allow_tf32 = False
    _quiet_lightning()
    reset_peak_memory(device)
    judge = make_judge(config, data, device)  # before the dice are set: it draws too
    pl.seed_everything(config.seed, verbose=False)

    started = time.perf_counter()
    images = torch.from_numpy(data.array()).to(device)
    steps = total_steps(config, data.images)
    gan = build_gan(config, data.channels)
    where = environment(device)
    where["networks"] = codes(config)
    where["rates"] = learning_rates(gan, config)
    write_json(run.environment, where)
    first = start.step if start else 0
    batches = Batches(
        images, config.batch_size, steps, shuffle=config.shuffle, seed=config.seed, first=first
    )
    metrics = Metrics(run, config.log_every, steps, batches.per_epoch, start)
    every = config.sample_every or max(1, steps // 10)
    samples = Samples(run, every, steps)
    checkpoints = Checkpoints(run, every, steps, metrics)
    judging = None
    if judge is not None:
        judging = Judging(run, judge, config.z_dim, steps, config.batch_size, config.early_stop)
    writers = [w for w in (metrics, samples, judging, checkpoints) if w is not None]
    bar = Bar(title, steps, config.batch_size, metrics)
    trainer = pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        max_epochs=1,  # one pass over `batches`, which holds all epochs
        precision=LIGHTNING_PRECISION[config.precision],  # type: ignore[arg-type]
        callbacks=[Restore(start), *writers, bar],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    if start is not None and (first >= steps or (judging and judging.ended_early())):
        # Killed between its last step and its result.
        gan.load_state_dict(start.weights)
        gan.steps_done = metrics.written = first
        trained = start.seconds
    else:
        with _gpus_hidden(device):
            _fit(trainer, gan, Spans(batches, gan, lambda step: any(w.due(step) for w in writers)))
        trained = metrics.seconds()
    done = gan.steps_done
    save(run.final, gan.state_dict())
    gan.to(device)  # Lightning has moved it to the CPU, where judging would take minutes
    for writer in (metrics, samples):
        writer.finish(gan)
    if judging is not None:
        trained -= judging.seconds
        judging.evaluate_if_never(gan)
    result: Result = {
        "status": "done",
        "steps": done,
        "epochs": round(done / batches.per_epoch, 4),
        "images": done * config.batch_size,
        "training_seconds": round(trained, 3),
        "seconds": round(time.perf_counter() - started + (start.seconds if start else 0), 3),
        "images_per_second": round(done * config.batch_size / max(trained, 1e-3), 1),
        "peak_memory_mib": peak_memory(device),
        "parameters": {
            "generator": sum(p.numel() for p in gan.generator.parameters()),
            "discriminator": sum(p.numel() for p in gan.discriminator.parameters()),
        },
    }
    result.update(cast("Result", metrics.latest))
    if judging is not None:
        result["judge"] = judging.verdict(gan, batches.per_epoch)
        result["seconds"] = round(result["seconds"] + judging.scoring_seconds, 3)
    run.finish(result)
    return result


def make_judge(config: Config, data: Prepared, device: torch.device) -> Judge | None:
    """The judge that `config.judge` asks for. Raises UserError if its weights are not there."""
    if config.judge == "false":
        return None
    published = None
    if config.judge in NETS:
        published = published_features(config.judge, config.judge_weights)
    return Judge(data, device, published)


@contextmanager
def _gpus_hidden(device: torch.device) -> Iterator[None]:
    """While a CPU trains, nothing looks for GPUs.

    Adam asks at every step whether there is one, and Lightning has that question answered by the
    driver's library (PYTORCH_NVML_BASED_CUDA_CHECK), which then is loaded, or searched in vain, at
    every step: 0.1 to 0.2 ms each.
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


def _fit(trainer: pl.Trainer, gan: GAN, spans: Spans) -> None:
    """`trainer.fit`, with Ctrl-C as the KeyboardInterrupt that it is."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(gan, train_dataloaders=spans)
    except SystemExit as exit:
        # Lightning answers Ctrl-C with sys.exit(1) and ignores every later one.
        if not isinstance(exit.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


def load_finished(run: Run, config: Config, data: Prepared) -> GAN:
    """The networks of a finished run with their final weights, on the CPU."""
    gan = build_gan(config, data.channels)
    gan.load_state_dict(load(run.final))
    return gan


def redraw(run: Run, gan: GAN) -> None:
    """Draw the sample picture of a finished run again, from its final weights in `gan`."""
    save_grid(gan.sample(fixed_latents(gan.z_dim)), run.picture)


def judge_finished(run: Run, config: Config, data: Prepared, gan: GAN, result: Result) -> Result:
    """Judge a finished run by its final weights in `gan`. Returns the result with what was found.

    Nobody knows whether it was better before: its label says so.
    """
    device = resolve_device(config.device)
    torch.set_num_threads(config.threads or ALL_THREADS)
    judge = make_judge(config, data, device)
    assert judge is not None
    steps = total_steps(config, data.images)
    judging = Judging(run, judge, config.z_dim, steps, config.batch_size, early_stop=False)
    gan.to(device)
    gan.steps_done = result["steps"]
    judging.evaluate_if_never(gan)
    verdict = judging.verdict(gan, data.images // config.batch_size)
    seconds = round(result["seconds"] + verdict["judging_seconds"], 3)
    judged = cast("Result", {**result, "judge": verdict, "seconds": seconds})
    run.finish(judged)
    return judged


def build_gan(config: Config, channels: int) -> GAN:
    """The GAN of a configuration, for images of `channels` colours."""
    gen_width, disc_width = widths(config)
    gen_lr, disc_lr = own_rates(config)
    generator = build_generator(
        config.gen,
        z_dim=config.z_dim,
        channels=channels,
        width=gen_width,
        alpha=config.alpha,
        drop=config.gen_drop,
        memory_format=config.memory_format,
        parametrization=config.parametrization,
    )
    discriminator = build_discriminator(
        config.disc,
        channels=channels,
        width=disc_width,
        alpha=config.alpha,
        drop=config.disc_drop,
        memory_format=config.memory_format,
        parametrization=config.parametrization,
    )
    return GAN(
        generator,
        discriminator,
        z_dim=config.z_dim,
        smooth=config.smooth,
        joint_d=config.joint_d,
        fresh_z=config.fresh_z,
        reuse_fake=config.reuse_fake,
        gen_optimizer=functools.partial(make_optimizer, config.gen_opt, gen_lr, config),
        disc_optimizer=functools.partial(make_optimizer, config.disc_opt, disc_lr, config),
        memory_format=MEMORY_FORMATS[config.memory_format],
        ema_decay=config.ema_decay,
    )


def own_rates(config: Config) -> tuple[float, float]:
    """The learning rates of generator and discriminator, at full width."""
    return (
        config.lr if config.gen_lr is None else config.gen_lr,
        config.lr if config.disc_lr is None else config.disc_lr,
    )


def make_optimizer(name: str, lr: float, config: Config, net: nn.Module) -> torch.optim.Optimizer:
    """lr: the learning rate at full width."""
    return OPTIMIZERS[name].build(net, lr, config)


def learning_rates(gan: GAN, config: Config) -> Rates:
    """The learning rate of each layer of both networks, which `parametrization` may set apart."""
    gen_lr, disc_lr = own_rates(config)
    return {
        "generator": list(layer_rates(gan.generator, config.gen_opt, gen_lr)),
        "discriminator": list(layer_rates(gan.discriminator, config.disc_opt, disc_lr)),
    }


def resolve_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one. Raises UserError if `cuda` is not there."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("device=cuda, but PyTorch sees no GPU here; use device=cpu or device=auto")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def _quiet_lightning() -> None:
    """Lightning's banners and advice are about things that gansweep decides itself."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", module="lightning_fabric")
