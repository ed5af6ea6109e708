"""Objectives, augmentation, samplers, the training loop, checkpoints."""
