from conftest_workflow import tiny, tiny_copy

__all__ = ["tiny", "tiny_copy"]
