"""The paper that people hold, drawn from plain values: report, convocation, label, wristband. It stores nothing."""
