"""What brings images and papers in: machines and their probes, discs, sticks and folders."""
