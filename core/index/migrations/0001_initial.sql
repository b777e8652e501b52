CREATE TABLE "account" (
  "login" TEXT NOT NULL PRIMARY KEY,
  "full_name" TEXT NOT NULL,
  "roles" TEXT NOT NULL,
  "ward" TEXT NOT NULL,
  "password" TEXT NOT NULL,
  "pin" TEXT NOT NULL,
  "active" INTEGER NOT NULL,
  "pin_faults" INTEGER NOT NULL
);
CREATE TABLE "audit" (
  "seq" INTEGER NOT NULL PRIMARY KEY,
  "at" TEXT NOT NULL,
  "actor" TEXT NOT NULL,
  "post" TEXT NOT NULL,
  "origin" TEXT NOT NULL,
  "action" TEXT NOT NULL,
  "object" TEXT NOT NULL,
  "patient_id" INTEGER,
  "outcome" TEXT NOT NULL,
  "detail" TEXT NOT NULL,
  "mac" TEXT NOT NULL
);
CREATE INDEX "audit_patient_id" ON "audit" ("patient_id");
CREATE TABLE "caller_attempt" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "door" TEXT NOT NULL,
  "ae_title" TEXT NOT NULL,
  "address" TEXT NOT NULL,
  "result" TEXT NOT NULL,
  "times" INTEGER NOT NULL,
  "at" TEXT NOT NULL
);
CREATE UNIQUE INDEX "caller_attempt_door_ae_title_address_result" ON "caller_attempt" ("door", "ae_title", "address", "result");
CREATE TABLE "counter" (
  "name" TEXT NOT NULL PRIMARY KEY,
  "value" INTEGER NOT NULL
);
CREATE TABLE "patient" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "number" TEXT NOT NULL,
  "family_name" TEXT NOT NULL,
  "given_names" TEXT NOT NULL,
  "usual_name" TEXT NOT NULL,
  "name_key" TEXT NOT NULL,
  "sound_key" TEXT NOT NULL,
  "sex" TEXT NOT NULL,
  "birth_earliest" TEXT,
  "birth_latest" TEXT,
  "birth_precision" TEXT NOT NULL,
  "mother_family_name" TEXT NOT NULL,
  "mother_given_names" TEXT NOT NULL,
  "mother_number" TEXT NOT NULL,
  "birth_order" INTEGER,
  "phone" TEXT NOT NULL,
  "phone_key" TEXT NOT NULL,
  "address" TEXT NOT NULL,
  "national_id" TEXT NOT NULL,
  "ward" TEXT NOT NULL,
  "provisional" INTEGER NOT NULL,
  "deceased_on" TEXT,
  "merged_into_id" INTEGER,
  "told_at" TEXT,
  "created_at" TEXT NOT NULL,
  FOREIGN KEY ("merged_into_id") REFERENCES "patient" ("id")
);
CREATE INDEX "patient_number" ON "patient" ("number");
CREATE INDEX "patient_name_key" ON "patient" ("name_key");
CREATE INDEX "patient_sound_key" ON "patient" ("sound_key");
CREATE INDEX "patient_phone_key" ON "patient" ("phone_key");
CREATE INDEX "patient_merged_into_id" ON "patient" ("merged_into_id");
CREATE TABLE "imaging_service_request" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "patient_id" INTEGER NOT NULL,
  "accession_number" TEXT NOT NULL,
  "foreign_accession" TEXT NOT NULL,
  "placer_number" TEXT NOT NULL,
  "placer_authority" TEXT NOT NULL,
  "filler_number" TEXT NOT NULL,
  "source" TEXT NOT NULL,
  "sender" TEXT NOT NULL,
  "prescriber" TEXT NOT NULL,
  "ward" TEXT NOT NULL,
  "indication" TEXT NOT NULL,
  "urgency" TEXT NOT NULL,
  "comment" TEXT NOT NULL,
  "visit_number" TEXT NOT NULL,
  "sent_number" TEXT NOT NULL,
  "sent_authority" TEXT NOT NULL,
  "requested_at" TEXT NOT NULL,
  "told_at" TEXT,
  FOREIGN KEY ("patient_id") REFERENCES "patient" ("id")
);
CREATE INDEX "imaging_service_request_patient_id" ON "imaging_service_request" ("patient_id");
CREATE UNIQUE INDEX "imaging_service_request_accession_number" ON "imaging_service_request" ("accession_number");
CREATE INDEX "imaging_service_request_foreign_accession" ON "imaging_service_request" ("foreign_accession");
CREATE INDEX "imaging_service_request_placer_number" ON "imaging_service_request" ("placer_number");
CREATE INDEX "imaging_service_request_filler_number" ON "imaging_service_request" ("filler_number");
CREATE TABLE "requested_procedure" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "request_id" INTEGER NOT NULL,
  "procedure_id" TEXT NOT NULL,
  "study_instance_uid" TEXT NOT NULL,
  "exam_code" TEXT NOT NULL,
  "exam_label" TEXT NOT NULL,
  FOREIGN KEY ("request_id") REFERENCES "imaging_service_request" ("id")
);
CREATE INDEX "requested_procedure_request_id" ON "requested_procedure" ("request_id");
CREATE UNIQUE INDEX "requested_procedure_procedure_id" ON "requested_procedure" ("procedure_id");
CREATE UNIQUE INDEX "requested_procedure_study_instance_uid" ON "requested_procedure" ("study_instance_uid");
CREATE TABLE "state_count" (
  "tbl" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "n" INTEGER NOT NULL,
  PRIMARY KEY ("tbl", "state")
);
CREATE TABLE "step" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "procedure_id" INTEGER NOT NULL,
  "patient_id" INTEGER NOT NULL,
  "scheduled_step_id" TEXT NOT NULL,
  "exam_code" TEXT NOT NULL,
  "exam_label" TEXT NOT NULL,
  "modality" TEXT NOT NULL,
  "room" TEXT NOT NULL,
  "station_ae" TEXT NOT NULL,
  "side" TEXT NOT NULL,
  "day" TEXT NOT NULL,
  "scheduled_at" TEXT,
  "duration_min" INTEGER NOT NULL,
  "arrived_at" TEXT,
  "started_at" TEXT,
  "ended_at" TEXT,
  "due_at" TEXT,
  "status" TEXT NOT NULL,
  "report_status" TEXT NOT NULL,
  "delivery_status" TEXT NOT NULL,
  "vetting" TEXT NOT NULL,
  "protocol" TEXT NOT NULL,
  "urgency" TEXT NOT NULL,
  "ward" TEXT NOT NULL,
  "flags" TEXT NOT NULL,
  "weight_kg" REAL,
  "expected_images" INTEGER,
  "dose" TEXT NOT NULL,
  "dose_source" TEXT NOT NULL,
  "version" INTEGER NOT NULL,
  FOREIGN KEY ("procedure_id") REFERENCES "requested_procedure" ("id"),
  FOREIGN KEY ("patient_id") REFERENCES "patient" ("id")
);
CREATE INDEX "step_procedure_id" ON "step" ("procedure_id");
CREATE INDEX "step_patient_id" ON "step" ("patient_id");
CREATE UNIQUE INDEX "step_scheduled_step_id" ON "step" ("scheduled_step_id");
CREATE INDEX "step_day_scheduled_at_id" ON "step" ("day", "scheduled_at", "id");
CREATE INDEX "step_patient_id_day" ON "step" ("patient_id", "day");
CREATE INDEX "step_report_status_status_due_at" ON "step" ("report_status", "status", "due_at");
CREATE INDEX "step_status_day" ON "step" ("status", "day");
CREATE TABLE "report_version" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "step_id" INTEGER NOT NULL,
  "version" INTEGER NOT NULL,
  "type" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "author" TEXT NOT NULL,
  "author_name" TEXT NOT NULL,
  "signer" TEXT NOT NULL,
  "signer_name" TEXT NOT NULL,
  "text" TEXT NOT NULL,
  "sha256" TEXT NOT NULL,
  "at" TEXT NOT NULL,
  "discordance" TEXT NOT NULL,
  "critical" INTEGER NOT NULL,
  "signer_view" TEXT NOT NULL,
  "reason" TEXT NOT NULL,
  "newest_image" INTEGER NOT NULL,
  FOREIGN KEY ("step_id") REFERENCES "step" ("id")
);
CREATE INDEX "report_version_step_id" ON "report_version" ("step_id");
CREATE UNIQUE INDEX "report_version_step_id_version" ON "report_version" ("step_id", "version");
CREATE TABLE "delivery" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "version_id" INTEGER NOT NULL,
  "step_id" INTEGER NOT NULL,
  "kind" TEXT NOT NULL,
  "destination" TEXT NOT NULL,
  "mandatory" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "at" TEXT NOT NULL,
  "who" TEXT NOT NULL,
  FOREIGN KEY ("version_id") REFERENCES "report_version" ("id"),
  FOREIGN KEY ("step_id") REFERENCES "step" ("id")
);
CREATE INDEX "delivery_version_id" ON "delivery" ("version_id");
CREATE INDEX "delivery_step_id" ON "delivery" ("step_id");
CREATE TABLE "destination" (
  "name" TEXT NOT NULL PRIMARY KEY,
  "host" TEXT NOT NULL,
  "port" INTEGER NOT NULL,
  "application" TEXT NOT NULL,
  "facility" TEXT NOT NULL,
  "version" TEXT NOT NULL,
  "charset" TEXT NOT NULL,
  "takes_preliminary" INTEGER NOT NULL,
  "active" INTEGER NOT NULL
);
CREATE TABLE "device" (
  "key" TEXT NOT NULL PRIMARY KEY,
  "ae_title" TEXT NOT NULL,
  "host" TEXT NOT NULL,
  "port" INTEGER NOT NULL,
  "role" TEXT NOT NULL,
  "addresses" TEXT NOT NULL,
  "room" TEXT NOT NULL,
  "modality" TEXT NOT NULL,
  "charset" TEXT NOT NULL,
  "all_rooms" INTEGER NOT NULL,
  "cr_is_dx" INTEGER NOT NULL,
  "worklist_window_days" INTEGER NOT NULL,
  "find_limit" INTEGER NOT NULL,
  "when_cut" TEXT NOT NULL,
  "conflict_is_success" INTEGER NOT NULL,
  "commit_host" TEXT NOT NULL,
  "commit_port" INTEGER NOT NULL,
  "active" INTEGER NOT NULL,
  "tls" INTEGER NOT NULL,
  "certificate" TEXT NOT NULL,
  "prefetch" INTEGER NOT NULL,
  "identity" TEXT NOT NULL,
  "receives_charset" TEXT NOT NULL,
  "uncompressed" INTEGER NOT NULL,
  "pledges" INTEGER NOT NULL
);
CREATE TABLE "device_seen" (
  "key" TEXT NOT NULL PRIMARY KEY,
  "last_echo_at" TEXT,
  "last_echo_ok" INTEGER,
  "last_echo_ms" REAL,
  "last_call_at" TEXT,
  "last_store_at" TEXT,
  "last_query_at" TEXT
);
CREATE TABLE "event" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "topic" TEXT NOT NULL,
  "key" TEXT NOT NULL,
  CHECK (topic <> '')
);
CREATE INDEX "event_topic_id" ON "event" ("topic", "id");
CREATE TABLE "exam" (
  "code" TEXT NOT NULL PRIMARY KEY,
  "label" TEXT NOT NULL,
  "label_key" TEXT NOT NULL,
  "modality" TEXT NOT NULL,
  "rooms" TEXT NOT NULL,
  "duration_min" INTEGER NOT NULL,
  "preparation" TEXT NOT NULL,
  "report_template" TEXT NOT NULL,
  "needs_vetting" INTEGER NOT NULL,
  "needs_side" INTEGER NOT NULL,
  "contrast_possible" INTEGER NOT NULL,
  "report_policy" TEXT NOT NULL,
  "tariff_fcfa" INTEGER NOT NULL,
  "ccam" TEXT NOT NULL
);
CREATE INDEX "exam_label_key" ON "exam" ("label_key");
CREATE TABLE "his_sender" (
  "name" TEXT NOT NULL PRIMARY KEY,
  "addresses" TEXT NOT NULL,
  "application" TEXT NOT NULL,
  "facility" TEXT NOT NULL,
  "authority" TEXT NOT NULL,
  "may_merge" INTEGER NOT NULL,
  "fallback_charset" TEXT NOT NULL,
  "default_version" TEXT NOT NULL,
  "active" INTEGER NOT NULL,
  "events" TEXT NOT NULL,
  "sexes" TEXT NOT NULL,
  "charset_terms" TEXT NOT NULL,
  "strict_charset" INTEGER NOT NULL,
  "legacy_merge" INTEGER NOT NULL,
  "local_code" INTEGER NOT NULL,
  "enhanced" INTEGER NOT NULL,
  "frame_seconds" INTEGER NOT NULL,
  "idle_seconds" INTEGER NOT NULL
);
CREATE TABLE "idempotency" (
  "key" TEXT NOT NULL PRIMARY KEY,
  "result" TEXT NOT NULL,
  "at" TEXT NOT NULL
);
CREATE TABLE "inbox" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "message" BLOB NOT NULL,
  "sha256" TEXT NOT NULL,
  "application" TEXT NOT NULL,
  "facility" TEXT NOT NULL,
  "control_id" TEXT NOT NULL,
  "message_type" TEXT NOT NULL,
  "message_time" TEXT NOT NULL,
  "peer" TEXT NOT NULL,
  "sender" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "ack_code" TEXT NOT NULL,
  "ack_error" TEXT NOT NULL,
  "ack_location" TEXT NOT NULL,
  "ack_text" TEXT NOT NULL,
  "effect" TEXT NOT NULL,
  "received_at" TEXT NOT NULL
);
CREATE INDEX "inbox_application_facility_control_id" ON "inbox" ("application", "facility", "control_id");
CREATE TABLE "study" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "study_instance_uid" TEXT NOT NULL,
  "sent_id" TEXT NOT NULL,
  "sent_issuer" TEXT NOT NULL,
  "sent_name" TEXT NOT NULL,
  "sent_birth_date" TEXT NOT NULL,
  "sent_sex" TEXT NOT NULL,
  "also_sent" TEXT NOT NULL,
  "sent_age" TEXT NOT NULL,
  "sent_weight" REAL,
  "patient_id" INTEGER,
  "step_id" INTEGER,
  "suspect_step_id" INTEGER,
  "match" TEXT NOT NULL,
  "why" TEXT NOT NULL,
  "folder" TEXT NOT NULL,
  "accession_number" TEXT NOT NULL,
  "study_id" TEXT NOT NULL,
  "study_date" TEXT NOT NULL,
  "study_time" TEXT NOT NULL,
  "description" TEXT NOT NULL,
  "referring_physician" TEXT NOT NULL,
  "referring_key" TEXT NOT NULL,
  "institution" TEXT NOT NULL,
  "modalities" TEXT NOT NULL,
  "number" TEXT NOT NULL,
  "name_key" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "birth_date" TEXT NOT NULL,
  "sex" TEXT NOT NULL,
  "device" TEXT NOT NULL,
  "incomplete" INTEGER NOT NULL,
  "received_at" TEXT NOT NULL,
  "last_image_at" TEXT,
  "series" INTEGER NOT NULL,
  "instances" INTEGER NOT NULL,
  "bytes" INTEGER NOT NULL,
  "committed" INTEGER NOT NULL,
  FOREIGN KEY ("patient_id") REFERENCES "patient" ("id"),
  FOREIGN KEY ("step_id") REFERENCES "step" ("id")
);
CREATE INDEX "study_patient_id" ON "study" ("patient_id");
CREATE INDEX "study_step_id" ON "study" ("step_id");
CREATE INDEX "study_suspect_step_id" ON "study" ("suspect_step_id");
CREATE INDEX "study_match" ON "study" ("match");
CREATE INDEX "study_accession_number" ON "study" ("accession_number");
CREATE INDEX "study_number" ON "study" ("number");
CREATE UNIQUE INDEX "study_study_instance_uid_sent_id" ON "study" ("study_instance_uid", "sent_id");
CREATE INDEX "study_study_date_id" ON "study" ("study_date", "id");
CREATE INDEX "study_name_key_study_date" ON "study" ("name_key", "study_date");
CREATE TABLE "series" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "study_id" INTEGER NOT NULL,
  "series_instance_uid" TEXT NOT NULL,
  "modality" TEXT NOT NULL,
  "number" INTEGER,
  "description" TEXT NOT NULL,
  "series_date" TEXT NOT NULL,
  "series_time" TEXT NOT NULL,
  "protocol" TEXT NOT NULL,
  "body_part" TEXT NOT NULL,
  "laterality" TEXT NOT NULL,
  "station" TEXT NOT NULL,
  "instances" INTEGER NOT NULL,
  FOREIGN KEY ("study_id") REFERENCES "study" ("id")
);
CREATE INDEX "series_series_instance_uid" ON "series" ("series_instance_uid");
CREATE UNIQUE INDEX "series_study_id_series_instance_uid" ON "series" ("study_id", "series_instance_uid");
CREATE TABLE "instance" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "key" TEXT NOT NULL,
  "series_id" INTEGER,
  "sop_instance_uid" TEXT NOT NULL,
  "sop_class_uid" TEXT NOT NULL,
  "transfer_syntax" TEXT NOT NULL,
  "number" INTEGER,
  "rows" INTEGER,
  "columns" INTEGER,
  "frames" INTEGER NOT NULL,
  "image_type" TEXT NOT NULL,
  "content_date" TEXT NOT NULL,
  "content_time" TEXT NOT NULL,
  "created_date" TEXT NOT NULL,
  "created_time" TEXT NOT NULL,
  "path" TEXT NOT NULL,
  "size" INTEGER NOT NULL,
  "sha256" TEXT NOT NULL,
  "incomplete" INTEGER NOT NULL,
  "charset_suspect" INTEGER NOT NULL,
  "lane" TEXT NOT NULL,
  "calling_ae" TEXT NOT NULL,
  "address" TEXT NOT NULL,
  "received_at" TEXT NOT NULL,
  "damaged_at" TEXT,
  FOREIGN KEY ("series_id") REFERENCES "series" ("id")
);
CREATE UNIQUE INDEX "instance_key" ON "instance" ("key");
CREATE UNIQUE INDEX "instance_sop_instance_uid" ON "instance" ("sop_instance_uid");
CREATE INDEX "instance_series_id_number" ON "instance" ("series_id", "number");
CREATE TABLE "journal" (
  "seq" INTEGER NOT NULL PRIMARY KEY,
  "epoch" INTEGER NOT NULL,
  "lane" TEXT NOT NULL,
  "tbl" TEXT NOT NULL,
  "op" TEXT NOT NULL,
  "schema_version" INTEGER NOT NULL,
  "row" TEXT NOT NULL,
  "path" TEXT,
  "size" INTEGER,
  "sha256" TEXT
);
CREATE INDEX "journal_lane_seq" ON "journal" ("lane", "seq");
CREATE TABLE "late_seen" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "instance_id" INTEGER NOT NULL,
  "login" TEXT NOT NULL,
  "at" TEXT NOT NULL,
  FOREIGN KEY ("instance_id") REFERENCES "instance" ("id")
);
CREATE INDEX "late_seen_instance_id" ON "late_seen" ("instance_id");
CREATE UNIQUE INDEX "late_seen_instance_id_login" ON "late_seen" ("instance_id", "login");
CREATE TABLE "merge_record" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "prior_id" INTEGER NOT NULL,
  "survivor_id" INTEGER NOT NULL,
  "at" TEXT NOT NULL,
  "actor" TEXT NOT NULL,
  "reason" TEXT NOT NULL,
  "moved" TEXT NOT NULL,
  "undone_at" TEXT,
  FOREIGN KEY ("prior_id") REFERENCES "patient" ("id"),
  FOREIGN KEY ("survivor_id") REFERENCES "patient" ("id")
);
CREATE INDEX "merge_record_prior_id" ON "merge_record" ("prior_id");
CREATE INDEX "merge_record_survivor_id" ON "merge_record" ("survivor_id");
CREATE TABLE "node" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "role" TEXT NOT NULL,
  "epoch" INTEGER NOT NULL,
  "created_at" TEXT NOT NULL,
  "audit_genesis" TEXT NOT NULL
);
CREATE TABLE "order_tombstone" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "placer_number" TEXT NOT NULL,
  "placer_authority" TEXT NOT NULL,
  "at" TEXT NOT NULL
);
CREATE UNIQUE INDEX "order_tombstone_placer_number_placer_authority" ON "order_tombstone" ("placer_number", "placer_authority");
CREATE TABLE "outbox" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "kind" TEXT NOT NULL,
  "destination" TEXT NOT NULL,
  "lane" TEXT NOT NULL,
  "subject" INTEGER NOT NULL,
  "control_id" TEXT NOT NULL,
  "payload" BLOB,
  "state" TEXT NOT NULL,
  "attempts" INTEGER NOT NULL,
  "refusals" INTEGER NOT NULL,
  "next_at" TEXT NOT NULL,
  "created_at" TEXT NOT NULL,
  "answer" TEXT NOT NULL
);
CREATE UNIQUE INDEX "outbox_control_id" ON "outbox" ("control_id");
CREATE INDEX "outbox_state_kind_next_at" ON "outbox" ("state", "kind", "next_at");
CREATE TABLE "patient_identifier" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "patient_id" INTEGER NOT NULL,
  "value" TEXT NOT NULL,
  "authority" TEXT NOT NULL,
  "kind" TEXT NOT NULL,
  FOREIGN KEY ("patient_id") REFERENCES "patient" ("id")
);
CREATE INDEX "patient_identifier_patient_id" ON "patient_identifier" ("patient_id");
CREATE UNIQUE INDEX "patient_identifier_value_authority" ON "patient_identifier" ("value", "authority");
CREATE TABLE "performed_step" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "sop_instance_uid" TEXT NOT NULL,
  "status" TEXT NOT NULL,
  "calling_ae" TEXT NOT NULL,
  "study_instance_uid" TEXT NOT NULL,
  "started_at" TEXT,
  "ended_at" TEXT,
  "reason" TEXT NOT NULL,
  "announced" TEXT NOT NULL,
  "dataset" TEXT NOT NULL,
  "received_at" TEXT NOT NULL
);
CREATE UNIQUE INDEX "performed_step_sop_instance_uid" ON "performed_step" ("sop_instance_uid");
CREATE TABLE "performed_step_link" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "performed_id" INTEGER NOT NULL,
  "step_id" INTEGER NOT NULL,
  FOREIGN KEY ("performed_id") REFERENCES "performed_step" ("id"),
  FOREIGN KEY ("step_id") REFERENCES "step" ("id")
);
CREATE INDEX "performed_step_link_performed_id" ON "performed_step_link" ("performed_id");
CREATE INDEX "performed_step_link_step_id" ON "performed_step_link" ("step_id");
CREATE UNIQUE INDEX "performed_step_link_performed_id_step_id" ON "performed_step_link" ("performed_id", "step_id");
CREATE TABLE "printer" (
  "name" TEXT NOT NULL PRIMARY KEY,
  "kind" TEXT NOT NULL,
  "uri" TEXT NOT NULL,
  "takes" TEXT NOT NULL,
  "active" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "state_at" TEXT
);
CREATE TABLE "print_job" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "idempotency_key" TEXT NOT NULL,
  "printer" TEXT NOT NULL,
  "paper" TEXT NOT NULL,
  "title" TEXT NOT NULL,
  "patient" TEXT NOT NULL,
  "step_id" INTEGER,
  "payload" TEXT NOT NULL,
  "payload_sha256" TEXT NOT NULL,
  "mime" TEXT NOT NULL,
  "copies" INTEGER NOT NULL,
  "pages" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "attempts" INTEGER NOT NULL,
  "remote_job_id" INTEGER,
  "reason" TEXT NOT NULL,
  "actor" TEXT NOT NULL,
  "created_at" TEXT NOT NULL,
  "next_at" TEXT
);
CREATE UNIQUE INDEX "print_job_idempotency_key" ON "print_job" ("idempotency_key");
CREATE INDEX "print_job_printer_state_id" ON "print_job" ("printer", "state", "id");
CREATE TABLE "compression" (
  "study_id" INTEGER NOT NULL PRIMARY KEY,
  "instances" INTEGER NOT NULL,
  "files" INTEGER NOT NULL,
  "gained" INTEGER NOT NULL,
  "kept" INTEGER NOT NULL
);
CREATE TABLE "original" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "instance_id" INTEGER NOT NULL,
  "transfer_syntax" TEXT NOT NULL,
  "dataset_sha256" TEXT NOT NULL,
  "file" TEXT NOT NULL,
  "bytes" INTEGER NOT NULL,
  "digest" TEXT NOT NULL,
  "lane" TEXT NOT NULL,
  "after_seq" INTEGER NOT NULL,
  "superseded_at" TEXT NOT NULL,
  "removed_at" TEXT,
  FOREIGN KEY ("instance_id") REFERENCES "instance" ("id")
);
CREATE INDEX "original_instance_id" ON "original" ("instance_id");
CREATE INDEX "original_removed_at_superseded_at" ON "original" ("removed_at", "superseded_at");
CREATE TABLE "quarantine" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "reason" TEXT NOT NULL,
  "detail" TEXT NOT NULL,
  "sop_instance_uid" TEXT NOT NULL,
  "transfer_syntax" TEXT NOT NULL,
  "patient_hint" TEXT NOT NULL,
  "path" TEXT NOT NULL,
  "size" INTEGER NOT NULL,
  "sha256" TEXT NOT NULL,
  "calling_ae" TEXT NOT NULL,
  "address" TEXT NOT NULL,
  "received_at" TEXT NOT NULL,
  "settled_at" TEXT,
  "settled_by" TEXT NOT NULL,
  "settled_how" TEXT NOT NULL
);
CREATE INDEX "quarantine_sop_instance_uid" ON "quarantine" ("sop_instance_uid");
CREATE TABLE "replica_state" (
  "lane" TEXT NOT NULL PRIMARY KEY,
  "epoch" INTEGER NOT NULL,
  "seq" INTEGER NOT NULL,
  "at" TEXT
);
CREATE TABLE "report_draft" (
  "step_id" INTEGER NOT NULL PRIMARY KEY,
  "author" TEXT NOT NULL,
  "text" TEXT NOT NULL,
  "saved_at" TEXT NOT NULL,
  "newest_image" INTEGER NOT NULL,
  FOREIGN KEY ("step_id") REFERENCES "step" ("id")
);
CREATE TABLE "report_lock" (
  "step_id" INTEGER NOT NULL PRIMARY KEY,
  "owner" TEXT NOT NULL,
  "opened_at" TEXT NOT NULL,
  "expires_at" TEXT NOT NULL,
  "newest_image" INTEGER NOT NULL,
  FOREIGN KEY ("step_id") REFERENCES "step" ("id")
);
CREATE TABLE "room" (
  "code" TEXT NOT NULL PRIMARY KEY,
  "label" TEXT NOT NULL,
  "modality" TEXT NOT NULL,
  "ae_titles" TEXT NOT NULL,
  "opens" TEXT NOT NULL,
  "closes" TEXT NOT NULL,
  "capacity" INTEGER NOT NULL,
  "visible_from" TEXT NOT NULL,
  "without_appointment" INTEGER NOT NULL
);
CREATE TABLE "session" (
  "token" TEXT NOT NULL PRIMARY KEY,
  "login" TEXT NOT NULL,
  "origin" TEXT NOT NULL,
  "post" TEXT NOT NULL,
  "opened_at" TEXT NOT NULL,
  "active_at" TEXT NOT NULL
);
CREATE TABLE "step_history" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "step_id" INTEGER NOT NULL,
  "machine" TEXT NOT NULL,
  "event" TEXT NOT NULL,
  "came_from" TEXT NOT NULL,
  "became" TEXT NOT NULL,
  "at" TEXT NOT NULL,
  "actor" TEXT NOT NULL,
  "post" TEXT NOT NULL,
  "origin" TEXT NOT NULL,
  "reason" TEXT NOT NULL,
  "source_key" TEXT NOT NULL,
  FOREIGN KEY ("step_id") REFERENCES "step" ("id")
);
CREATE INDEX "step_history_step_id" ON "step_history" ("step_id");
CREATE TABLE "task" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "kind" TEXT NOT NULL,
  "step_id" INTEGER,
  "patient_id" INTEGER,
  "study_id" INTEGER,
  "text" TEXT NOT NULL,
  "role" TEXT NOT NULL,
  "created_at" TEXT NOT NULL,
  "done_at" TEXT,
  "done_by" TEXT NOT NULL
);
CREATE TABLE "viewed" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "series_id" INTEGER NOT NULL,
  "login" TEXT NOT NULL,
  "quality" TEXT NOT NULL,
  "pictures" TEXT NOT NULL,
  "at" TEXT NOT NULL,
  FOREIGN KEY ("series_id") REFERENCES "series" ("id")
);
CREATE INDEX "viewed_series_id" ON "viewed" ("series_id");
CREATE UNIQUE INDEX "viewed_series_id_login" ON "viewed" ("series_id", "login");
CREATE TABLE "visit" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "patient_id" INTEGER NOT NULL,
  "number" TEXT NOT NULL,
  "patient_class" TEXT NOT NULL,
  "ward" TEXT NOT NULL,
  "room" TEXT NOT NULL,
  "bed" TEXT NOT NULL,
  "opened_at" TEXT NOT NULL,
  "closed_at" TEXT,
  FOREIGN KEY ("patient_id") REFERENCES "patient" ("id")
);
CREATE INDEX "visit_patient_id" ON "visit" ("patient_id");
CREATE UNIQUE INDEX "visit_patient_id_number" ON "visit" ("patient_id", "number");
CREATE TABLE "commitment" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "transaction_uid" TEXT NOT NULL,
  "calling_ae" TEXT NOT NULL,
  "address" TEXT NOT NULL,
  "images" BLOB NOT NULL,
  "state" TEXT NOT NULL,
  "failed" TEXT NOT NULL,
  "attempts" INTEGER NOT NULL,
  "answer" TEXT NOT NULL,
  "requested_at" TEXT NOT NULL,
  "next_at" TEXT NOT NULL,
  "judged_at" TEXT,
  "reported_at" TEXT
);
CREATE UNIQUE INDEX "commitment_transaction_uid_calling_ae" ON "commitment" ("transaction_uid", "calling_ae");
CREATE INDEX "commitment_state_next_at" ON "commitment" ("state", "next_at");
CREATE TABLE "fetch" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "device" TEXT NOT NULL,
  "study_instance_uid" TEXT NOT NULL,
  "reason" TEXT NOT NULL,
  "patient_id" TEXT NOT NULL,
  "study_date" TEXT NOT NULL,
  "expected" INTEGER,
  "held" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "attempts" INTEGER NOT NULL,
  "next_at" TEXT NOT NULL,
  "answer" TEXT NOT NULL
);
CREATE UNIQUE INDEX "fetch_device_study_instance_uid" ON "fetch" ("device", "study_instance_uid");
CREATE INDEX "fetch_state_next_at" ON "fetch" ("state", "next_at");
CREATE TABLE "told_safe" (
  "instance_id" INTEGER NOT NULL PRIMARY KEY
);
CREATE TABLE "route" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "source" TEXT NOT NULL,
  "modality" TEXT NOT NULL,
  "destination" TEXT NOT NULL,
  "active" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "route_source_modality_destination" ON "route" ("source", "modality", "destination");
