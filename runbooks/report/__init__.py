"""How plans and runs look: on a terminal, as plain text, as one HTML page. Nothing heavy is imported here."""
