"""What an operator meets that its arithmetic cannot hold: by its weights, and by its input."""
