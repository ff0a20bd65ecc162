"""HL7 v2 for both directions: messages as text, blocks on a socket, acknowledgments."""
