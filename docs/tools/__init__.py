"""What makes the documentation site out of the pages and the docstrings."""
