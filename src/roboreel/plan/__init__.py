"""The compiler: a view and an inventory in, a plan out. Pure: no file is opened here."""
