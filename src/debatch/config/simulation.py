"""What a simulated screen is made of (`simulate:` in a screen's YAML)."""

from pydantic import Field

from debatch.config.base import Section


class SimulationConfig(Section):
    """A Cell Painting screen drawn by the computer, with perturbation and batch effects that are known.

    Every number that it leads to is called simulated.
    """

    seed: int = Field(0, ge=0, description="Seed of everything drawn: effects, batch effects, layouts, cells.")
    experiments: dict[str, int] = Field(
        default={"ALPHA": 8, "BETA": 4}, description="Number of experiments of each cell type."
    )
    plates: int = Field(2, ge=1, description="Plates in an experiment.")
    sites: int = Field(2, ge=1, description="Sites (fields of view) in a well.")
    treatments: int = Field(16, ge=1, description="Number of treatments.")
    treatment_wells: int = Field(2, ge=1, description="Wells of each treatment on a plate.")
    positive_controls: int = Field(3, ge=0, description="Number of positive controls.")
    positive_control_wells: int = Field(4, ge=1, description="Wells of each positive control on a plate.")
    empty_wells: int = Field(4, ge=1, description="Untreated (EMPTY) wells on a plate.")
    pixels: int = Field(64, ge=32, description="Side of the raw image in pixels.")
    strength: float = Field(1.6, ge=0, description="Factor on every perturbation's effect.")
    batch_effect: float = Field(1.0, ge=0, description="Factor on every batch effect; 0 switches them off.")

    def experiment_names(self) -> list[str]:
        """The experiments in order, like `ALPHA-01`."""
        return [f"{kind}-{number:02d}" for kind, n in self.experiments.items() for number in range(1, n + 1)]
