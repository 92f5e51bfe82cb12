"""A Hydra application whose jobs do nothing, to compare other launchers with gansweep's."""

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path=None)
def main(cfg: DictConfig) -> int:
    return 0


if __name__ == "__main__":
    main()
