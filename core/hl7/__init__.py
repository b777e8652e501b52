"""The HL7 v2 door: messages of the hospital's information system in, orders' progress and reports out."""
