"""Pages for administrators: the node's state, studies on their way, jobs, configuration, upload."""
