"""What is known of a model and its data when it is pushed: the document that goes along with the package."""
