"""One module per kind of op: reads inputs, writes outputs, checks what it promised."""
