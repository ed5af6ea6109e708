"""Tables, figures, published numbers, the report."""
