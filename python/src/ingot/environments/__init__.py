"""What a model needs around it: requirements, their lock, whether they are here, and processes that have them."""
