"""What a cargo project has, for kernels that are one file. A module is imported by its command only."""
