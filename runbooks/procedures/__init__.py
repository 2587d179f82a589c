"""The runbooks: one file each, called like its command, which reads like its section of the duty page.

A file with a ``PROCEDURE`` is a runbook. Files that are called like a command and have none only look (``alias_show``,
``check_access``, ``list_info``). The rest is what several of them share: ``mailing_lists``, ``mail_aliases``,
``alias_edit``, ``machines``, ``patching``, ``gates``, ``forms`` … How one is added is in docs/extending.md.
"""
