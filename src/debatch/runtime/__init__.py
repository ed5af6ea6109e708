"""What a long job on a shared machine needs: devices, processes, pauses, locks, checkpoints. It knows no science."""
