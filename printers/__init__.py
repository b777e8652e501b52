"""What leaves the box on paper: the print queue's runner, the printer drivers, the label language and the pages."""
