"""What tests of several folders share; a conftest holds fixtures and hooks alone."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
