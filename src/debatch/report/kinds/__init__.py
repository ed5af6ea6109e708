"""Kinds of tables and figures, a file each."""
