"""The runbooks: one file each, which reads like its section of the duty page."""
