"""The derived columns of a study counted from its images; hidden images hang on no series and count nowhere."""

from __future__ import annotations

from typing import Final

SERIES: Final = (
    "UPDATE series SET instances = (SELECT COUNT(*) FROM instance i WHERE i.series_id = series.id) WHERE study_id = ?"
)
STUDY: Final = (
    "UPDATE study SET (instances, bytes, last_image_at) = (SELECT COUNT(*), COALESCE(SUM(i.size), 0), "
    "MAX(i.received_at) FROM instance i JOIN series s ON s.id = i.series_id WHERE s.study_id = study.id), "
    "series = (SELECT COUNT(*) FROM series s WHERE s.study_id = study.id AND s.instances > 0) WHERE id = ?"
)
