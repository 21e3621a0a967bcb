"""Edits as data: views, plans, and the compiler between them. Pure: no file is opened here."""
