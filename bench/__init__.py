"""The figures of Tocsin, each measured against a bare twin in the same run: `python -m bench`.

The twin (`twin`) is a Temporal workflow with the same updates, signals, timers, activities and fellow workflows as the
product's own history shows (`plan`), without a thought of its own. Machines are noisy: ratios count, absolutes do not.
"""
