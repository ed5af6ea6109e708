"""How well replicates of a perturbation agree, and stand out from what was not treated."""
