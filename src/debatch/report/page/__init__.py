"""The report page, and what it says in words."""
