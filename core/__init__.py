"""The shared core of Yelen: what the terminal, the kiosk, the machines and the HIS all stand on."""
