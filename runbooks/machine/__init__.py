"""A machine: its board controller, and the system on it. What is done to its power, and how it comes back."""
