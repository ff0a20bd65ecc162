"""What the node serves over HTTP."""
