"""What experiments, plates, wells, images and perturbations are called: one spelling for one thing."""
