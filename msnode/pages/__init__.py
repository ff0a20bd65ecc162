"""Pages for administrators and clinicians, served by a process of their own."""
