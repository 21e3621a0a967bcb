"""The check of a dataset: facts from its files, rules from facts to problems, a report."""
