"""Run as a Hydra application: `python -m benchmarks.plain_lightning.app -m lr=… beta1=…`."""

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from benchmarks.plain_lightning.module import Settings, train

ConfigStore.instance().store("settings", Settings)


@hydra.main(version_base="1.3", config_path=None, config_name="settings")
def main(cfg: DictConfig) -> float:
    losses = train(Settings(**cfg), HydraConfig.get().runtime.output_dir)
    return float(losses["loss_g"])


if __name__ == "__main__":
    main()