CREATE TABLE "transfer" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "study_id" INTEGER NOT NULL,
  "destination" TEXT NOT NULL,
  "above" INTEGER NOT NULL,
  "upto" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "failed" TEXT NOT NULL,
  "sent" INTEGER NOT NULL,
  "attempts" INTEGER NOT NULL,
  "why" TEXT NOT NULL,
  "created_at" TEXT NOT NULL,
  "next_at" TEXT NOT NULL
);
CREATE INDEX "transfer_state_next_at" ON "transfer" ("state", "next_at");
CREATE INDEX "transfer_study_id_destination" ON "transfer" ("study_id", "destination");
CREATE TABLE "rejection" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "note_uid" TEXT NOT NULL,
  "title" TEXT NOT NULL,
  "study_instance_uid" TEXT NOT NULL,
  "actor" TEXT NOT NULL,
  "origin" TEXT NOT NULL,
  "reason" TEXT NOT NULL,
  "at" TEXT NOT NULL,
  "undone_at" TEXT,
  "undone_by" TEXT NOT NULL,
  "undone_why" TEXT NOT NULL
);
CREATE UNIQUE INDEX "rejection_note_uid" ON "rejection" ("note_uid");
CREATE INDEX "rejection_study_instance_uid" ON "rejection" ("study_instance_uid");
CREATE INDEX "rejection_title_at" ON "rejection" ("title", "at");
CREATE TABLE "rejected_instance" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "rejection_id" INTEGER NOT NULL,
  "sop_instance_uid" TEXT NOT NULL,
  "series_id" INTEGER,
  "restored_at" TEXT,
  FOREIGN KEY ("rejection_id") REFERENCES "rejection" ("id")
);
CREATE INDEX "rejected_instance_rejection_id" ON "rejected_instance" ("rejection_id");
CREATE INDEX "rejected_instance_sop_instance_uid" ON "rejected_instance" ("sop_instance_uid");
CREATE TABLE "device_contact" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "key" TEXT NOT NULL,
  "kind" TEXT NOT NULL,
  "at" TEXT NOT NULL,
  "calling" TEXT NOT NULL,
  "called" TEXT NOT NULL,
  "address" TEXT NOT NULL,
  "result" TEXT NOT NULL,
  "worklist" TEXT NOT NULL,
  "keys" TEXT NOT NULL,
  "received" TEXT NOT NULL,
  "answers" INTEGER NOT NULL,
  "limited" INTEGER NOT NULL,
  "steps" TEXT NOT NULL,
  "asked" TEXT NOT NULL
);
CREATE INDEX "device_contact_key_kind_id" ON "device_contact" ("key", "kind", "id");
CREATE INDEX "device_contact_address_id" ON "device_contact" ("address", "id");
CREATE TABLE "pledge" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "transaction_uid" TEXT NOT NULL,
  "archive" TEXT NOT NULL,
  "study_id" INTEGER NOT NULL,
  "images" BLOB NOT NULL,
  "count" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "failed" TEXT NOT NULL,
  "attempts" INTEGER NOT NULL,
  "why" TEXT NOT NULL,
  "created_at" TEXT NOT NULL,
  "next_at" TEXT NOT NULL,
  "asked_at" TEXT,
  "answered_at" TEXT
);
CREATE UNIQUE INDEX "pledge_transaction_uid" ON "pledge" ("transaction_uid");
CREATE INDEX "pledge_study_id" ON "pledge" ("study_id");
CREATE INDEX "pledge_state_next_at" ON "pledge" ("state", "next_at");
