"""What `bench_stores.py` measures: how each store is filled, and what is called on it."""
